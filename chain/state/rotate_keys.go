package state

import (
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func rotateKeysSigners(v View, t *tx.Tx) ([]signer, error) {
	a, err := GetAccount(v, t.Body.Account)
	if err != nil {
		return nil, err
	}
	return rotationSigners(a.KeySet, t.Payload.(*tx.RotateKeys)), nil
}

// rotationSigners demands the old threshold and each key that is new.
func rotationSigners(old KeySet, p *tx.RotateKeys) []signer {
	var added []key.Public
	for _, k := range p.Keys {
		if _, had := old.Find(k.Key.ID()); !had {
			added = append(added, k.Key)
		}
	}
	return []signer{
		adminSigner(tx.RoleAccount, old),
		{role: tx.RoleNewKey, keys: added, threshold: len(added)},
	}
}

func applyRotateKeys(s Tree, _ Block, t *tx.Tx) error { return applyKeyChange(s, t, settled) }
