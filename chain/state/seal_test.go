package state_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var opening = statetest.Command("open")

// joint gives owner's account a second and third admin key and one that may only
// invoke; the threshold stays one.
func joint(tb testing.TB, w *statetest.World) {
	p := &tx.RotateKeys{Version: 1, Threshold: 1}
	by := []statetest.As{asOwner}
	for _, k := range []*key.Private{owner, guest, statetest.Key("third")} {
		p.Keys = append(p.Keys, tx.AccountKey{Key: k.Public(), Rights: tx.RightAdmin})
		if k != owner {
			by = append(by, as(tx.RoleNewKey, k))
		}
	}
	p.Keys = append(p.Keys, tx.AccountKey{Key: spare.Public(), Rights: tx.RightInvoke})
	by = append(by, as(tx.RoleNewKey, spare))
	w.Do(tb, w.Build(tb, owner.Public().AccountID(), p, by...))
}

// opened is a seal that needs two approvals and has one.
func opened(tb testing.TB, w *statetest.World) {
	joint(tb, w)
	w.Do(tb, w.OpenSealTx(tb, owner, dev, opening, 2, owner))
}

func sealed(tb testing.TB, w *statetest.World) {
	opened(tb, w)
	w.Do(tb, w.ApproveSealTx(tb, owner, dev, opening, guest))
}

// openSeal is a spoiled opening of a seal by owner.
func openSeal(spoil func(*tx.OpenSeal), by ...statetest.As) builder {
	return func(tb testing.TB, w *statetest.World) *tx.Tx {
		p := w.OpenSealTx(tb, owner, dev, opening, 1).Payload.(*tx.OpenSeal)
		spoil(p)
		return w.Build(tb, owner.Public().AccountID(), p, by...)
	}
}

// approveSeal is an approval of owner's account, signed by the given keys.
func approveSeal(by ...*key.Private) builder {
	return func(tb testing.TB, w *statetest.World) *tx.Tx { return w.ApproveSealTx(tb, owner, dev, opening, by...) }
}

func anchor(to uint64) builder {
	return func(tb testing.TB, w *statetest.World) *tx.Tx { return w.AnchorTx(tb, owner, dev, to) }
}

// anchorOf is a spoiled anchor of the receipts from 1 to 5.
func anchorOf(spoil func(*tx.AnchorReceipts), by ...statetest.As) builder {
	return func(tb testing.TB, w *statetest.World) *tx.Tx {
		p := w.AnchorTx(tb, owner, dev, 5).Payload.(*tx.AnchorReceipts)
		spoil(p)
		return w.Build(tb, owner.Public().AccountID(), p, by...)
	}
}

var (
	byOwner  = as(tx.RoleApprover, owner)
	byDevice = as(tx.RoleDevice, dev)
	same     = func(*tx.OpenSeal) {}
)

