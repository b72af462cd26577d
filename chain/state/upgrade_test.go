package state_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func schedule(name string, height int64) tx.Change {
	return tx.Change{ScheduleUpgrade: &tx.ScheduleUpgrade{Upgrade: name, Height: uint64(height), Hashes: [][32]byte{{1}, {2}}}}
}

func cancel(name string) tx.Change { return tx.Change{CancelUpgrade: &tx.CancelUpgrade{Upgrade: name}} }

// council is the change to governors with the given keys; each proves itself.
func council(w *statetest.World, threshold uint8, keys ...*key.Private) tx.Change {
	c := &tx.SetGovernors{Threshold: threshold}
	for i, k := range keys {
		c.Governors = append(c.Governors, tx.NewGovernor{GovernorName: fmt.Sprint("member ", i), Key: k.Public(),
			Proof: k.Sign(tx.GovernorDigest(w.Block.Chain, k.Public()))})
	}
	return tx.Change{SetGovernors: c}
}

var ledgerRefusals = []refusal{
	{"quota spent", state.AccountQuotaExceeded, func(tb testing.TB, w *statetest.World) *tx.Tx {
		spent(tb, w)
		return w.GrantTx(tb, owner, guest.Public(), dev, "open")
	}},
	{"quota spent, and badly signed", state.AccountQuotaExceeded, func(tb testing.TB, w *statetest.World) *tx.Tx {
		spent(tb, w)
		x := w.GrantTx(tb, owner, guest.Public(), dev, "open")
		x.Sigs[0].Bytes[5] ^= 1
		return x
	}},
	{"a long payload over the quota", state.AccountQuotaExceeded, func(tb testing.TB, w *statetest.World) *tx.Tx {
		params(w, state.Quota{Base: 4, PerDevice: 0, Period: 1 << 20})
		p := &tx.CreateGrant{Grantee: guest.Public(), NotAfter: uint64(w.Block.Time) + 60}
		methods := make([]string, tx.MaxMethods)
		for i := range methods {
			methods[i] = fmt.Sprintf("%064d", i)
		}
		for i := range 12 { // some 25 KiB
			id := dev.Public().DeviceID()
			p.Targets = append(p.Targets, tx.Target{Device: id, Epoch: 1, Endpoint: fmt.Sprint("e", i), Methods: methods})
		}
		return w.Build(tb, owner.Public().AccountID(), p, asOwner)
	}},
	{"too many owners", state.TooManyMoves, func(tb testing.TB, w *statetest.World) *tx.Tx {
		d := must(state.GetDevice(w.Tree, dev.Public().DeviceID()))
		d.Period, d.Moves = state.DefaultQuota().Begin(w.Block.Time), state.MaxMoves
		w.Put(state.DeviceKey(dev.Public().DeviceID()), d)
		return w.TransferTx(tb, owner, buyer, dev)
	}},
	{"upgrade too soon", state.UpgradeLate, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.ProposeTx(tb, anna, schedule("two", w.Block.Height+state.MinUpgradeNotice-1))
	}},
	{"upgrade approved too late", state.UpgradeLate, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := proposed(tb, w, schedule("two", w.Block.Height+state.MinUpgradeNotice))
		return w.ApproveTx(tb, ben, id)
	}},
	{"second upgrade", state.UpgradeExists, func(tb testing.TB, w *statetest.World) *tx.Tx {
		decide(tb, w, schedule("two", w.Block.Height+99))
		return w.ProposeTx(tb, anna, schedule("three", w.Block.Height+99))
	}},
	{"name of a done upgrade", state.UpgradeExists, func(tb testing.TB, w *statetest.World) *tx.Tx {
		decide(tb, w, schedule("two", w.Block.Height+99))
		w.Block.Height += 99
		return w.ProposeTx(tb, anna, schedule("two", w.Block.Height+99))
	}},
	{"too many upgrades", state.UpgradeExists, func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Put(state.UpgradeKey(), state.Upgrades{Done: make([]state.DoneUpgrade, state.MaxUpgrades)})
		return w.ProposeTx(tb, anna, schedule("two", w.Block.Height+99))
	}},
	{"cancel nothing", state.NoUpgrade, proposal(is(cancel("two")))},
	{"cancel another", state.NoUpgrade, func(tb testing.TB, w *statetest.World) *tx.Tx {
		decide(tb, w, schedule("two", w.Block.Height+99))
		return w.ProposeTx(tb, anna, cancel("three"))
	}},
	{"cancel in the block itself", state.NoUpgrade, func(tb testing.TB, w *statetest.World) *tx.Tx {
		decide(tb, w, schedule("two", w.Block.Height+99))
		w.Block.Height = must(state.GetUpgrades(w.Tree)).Next.Height
		return w.ProposeTx(tb, anna, cancel("two"))
	}},
	{"governor without a proof", state.BadProof, proposal(func(w *statetest.World) tx.Change {
		c := council(w, 1, guest)
		c.SetGovernors.Governors[0].Proof = nil
		return c
	})},
	{"governor with another's proof", state.BadProof, proposal(func(w *statetest.World) tx.Change {
		c := council(w, 1, guest, buyer)
		g := c.SetGovernors.Governors
		g[0].Proof, g[1].Proof = g[1].Proof, g[0].Proof
		return c
	})},
	{"governor of before", state.NoGovernor, func(tb testing.TB, w *statetest.World) *tx.Tx {
		decide(tb, w, council(w, 1, ben, guest))
		return w.ProposeTx(tb, anna, quota(1))
	}},
	{"proposal to governors of before", state.ProposalClosed, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := proposed(tb, w, quota(1))
		decide(tb, w, council(w, 1, ben, guest))
		return w.ApproveTx(tb, ben, id)
	}},
}

