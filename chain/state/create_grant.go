package state

import "github.com/hybridos-net/hybridos/chain/tx"

func applyCreateGrant(s Tree, b Block, t *tx.Tx) error {
	p := t.Payload.(*tx.CreateGrant)
	if err := thawed(s, t); err != nil {
		return err
	}
	for _, target := range p.Targets {
		dev, err := ownedDevice(s, t, target.Device)
		if err != nil {
			return err
		}
		if target.Epoch != dev.Epoch {
			return staleEpoch(target.Epoch, dev.Epoch)
		}
	}
	return put(s, GrantKey(t.ID(b.Chain)), Grant{Issuer: t.Body.Account, Status: Active, Tx: t.Bytes()})
}