var sealRefusals = []refusal{
	{"seal for another's device", state.NotOwner, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.OpenSealTx(tb, buyer, dev, opening, 1, buyer) }},
	{"seal for no device", state.NoDevice, openSeal(func(p *tx.OpenSeal) { p.Device = thief.Public().DeviceID() }, byOwner)},
	{"seal in another epoch", state.StaleEpoch, openSeal(func(p *tx.OpenSeal) { p.Epoch = 2 }, byOwner)},
	{"seal that ends now", state.SealExpired, openSeal(func(p *tx.OpenSeal) { p.Until = blockTime }, byOwner)},
	{"seal open a second too long", state.SealTooLong, openSeal(func(p *tx.OpenSeal) { p.Until = blockTime + state.MaxSealLife + 1 }, byOwner)},
	{"seal that needs more keys than there are", state.TooFewKeys, openSeal(func(p *tx.OpenSeal) { p.Needed = 2 }, byOwner)},
	{"seal that needs an invoker's key", state.TooFewKeys, after(joint, openSeal(func(p *tx.OpenSeal) { p.Needed = 4 }, byOwner))},
	{"seal opened by a stranger", state.WrongSigner, openSeal(same, as(tx.RoleApprover, thief))},
	{"seal opened by an invoker", state.WrongSigner, after(joint, openSeal(same, as(tx.RoleApprover, spare)))},
	{"seal opened by owner and a stranger", state.WrongSigner, openSeal(same, byOwner, as(tx.RoleApprover, thief))},
	{"seal opened as account", state.WrongSigner, openSeal(same, asOwner)},
	{"seal opened by nobody", state.MissingSigner, openSeal(same)},
	{"seal of a frozen account", state.AccountFrozen, after(frozen, openSeal(same, byOwner))},
	{"seal opened twice", state.SealExists, after(opened, openSeal(same, byOwner))},
	{"seal opened again after its end", state.SealExists, func(tb testing.TB, w *statetest.World) *tx.Tx {
		opened(tb, w)
		w.Block.Time += 3600
		return openSeal(same, byOwner)(tb, w)
	}},
	{"approval of nothing", state.NoSeal, approveSeal(owner)},
	{"approval of another command", state.NoSeal, after(opened, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.ApproveSealTx(tb, owner, dev, statetest.Command("other"), guest)
	})},
	{"approval by who opened it", state.AlreadyApproved, after(opened, approveSeal(owner))},
	{"approval by an invoker", state.WrongSigner, after(opened, approveSeal(spare))},
	{"approval by a stranger", state.WrongSigner, after(opened, approveSeal(thief))},
	{"approval by another account", state.NotOwner, after(opened, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.ApproveSealTx(tb, buyer, dev, opening, buyer)
	})},
	{"approval of what is sealed", state.SealClosed, after(sealed, approveSeal(statetest.Key("third")))},
	{"approval too late", state.SealExpired, func(tb testing.TB, w *statetest.World) *tx.Tx {
		opened(tb, w)
		w.Block.Time = int64(must(state.GetSeal(w.Tree, devID, opening)).Until)
		return approveSeal(guest)(tb, w)
	}},
	{"approval in another epoch", state.StaleEpoch, after(opened, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, owner.Public().AccountID(), &tx.ApproveSeal{Device: devID, Epoch: 2, Command: opening}, as(tx.RoleApprover, guest))
	})},
	{"approval by a frozen account", state.AccountFrozen, func(tb testing.TB, w *statetest.World) *tx.Tx {
		opened(tb, w)
		w.Do(tb, w.FreezeTx(tb, owner, owner))
		return approveSeal(guest)(tb, w)
	}},
	{"more approvals than a record holds", state.SealClosed, func(tb testing.TB, w *statetest.World) *tx.Tx {
		opened(tb, w)
		r := must(state.GetSeal(w.Tree, devID, opening))
		for len(r.Txs) < tx.MaxKeys {
			r.Txs = append(r.Txs, r.Txs[0])
		}
		w.Put(state.SealKey(devID, opening), r)
		return approveSeal(guest)(tb, w)
	}},

	{"anchor of another's device", state.NotOwner, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.AnchorTx(tb, buyer, dev, 5) }},
	{"anchor of no device", state.NoDevice, anchorOf(func(p *tx.AnchorReceipts) { p.Device = thief.Public().DeviceID() }, asOwner, byDevice)},
	{"anchor in another epoch", state.StaleEpoch, anchorOf(func(p *tx.AnchorReceipts) { p.Epoch = 2 }, asOwner, byDevice)},
	{"anchor with a gap", state.BadCounter, anchorOf(func(p *tx.AnchorReceipts) { p.From = 2 }, asOwner, byDevice)},
	{"anchor of what is anchored", state.BadCounter, after(func(tb testing.TB, w *statetest.World) { w.Do(tb, anchor(5)(tb, w)) },
		func(tb testing.TB, w *statetest.World) *tx.Tx {
			p := &tx.AnchorReceipts{Device: devID, Epoch: 1, From: 5, To: 6, Head: [32]byte{1}}
			return w.Build(tb, owner.Public().AccountID(), p, asOwner, byDevice)
		})},
	{"anchor without the device", state.MissingSigner, anchorOf(func(*tx.AnchorReceipts) {}, asOwner)},
	{"anchor without the owner", state.MissingSigner, anchorOf(func(*tx.AnchorReceipts) {}, byDevice)},
	{"anchor by another device", state.WrongSigner, anchorOf(func(*tx.AnchorReceipts) {}, asOwner, as(tx.RoleDevice, spare))},
}

