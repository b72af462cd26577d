package draft

import (
	"fmt"
	"slices"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// SetGuardians drafts who can recover the party's account; nil for nobody.
func (l Ledger) SetGuardians(p Party, g *tx.Guardians) (*tx.Tx, error) {
	return l.ofAccount(p, func(a state.Account) tx.Payload {
		return &tx.SetGuardians{Version: a.KeySet.Version + 1, Guardians: g}
	})
}

// CancelRecovery drafts the end of a recovery of the party's account.
func (l Ledger) CancelRecovery(p Party) (*tx.Tx, error) {
	return l.ofAccount(p, func(a state.Account) tx.Payload { return &tx.CancelRecovery{Version: a.KeySet.Version + 1} })
}

// Unfreeze drafts the end of a freeze of the party's account.
func (l Ledger) Unfreeze(p Party) (*tx.Tx, error) {
	return l.ofAccount(p, func(state.Account) tx.Payload { return new(tx.Unfreeze) })
}

func (l Ledger) ofAccount(p Party, payload func(state.Account) tx.Payload) (*tx.Tx, error) {
	a, err := l.account(p)
	if err != nil {
		return nil, err
	}
	return l.build(p, a.Sequence, Life, tx.RoleAccount, payload(a))
}

// StartRecovery drafts that an account gets next as its only key. The guardians
// add their signatures with ApproveRecovery.
func (l Ledger) StartRecovery(account key.AccountID, next *key.Private) (*tx.Tx, error) {
	a, err := state.GetAccount(l.View, account)
	if err != nil {
		return nil, err
	}
	if a.KeySet.Guardians == nil {
		return nil, &state.Error{Kind: state.NoGuardians, Detail: account.String()}
	}
	return l.build(Party{Account: account, Key: next}, a.Sequence, OfferLife, tx.RoleNewKey, &tx.StartRecovery{
		Version: a.KeySet.Version + 1, Threshold: 1,
		Keys: []tx.AccountKey{{Key: next.Public(), Rights: tx.RightAdmin | tx.RightInvoke}},
	})
}

// ApproveRecovery adds a guardian's signature, and reports whether there are
// enough of them now.
func (l Ledger) ApproveRecovery(guardian *key.Private, t *tx.Tx) (enough bool, err error) {
	if _, ok := t.Payload.(*tx.StartRecovery); !ok {
		return false, fmt.Errorf("%w: a %s starts no recovery", ErrNotForUs, t.Body.Kind)
	}
	a, err := state.GetAccount(l.View, t.Body.Account)
	if err != nil {
		return false, err
	}
	g := a.KeySet.Guardians
	if g == nil || !slices.ContainsFunc(g.Keys, guardian.Public().Equal) {
		return false, &state.Error{Kind: state.WrongSigner, Detail: fmt.Sprintf("this wallet is no guardian of %s", t.Body.Account)}
	}
	t.Sign(l.Chain, tx.RoleGuardian, guardian)
	have := 0
	for _, s := range t.Sigs {
		if s.Role == tx.RoleGuardian {
			have++
		}
	}
	return have >= int(g.Threshold), nil
}

// FinishRecovery drafts that the keys of an account's recovery are put in force.
func (l Ledger) FinishRecovery(account key.AccountID, by *key.Private) (*tx.Tx, error) {
	return l.asParty(account, by, func(a state.Account) tx.Payload { return &tx.FinishRecovery{Version: a.KeySet.Version + 1} })
}

// Freeze drafts that an account is frozen.
func (l Ledger) Freeze(account key.AccountID, by *key.Private) (*tx.Tx, error) {
	return l.asParty(account, by, func(state.Account) tx.Payload { return new(tx.Freeze) })
}

func (l Ledger) asParty(account key.AccountID, by *key.Private, payload func(state.Account) tx.Payload) (*tx.Tx, error) {
	a, err := state.GetAccount(l.View, account)
	if err != nil {
		return nil, err
	}
	return l.build(Party{Account: account, Key: by}, a.Sequence, Life, tx.RoleParty, payload(a))
}
