package state

import "github.com/hybridos-net/hybridos/chain/tx"

func applyPublishApp(s Tree, _ Block, t *tx.Tx) error {
	p := t.Payload.(*tx.PublishApp)
	return Apps(t.Body.Account, p.App).publish(s, t, p.Version)
}