// lieSeal shows a seal to the device; the honest one needs two approvals and has
// them.
func lieSeal(needed int, spoil func(testing.TB, *statetest.World, *state.Seal)) func(testing.TB) error {
	return func(tb testing.TB) error {
		w, own := pinned(tb)
		sealed(tb, w)
		r := must(state.GetSeal(w.Tree, devID, opening))
		spoil(tb, w, &r)
		return state.VerifySeal(w.Block.Chain, follow(tb, w, own), opening, needed, r)
	}
}

// keeps puts transactions of the owner's into the record of a seal.
func keeps(makers ...builder) func(testing.TB, *statetest.World, *state.Seal) {
	return func(tb testing.TB, w *statetest.World, r *state.Seal) {
		r.Txs = nil
		for _, f := range makers {
			r.Txs = append(r.Txs, f(tb, w).Bytes())
		}
	}
}

func two(p *tx.OpenSeal) { p.Needed = 2 }

// sealLies are ledgers that show a command as sealed which the owners did not
// approve, and receipts that the device did not anchor.
var sealLies = []lie{
	{"seal that is open", state.NotSealed, lieSeal(1, func(_ testing.TB, _ *statetest.World, r *state.Seal) { r.Status = state.SealOpen })},
	{"seal with nothing behind it", state.Forged, lieSeal(1, func(_ testing.TB, _ *statetest.World, r *state.Seal) { r.Txs = nil })},
	{"seal with too much behind it", state.Forged, lieSeal(1, func(_ testing.TB, _ *statetest.World, r *state.Seal) {
		for len(r.Txs) <= tx.MaxKeys {
			r.Txs = append(r.Txs, r.Txs[1])
		}
	})},
	{"seal with noise behind it", state.Forged, lieSeal(1, func(_ testing.TB, _ *statetest.World, r *state.Seal) { r.Txs[1] = []byte{1} })},
	{"seal with one approval of two", state.Forged, lieSeal(1, func(_ testing.TB, _ *statetest.World, r *state.Seal) { r.Txs, r.Needed = r.Txs[:1], 1 })},
	{"seal with the same approval twice", state.Forged, lieSeal(1, keeps(openSeal(two, byOwner), approveSeal(owner)))},
	{"seal with fewer approvals than the policy", state.Forged, lieSeal(3, func(testing.TB, *statetest.World, *state.Seal) {})},
	{"seal approved by a stranger", state.Forged, lieSeal(1, keeps(openSeal(two, byOwner), approveSeal(thief)))},
	{"seal approved by an invoker", state.Forged, lieSeal(1, keeps(openSeal(two, byOwner), approveSeal(spare)))},
	{"seal opened in another role", state.Forged, lieSeal(1, keeps(openSeal(same, asOwner)))},
	{"seal with a broken signature", state.Forged, lieSeal(1, keeps(func(tb testing.TB, w *statetest.World) *tx.Tx {
		x := openSeal(same, byOwner)(tb, w)
		x.Sigs[0].Bytes[40] ^= 1
		return x
	}))},
	{"seal of another command", state.Forged, lieSeal(1, keeps(openSeal(func(p *tx.OpenSeal) { p.Command = tx.ID{1} }, byOwner)))},
	{"seal of another device", state.Forged, lieSeal(1, keeps(openSeal(func(p *tx.OpenSeal) { p.Device = spare.Public().DeviceID() }, byOwner)))},
	{"seal of another epoch", state.Forged, lieSeal(1, keeps(openSeal(func(p *tx.OpenSeal) { p.Epoch = 2 }, byOwner)))},
	{"seal of another account", state.Forged, lieSeal(1, keeps(func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.OpenSealTx(tb, buyer, dev, opening, 1, buyer)
	}))},
	{"seal that nobody opened", state.Forged, lieSeal(1, keeps(approveSeal(owner), approveSeal(guest)))},
	{"seal opened twice over", state.Forged, lieSeal(1, keeps(openSeal(two, byOwner), openSeal(same, as(tx.RoleApprover, guest))))},
	{"a grant for a seal", state.Forged, lieSeal(1, keeps(builders[tx.KindCreateGrant]))},

	{"no anchor", state.NoAnchor, func(tb testing.TB) error {
		_, err := state.GetAnchor(owned(tb).Tree, devID)
		return err
	}},
	{"anchor of another head", state.Forged, lieAnchor(func(_ testing.TB, _ *statetest.World, r *state.Anchor) { r.Head[0] ^= 1 })},
	{"anchor of another counter", state.Forged, lieAnchor(func(_ testing.TB, _ *statetest.World, r *state.Anchor) { r.Counter++ })},
	{"anchor that is noise", state.Forged, lieAnchor(func(_ testing.TB, _ *statetest.World, r *state.Anchor) { r.Tx = nil })},
	{"anchor without the device's signature", state.Forged, lieAnchor(func(tb testing.TB, w *statetest.World, r *state.Anchor) {
		x := must(tx.Decode(r.Tx))
		x.Sigs = x.Sigs[:1]
		r.Tx = x.Bytes()
	})},
	{"anchor signed by another device", state.Forged, lieAnchor(func(tb testing.TB, w *statetest.World, r *state.Anchor) {
		x := must(tx.Decode(r.Tx))
		x.Sigs = x.Sigs[:1]
		x.Sign(w.Block.Chain, tx.RoleDevice, spare)
		r.Tx = x.Bytes()
	})},
}

