package state

import "github.com/hybridos-net/hybridos/chain/tx"

func applyPublishRelease(s Tree, _ Block, t *tx.Tx) error {
	p := t.Payload.(*tx.PublishRelease)
	return Releases(t.Body.Account, p.Model).publish(s, t, p.Version)
}