// TestUpgrade_Life: scheduled, cancelled, scheduled again under the same name,
// carried out; the rules change with the height alone.
func TestUpgrade_Life(t *testing.T) {
	w := owned(t)
	decide(t, w, schedule("two", w.Block.Height+99))
	decide(t, w, cancel("two"))
	at := w.Block.Height + 99
	decide(t, w, schedule("two", at))
	u := must(state.GetUpgrades(w.Tree))
	if d := cmp.Diff(state.Upgrades{Next: &state.Upgrade{Name: "two", Height: at, Hashes: [][32]byte{{1}, {2}}}, Done: []state.DoneUpgrade{}}, u); d != "" {
		t.Fatal(d)
	}
	if u.Pending(at-1) == nil || u.Pending(at) != nil || u.Rules(at-1) != 1 || u.Rules(at) != 2 || !u.Next.Wants([32]byte{2}) || u.Next.Wants([32]byte{}) {
		t.Error("the height does not decide")
	}
	w.Block.Height = at + 1
	decide(t, w, schedule("three", at+99))
	u = must(state.GetUpgrades(w.Tree))
	if u.Rules(at+98) != 2 || u.Rules(at+99) != 3 || len(u.Done) != 1 || u.Done[0] != (state.DoneUpgrade{Name: "two", Height: at}) {
		t.Errorf("%+v", u)
	}
	decide(t, w, cancel("three"))
	if u = must(state.GetUpgrades(w.Tree)); u.Rules(at+99) != 2 || u.Next != nil {
		t.Errorf("%+v", u)
	}
}

// TestGovernors_Change: the old threshold names the new governors; who stays or
// comes back keeps the number, so that nothing signed before is alive again.
func TestGovernors_Change(t *testing.T) {
	w := owned(t)
	old := w.ProposeTx(t, anna, quota(5))
	w.Do(t, old)
	c := council(w, 2, ben, guest)
	c.SetGovernors.Governors[0].Proof = nil // is known already
	decide(t, w, c)
	gov := must(state.GetGovernance(w.Tree))
	if gov.Threshold != 2 || !slices.Equal(gov.Governors, []key.AccountID{ben.Public().AccountID(), guest.Public().AccountID()}) || len(gov.Open) != 0 {
		t.Fatalf("%+v", gov)
	}
	id := w.ProposeTx(t, guest, council(w, 1, anna, ben))
	w.Do(t, id)
	w.Do(t, w.ApproveTx(t, ben, id.ID(w.Block.Chain))) // who leaves no more may sign the change
	if g := must(state.GetGovernor(w.Tree, anna.Public().AccountID())); g.Sequence == 0 || g.Retired {
		t.Errorf("back again: %+v", g)
	}
	refused(t, w, old, state.BadSequence)
	w.Do(t, w.ProposeTx(t, anna, council(w, 1, guest))) // by itself: the threshold is 1, and it leaves
	refused(t, w, w.ProposeTx(t, anna, quota(1)), state.NoGovernor)
	w.Do(t, w.ProposeTx(t, guest, quota(6)))
	if v := must(state.GetVendor(w.Tree, acme)); v.Quota != 6 {
		t.Errorf("%+v", v)
	}
}
