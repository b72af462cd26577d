package state

import "github.com/hybridos-net/hybridos/chain/tx"

func applyRevokeApp(s Tree, _ Block, t *tx.Tx) error {
	p := t.Payload.(*tx.RevokeApp)
	return Apps(t.Body.Account, p.App).revoke(s, p.Version)
}
