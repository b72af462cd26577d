package state_test

import (
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var devID = dev.Public().DeviceID()

// lose reports dev lost.
func lose(tb testing.TB, w *statetest.World) { w.Do(tb, w.LostTx(tb, owner, dev)) }

func lost(f builder) builder {
	return func(tb testing.TB, w *statetest.World) *tx.Tx {
		lose(tb, w)
		return f(tb, w)
	}
}

// lifecycleRefusals are those of giving up, losing and finding a device.
var lifecycleRefusals = []refusal{
	{"release of another's device", state.NotOwner, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.ReleaseTx(tb, buyer, dev) }},
	{"release of no device", state.NoDevice, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.ReleaseTx(tb, owner, thief) }},
	{"release of the present epoch", state.StaleEpoch, change(tx.KindRelease, func(p *tx.Release) { p.Epoch = 1 }, asOwner)},
	{"release signed by another", state.WrongSigner, change(tx.KindRelease, func(*tx.Release) {}, asThief)},
	{"released twice", state.NotOwner, func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, w.ReleaseTx(tb, owner, dev))
		return w.ReleaseTx(tb, owner, dev)
	}},
	{"claim of a released device in its old epoch", state.StaleEpoch, func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, w.ReleaseTx(tb, owner, dev))
		return w.Build(tb, buyer.Public().AccountID(), &tx.Claim{Device: devID, Epoch: 2}, asBuyer, statetest.As{Role: tx.RoleDevice, Key: dev})
	}},
	{"grant over a released device", state.NotOwner, func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, w.ReleaseTx(tb, owner, dev))
		return w.GrantTx(tb, owner, guest.Public(), dev, "open")
	}},
	{"another's device lost", state.NotOwner, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.LostTx(tb, buyer, dev) }},
	{"lost in another epoch", state.StaleEpoch, change(tx.KindReportLost, func(p *tx.ReportLost) { p.Epoch = 2 }, asOwner)},
	{"lost twice", state.DeviceLost, lost(func(tb testing.TB, w *statetest.World) *tx.Tx { return w.LostTx(tb, owner, dev) })},
	{"transfer of a lost device", state.DeviceLost, lost(builders[tx.KindTransfer])},
	{"release of a lost device", state.DeviceLost, lost(builders[tx.KindRelease])},
	{"claim of a lost device", state.DeviceLost, func(tb testing.TB, w *statetest.World) *tx.Tx {
		lieDevice(w, func(d *state.Device) { d.Owner, d.Lost = nil, true })
		return w.ClaimTx(tb, buyer, dev)
	}},
	{"found, not lost", state.NotLost, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.FoundTx(tb, owner, dev) }},
	{"found by another", state.NotOwner, lost(func(tb testing.TB, w *statetest.World) *tx.Tx { return w.FoundTx(tb, buyer, dev) })},
	{"found in another epoch", state.StaleEpoch, change(tx.KindReportFound, func(p *tx.ReportFound) { p.Epoch = 2 }, asOwner)},
}

// releaseBy is a release of dev with the given signatures.
func releaseBy(tb testing.TB, w *statetest.World, spoil func(*tx.Release), by ...statetest.As) *tx.Tx {
	p := &tx.Release{Device: devID, Epoch: 2}
	if spoil != nil {
		spoil(p)
	}
	return w.Build(tb, owner.Public().AccountID(), p, by...)
}

// lieRelease puts x where a release should stand.
func lieRelease(w *statetest.World, x *tx.Tx) {
	lieDevice(w, func(d *state.Device) { d.Epoch, d.Owner = 2, nil })
	set(w, state.OwnerChangeKey(devID, 2), x.Bytes())
}

// lifecycleLies are ledgers that show a release; only what the owner signed ends
// an ownership.
var lifecycleLies = []lie{
	{"release signed by the thief", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieRelease(w, releaseBy(tb, w, nil, asThief))
	})},
	{"release in another role", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieRelease(w, releaseBy(tb, w, nil, asOwner, statetest.As{Role: tx.RoleDevice, Key: dev}))
	})},
	{"release of another device", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieRelease(w, releaseBy(tb, w, func(p *tx.Release) { p.Device = spare.Public().DeviceID() }, asOwner))
	})},
	{"release for another epoch", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieRelease(w, releaseBy(tb, w, func(p *tx.Release) { p.Epoch = 3 }, asOwner))
	})},
	{"release by another account", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieRelease(w, w.Build(tb, buyer.Public().AccountID(), &tx.Release{Device: devID, Epoch: 2}, asBuyer))
	})},
	{"released", state.Released, toDevice(func(tb testing.TB, w *statetest.World) { w.Do(tb, w.ReleaseTx(tb, owner, dev)) })},
	{"released by a later key", state.Released, toDevice(func(tb testing.TB, w *statetest.World) {
		w.Do(tb, w.RotateTx(tb, owner, owner, guest))
		w.Do(tb, releaseBy(tb, w, nil, statetest.As{Role: tx.RoleAccount, Key: guest}))
	})},
	{"released, then another's", state.Released, toDevice(func(tb testing.TB, w *statetest.World) {
		w.Do(tb, w.ReleaseTx(tb, owner, dev))
		w.Do(tb, w.ClaimTx(tb, buyer, dev))
		w.Do(tb, w.TransferTx(tb, buyer, owner, dev))
	})},
	{"sold, then released", state.Released, toDevice(func(tb testing.TB, w *statetest.World) {
		w.Do(tb, w.TransferTx(tb, owner, buyer, dev))
		w.Do(tb, w.ReleaseTx(tb, buyer, dev))
	})},
}

// TestLifecycle: a lost and found device goes on as before, and a released one
// begins anew with the next epoch.
func TestLifecycle(t *testing.T) {
	w, own := pinned(t)
	lose(t, w)
	if d := must(state.GetDevice(w.Tree, devID)); !d.Lost || d.Epoch != 1 || *d.Owner != owner.Public().AccountID() {
		t.Fatalf("lost: %+v", d)
	}
	follow(t, w, own)
	w.Do(t, w.GrantTx(t, owner, guest.Public(), dev, "open")) // to find it
	w.Do(t, w.FoundTx(t, owner, dev))
	w.Do(t, w.ReleaseTx(t, owner, dev))
	if d := must(state.GetDevice(w.Tree, devID)); d.Lost || d.Epoch != 2 || d.Owner != nil {
		t.Fatalf("released: %+v", d)
	}
	claim := w.ClaimTx(t, buyer, dev)
	w.Do(t, claim)
	pin := must(state.PinAccount(w.Tree, w.Block.Chain, buyer.Public().AccountID()))
	next := must(state.VerifyClaim(w.Block.Chain, dev.Public(), pin, claim.Bytes()))
	if next = follow(t, w, next); next.Epoch != 3 {
		t.Fatalf("claimed again: %+v", next)
	}
	if _, err := state.FollowOwner(w.Tree, w.Block.Chain, own); !errors.Is(err, state.Released) {
		t.Fatalf("the old ownership: %v", err)
	}
}
