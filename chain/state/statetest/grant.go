package statetest

import (
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Terms is an hour's grant over methods of a device's endpoint "lock".
func (w *World) Terms(grantee key.Public, dev *key.Private, methods ...string) *tx.CreateGrant {
	return &tx.CreateGrant{
		Grantee: grantee, NotBefore: uint64(w.Block.Time), NotAfter: uint64(w.Block.Time) + 3600,
		Targets: []tx.Target{{Device: dev.Public().DeviceID(), Epoch: w.epoch(dev), Endpoint: "lock", Methods: methods}},
	}
}

// GiveTx is a grant by the account whose root key is owner.
func (w *World) GiveTx(tb testing.TB, owner *key.Private, p *tx.CreateGrant) *tx.Tx {
	tb.Helper()
	return w.Build(tb, owner.Public().AccountID(), p, As{tx.RoleAccount, owner})
}

// DelegateTx gives a grant on, or ends one that was: by whom the parent was
// given to, unless it is another.
func (w *World) DelegateTx(tb testing.TB, by *key.Private, p *tx.DelegateGrant) *tx.Tx {
	tb.Helper()
	var next uint64
	if g, err := state.GetGrant(w.Tree, p.Parent); err == nil {
		next = g.Next
	}
	t, err := tx.New(by.Public().AccountID(), next, uint64(w.Block.Time)+60, p)
	if err != nil {
		tb.Fatalf("build %s: %v", p.Kind(), err)
	}
	t.Sign(w.Block.Chain, tx.RoleGrantee, by)
	return t
}
