package statetest

import (
	"strconv"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Delay is what GuardiansTx makes guardians wait, in seconds.
const Delay = 3600

// Guardian is the i-th guardian's key; there are three, and two must sign.
func Guardian(i int) *key.Private { return Key("guardian " + strconv.Itoa(i)) }

// Guardians is what GuardiansTx sets.
func Guardians() *tx.Guardians {
	g := &tx.Guardians{Threshold: 2, Delay: Delay}
	for i := range 3 {
		g.Keys = append(g.Keys, Guardian(i).Public())
	}
	return g
}

// NextVersion is the next key version of the account whose first key is root.
func (w *World) NextVersion(root key.Signer) uint64 {
	a, err := state.GetAccount(w.Tree, root.Public().AccountID())
	if err != nil {
		return 1
	}
	return a.KeySet.Version + 1
}

// GuardiansTx names Guardians as those of an account, which its first key signs.
func (w *World) GuardiansTx(tb testing.TB, root key.Signer) *tx.Tx {
	tb.Helper()
	p := &tx.SetGuardians{Version: w.NextVersion(root), Guardians: Guardians()}
	return w.Build(tb, root.Public().AccountID(), p, As{tx.RoleAccount, root})
}

// StartTx starts a recovery that gives an account the one key next: two
// guardians sign.
func (w *World) StartTx(tb testing.TB, root, next key.Signer) *tx.Tx {
	tb.Helper()
	p := &tx.StartRecovery{Version: w.NextVersion(root), Threshold: 1, Keys: []tx.AccountKey{{Key: next.Public(), Rights: tx.RightAdmin | tx.RightInvoke}}}
	return w.Build(tb, root.Public().AccountID(), p, As{tx.RoleGuardian, Guardian(0)}, As{tx.RoleGuardian, Guardian(1)}, As{tx.RoleNewKey, next})
}

// CancelTx cancels the recovery of an account, which its first key signs.
func (w *World) CancelTx(tb testing.TB, root key.Signer) *tx.Tx {
	tb.Helper()
	return w.Build(tb, root.Public().AccountID(), &tx.CancelRecovery{Version: w.NextVersion(root)}, As{tx.RoleAccount, root})
}

// FinishTx finishes the recovery of an account.
func (w *World) FinishTx(tb testing.TB, root, by key.Signer) *tx.Tx {
	tb.Helper()
	return w.Build(tb, root.Public().AccountID(), &tx.FinishRecovery{Version: w.NextVersion(root)}, As{tx.RoleParty, by})
}

// FreezeTx freezes an account.
func (w *World) FreezeTx(tb testing.TB, root, by key.Signer) *tx.Tx {
	tb.Helper()
	return w.Build(tb, root.Public().AccountID(), &tx.Freeze{}, As{tx.RoleParty, by})
}

// UnfreezeTx ends that; the account's first key signs.
func (w *World) UnfreezeTx(tb testing.TB, root key.Signer) *tx.Tx {
	tb.Helper()
	return w.Build(tb, root.Public().AccountID(), &tx.Unfreeze{}, As{tx.RoleAccount, root})
}
