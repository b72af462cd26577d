package state

import "github.com/hybridos-net/hybridos/chain/tx"

func applyCreateGrant(s Tree, b Block, t *tx.Tx) error {
	p := t.Payload.(*tx.CreateGrant)
	if err := thawed(s, t); err != nil {
		return err
	}
	for _, d := range p.Devices() {
		if err := grantable(s, t.Body.Account, d); err != nil {
			return err
		}
	}
	return put(s, GrantKey(t.ID(b.Chain)), Grant{Issuer: t.Body.Account, Status: Active, Tx: t.Bytes()})
}
