package state

import "github.com/hybridos-net/hybridos/chain/tx"

func applyUnfreeze(s Tree, _ Block, t *tx.Tx) error {
	a, err := GetAccount(s, t.Body.Account)
	if err != nil {
		return err
	}
	if !a.Frozen {
		return &Error{Kind: NotFrozen, Detail: t.Body.Account.String()}
	}
	a.Frozen = false
	return put(s, AccountKey(t.Body.Account), a)
}
