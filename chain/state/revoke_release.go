package state

import "github.com/hybridos-net/hybridos/chain/tx"

func applyRevokeRelease(s Tree, _ Block, t *tx.Tx) error {
	p := t.Payload.(*tx.RevokeRelease)
	return Releases(t.Body.Account, p.Model).revoke(s, p.Version)
}