func lieAnchor(spoil func(testing.TB, *statetest.World, *state.Anchor)) func(testing.TB) error {
	return func(tb testing.TB) error {
		w := owned(tb)
		w.Do(tb, anchor(5)(tb, w))
		r := must(state.GetAnchor(w.Tree, devID))
		spoil(tb, w, &r)
		_, err := state.VerifyAnchor(w.Block.Chain, dev.Public(), r)
		return err
	}
}

// TestSeal: two of three owners seal a command, and the device believes their
// signatures; a key that leaves the account takes its approval with it.
func TestSeal(t *testing.T) {
	w, own := pinned(t)
	opened(t, w)
	r := must(state.GetSeal(w.Tree, devID, opening))
	if r.Status != state.SealOpen || len(r.Keys) != 1 || r.Height != 0 {
		t.Fatalf("opened: %+v", r)
	}
	height := w.Block.Height
	w.Do(t, approveSeal(guest)(t, w))
	r = must(state.GetSeal(w.Tree, devID, opening))
	if r.Status != state.Sealed || len(r.Keys) != 2 || r.Height != height {
		t.Fatalf("sealed: %+v", r)
	}
	for needed := range 3 {
		if err := state.VerifySeal(w.Block.Chain, follow(t, w, own), opening, needed, r); err != nil {
			t.Fatalf("the device refuses it: %v", err)
		}
	}
	// Guest's key leaves.
	w.Do(t, w.RotateTx(t, owner, owner, owner, statetest.Key("third")))
	if err := state.VerifySeal(w.Block.Chain, follow(t, w, own), opening, 1, r); !errors.Is(err, state.Forged) {
		t.Fatalf("an approval by a key that has left: %v", err)
	}
}

