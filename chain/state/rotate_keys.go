package state

import (
	"fmt"

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

func applyRotateKeys(s Tree, _ Block, t *tx.Tx) error {
	p := t.Payload.(*tx.RotateKeys)
	a, err := GetAccount(s, t.Body.Account)
	if err != nil {
		return err
	}
	if a.KeySet, err = rotate(a.KeySet, p); err != nil {
		return err
	}
	if err := s.Set(KeyChangeKey(t.Body.Account, p.Version), t.Bytes()); err != nil {
		return err
	}
	return put(s, AccountKey(t.Body.Account), a)
}

func rotate(old KeySet, p *tx.RotateKeys) (KeySet, error) {
	if p.Version != old.Version+1 {
		return old, &Error{Kind: BadKeyVersion, Detail: fmt.Sprintf("key version %d, next is %d", p.Version, old.Version+1)}
	}
	return KeySet{Version: p.Version, Threshold: p.Threshold, Keys: p.Keys}, nil
}
