package state

import "github.com/hybridos-net/hybridos/chain/tx"

func freezeSigners(v View, t *tx.Tx) ([]signer, error) {
	a, err := GetAccount(v, t.Body.Account)
	if err != nil {
		return nil, err
	}
	return partySigner(a.KeySet.Guardians, adminSigner(tx.RoleParty, a.KeySet)), nil
}

func applyFreeze(s Tree, _ Block, t *tx.Tx) error {
	a, err := GetAccount(s, t.Body.Account)
	if err != nil {
		return err
	}
	if a.Frozen {
		return &Error{Kind: AccountFrozen, Detail: t.Body.Account.String()}
	}
	a.Frozen = true
	return put(s, AccountKey(t.Body.Account), a)
}