// TestSeal_AtOnce: one owner, or several who sign one transaction, seal at once.
func TestSeal_AtOnce(t *testing.T) {
	w, own := pinned(t)
	w.Do(t, w.OpenSealTx(t, owner, dev, opening, 1, owner))
	joint(t, w)
	both := statetest.Command("both")
	w.Do(t, w.OpenSealTx(t, owner, dev, both, 3, owner, guest, statetest.Key("third")))
	for id, needed := range map[tx.ID]int{opening: 1, both: 3} {
		r := must(state.GetSeal(w.Tree, devID, id))
		if r.Status != state.Sealed || state.VerifySeal(w.Block.Chain, follow(t, w, own), id, needed, r) != nil {
			t.Errorf("%+v", r)
		}
	}
}

// TestSeal_KeyLeaves: an approval by a key that left before the seal does not
// count, and other keys can make up for it.
func TestSeal_KeyLeaves(t *testing.T) {
	w, own := pinned(t)
	joint(t, w)
	w.Do(t, w.OpenSealTx(t, owner, dev, opening, 2, guest))
	w.Do(t, w.RotateTx(t, owner, owner, owner, statetest.Key("third")))
	w.Do(t, approveSeal(owner)(t, w))
	if r := must(state.GetSeal(w.Tree, devID, opening)); r.Status != state.SealOpen {
		t.Fatalf("sealed by a key that has left: %+v", r)
	}
	w.Do(t, approveSeal(statetest.Key("third"))(t, w))
	r := must(state.GetSeal(w.Tree, devID, opening))
	if err := state.VerifySeal(w.Block.Chain, follow(t, w, own), opening, 2, r); err != nil || r.Status != state.Sealed {
		t.Fatalf("%+v: %v", r, err)
	}
}

// TestSeal_Fits: sixteen keys that sign each other's approvals fit the record.
func TestSeal_Fits(t *testing.T) {
	w := owned(t)
	p := &tx.RotateKeys{Version: 1, Threshold: 1}
	by := []statetest.As{asOwner}
	var keys []*key.Private
	for i := range tx.MaxKeys {
		k := statetest.Key(fmt.Sprint("joint ", i))
		keys = append(keys, k)
		p.Keys = append(p.Keys, tx.AccountKey{Key: k.Public(), Rights: tx.RightAdmin})
		by = append(by, as(tx.RoleNewKey, k))
	}
	w.Do(t, w.Build(t, owner.Public().AccountID(), p, by...))
	w.Do(t, w.OpenSealTx(t, owner, dev, opening, tx.MaxKeys, keys[0]))
	for _, k := range keys[1:] {
		w.Do(t, w.ApproveSealTx(t, owner, dev, opening, k))
	}
	if r := must(state.GetSeal(w.Tree, devID, opening)); r.Status != state.Sealed || len(r.Txs) != tx.MaxKeys {
		t.Fatalf("%+v", r)
	}
}

// TestAnchor: the chain of a device's receipts is on the ledger without a gap,
// and goes on under its next owner.
func TestAnchor(t *testing.T) {
	w := owned(t)
	for _, to := range []uint64{256, 257, 600} {
		w.Do(t, anchor(to)(t, w))
	}
	w.Do(t, w.TransferTx(t, owner, buyer, dev))
	refused(t, w, anchor(700)(t, w), state.NotOwner)
	w.Do(t, w.AnchorTx(t, buyer, dev, 700))
	r := must(state.GetAnchor(w.Tree, devID))
	for counter := r.Counter; counter > 0; {
		p, err := state.VerifyAnchor(w.Block.Chain, dev.Public(), must(state.GetAnchorAt(w.Tree, devID, counter)))
		if err != nil || p.To != counter {
			t.Fatalf("anchor %d: %+v, %v", counter, p, err)
		}
		counter = p.From - 1
	}
	if _, err := state.GetAnchorAt(w.Tree, devID, 601); !errors.Is(err, state.NoAnchor) {
		t.Fatalf("an anchor that is not there: %v", err)
	}
}
