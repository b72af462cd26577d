package state_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// home is where the owner's device is.
const home = "/ip4/192.0.2.7/tcp/27800/p2p/" + statetest.PeerID

// openBy demands so many keys to open.
func openBy(n uint8) tx.MethodPolicy {
	return tx.MethodPolicy{Endpoint: "lock", Method: "open", Class: tx.FreshAccess, Signers: n}
}

var policyRefusals = []refusal{
	{"policy of another's device", state.NotOwner, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.PolicyTx(tb, buyer, dev, openBy(1)) }},
	{"policy of no device", state.NoDevice, change(tx.KindSetPolicy, func(p *tx.SetPolicy) { p.Device = thief.Public().DeviceID() }, asOwner)},
	{"policy for another epoch", state.StaleEpoch, change(tx.KindSetPolicy, func(p *tx.SetPolicy) { p.Epoch = 2 }, asOwner)},
	{"policy signed by another", state.WrongSigner, change(tx.KindSetPolicy, func(*tx.SetPolicy) {}, asThief)},
	{"policy version skipped", state.BadPolicyVersion, change(tx.KindSetPolicy, func(p *tx.SetPolicy) { p.Version = 2 }, asOwner)},
	{"policy version again", state.BadPolicyVersion, func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, w.PolicyTx(tb, owner, dev, openBy(1)))
		return w.Build(tb, owner.Public().AccountID(), &tx.SetPolicy{Device: devID, Epoch: 1, Version: 1}, asOwner)
	}},
	{"policy of a frozen account", state.AccountFrozen, after(frozen, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.PolicyTx(tb, owner, dev) })},
	{"addresses of another's device", state.NotOwner, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.AddressesTx(tb, buyer, dev, home) }},
	{"addresses of no device", state.NoDevice, change(tx.KindSetAddresses, func(p *tx.SetAddresses) { p.Device = thief.Public().DeviceID() }, asOwner)},
	{"addresses for another epoch", state.StaleEpoch, change(tx.KindSetAddresses, func(p *tx.SetAddresses) { p.Epoch = 2 }, asOwner)},
	{"addresses signed by the device", state.WrongSigner, change(tx.KindSetAddresses, func(*tx.SetAddresses) {}, statetest.As{Role: tx.RoleDevice, Key: dev})},
}

// toPolicy shows a lying record of a policy to the device; tell changes world,
// ownership or record.
func toPolicy(tell func(testing.TB, *statetest.World, *state.Ownership, *state.Policy)) func(testing.TB) error {
	return func(tb testing.TB) error {
		w, own := pinned(tb)
		w.Do(tb, w.PolicyTx(tb, owner, dev, openBy(1)))
		r := must(state.GetPolicy(w.Tree, devID))
		tell(tb, w, &own, &r)
		p, err := state.VerifyPolicy(w.Block.Chain, own, r)
		if (p != nil) != (err == nil || errors.Is(err, state.Forged)) {
			tb.Errorf("gives %+v, %v", p, err)
		}
		return err
	}
}

// toCaller shows a lying record of addresses to somebody who wants to call.
func toCaller(tell func(testing.TB, *statetest.World, *state.Ownership, *state.Addresses)) func(testing.TB) error {
	return func(tb testing.TB) error {
		w, own := pinned(tb)
		w.Do(tb, w.AddressesTx(tb, owner, dev, home))
		r := must(state.GetAddresses(w.Tree, devID))
		tell(tb, w, &own, &r)
		_, err := state.VerifyAddresses(w.Block.Chain, own, r)
		return err
	}
}

// policyBy is a policy of dev with the given signatures.
func policyBy(tb testing.TB, w *statetest.World, p tx.SetPolicy, by ...statetest.As) []byte {
	p.Device = devID
	return w.Build(tb, owner.Public().AccountID(), &p, by...).Bytes()
}

var policyLies = []lie{
	{"no policy", state.NoPolicy, func(tb testing.TB) error {
		w, _ := pinned(tb)
		_, err := state.GetPolicy(w.Tree, devID)
		return err
	}},
	{"policy signed by the thief", state.Forged, toPolicy(func(tb testing.TB, w *statetest.World, _ *state.Ownership, r *state.Policy) {
		r.Tx = policyBy(tb, w, tx.SetPolicy{Epoch: 1, Version: 1}, asThief)
	})},
	{"policy signed in another role", state.Forged, toPolicy(func(tb testing.TB, w *statetest.World, _ *state.Ownership, r *state.Policy) {
		r.Tx = policyBy(tb, w, tx.SetPolicy{Epoch: 1, Version: 1}, statetest.As{Role: tx.RoleDevice, Key: dev})
	})},
	{"policy by a key rotated out", state.Forged, toPolicy(func(tb testing.TB, w *statetest.World, own *state.Ownership, _ *state.Policy) {
		w.Do(tb, w.RotateTx(tb, owner, owner, guest))
		*own = follow(tb, w, *own)
	})},
	{"policy of another version than the record says", state.BadPolicy, toPolicy(func(_ testing.TB, _ *statetest.World, _ *state.Ownership, r *state.Policy) { r.Version = 2 })},
	{"policy of another epoch than the record says", state.BadPolicy, toPolicy(func(_ testing.TB, _ *statetest.World, _ *state.Ownership, r *state.Policy) { r.Epoch = 2 })},
	{"policy of another device", state.BadPolicy, toPolicy(func(tb testing.TB, w *statetest.World, _ *state.Ownership, r *state.Policy) {
		r.Tx = w.PolicyTx(tb, buyer, spare).Bytes()
	})},
	{"policy is another transaction", state.BadPolicy, toPolicy(func(tb testing.TB, w *statetest.World, _ *state.Ownership, r *state.Policy) {
		r.Tx = w.LostTx(tb, owner, dev).Bytes()
	})},
	{"policy is noise", state.BadPolicy, toPolicy(func(_ testing.TB, _ *statetest.World, _ *state.Ownership, r *state.Policy) { r.Tx = []byte{0x9f} })},
	{"policy of an epoch before", state.StaleEpoch, toPolicy(func(tb testing.TB, w *statetest.World, own *state.Ownership, _ *state.Policy) {
		w.Do(tb, w.TransferTx(tb, owner, buyer, dev))
		*own = follow(tb, w, *own)
	})},
	{"policy by another account in this epoch", state.StaleEpoch, toPolicy(func(tb testing.TB, w *statetest.World, _ *state.Ownership, r *state.Policy) {
		r.Tx = w.Build(tb, buyer.Public().AccountID(), &tx.SetPolicy{Device: devID, Epoch: 1, Version: 1}, asBuyer).Bytes()
	})},
	{"no addresses", state.NoAddresses, func(tb testing.TB) error {
		w, _ := pinned(tb)
		_, err := state.GetAddresses(w.Tree, devID)
		return err
	}},
	{"addresses signed by the thief", state.Forged, toCaller(func(tb testing.TB, w *statetest.World, _ *state.Ownership, r *state.Addresses) {
		r.Tx = w.Build(tb, owner.Public().AccountID(), &tx.SetAddresses{Device: devID, Epoch: 1}, asThief).Bytes()
	})},
	{"addresses by another account", state.Forged, toCaller(func(tb testing.TB, w *statetest.World, _ *state.Ownership, r *state.Addresses) {
		r.Tx = w.Build(tb, buyer.Public().AccountID(), &tx.SetAddresses{Device: devID, Epoch: 1}, asBuyer).Bytes()
	})},
	{"addresses of another device", state.Forged, toCaller(func(tb testing.TB, w *statetest.World, _ *state.Ownership, r *state.Addresses) {
		r.Tx = w.AddressesTx(tb, buyer, spare, home).Bytes()
	})},
	{"addresses are another transaction", state.Forged, toCaller(func(tb testing.TB, w *statetest.World, _ *state.Ownership, r *state.Addresses) {
		r.Tx = w.LostTx(tb, owner, dev).Bytes()
	})},
	{"addresses are noise", state.Forged, toCaller(func(_ testing.TB, _ *statetest.World, _ *state.Ownership, r *state.Addresses) { r.Tx = []byte{0x9f} })},
	{"addresses of an epoch before", state.StaleEpoch, toCaller(func(tb testing.TB, w *statetest.World, own *state.Ownership, _ *state.Addresses) {
		w.Do(tb, w.TransferTx(tb, owner, buyer, dev))
		*own = follow(tb, w, *own)
	})},
}

// TestPolicy: the owner's word is found by the device, each version after the
// other, through changes of keys that keep the signer, and not in a later epoch.
func TestPolicy(t *testing.T) {
	w, own := pinned(t)
	for version := uint64(1); version <= 3; version++ {
		rules := []tx.MethodPolicy{openBy(uint8(version))}
		w.Do(t, decoded(t, w.PolicyTx(t, owner, dev, rules...)))
		r := must(state.GetPolicy(w.Tree, devID))
		p := must(state.VerifyPolicy(w.Block.Chain, own, r))
		if r.Version != version || p.Version != version || !slices.Equal(p.Rules, rules) || must(state.GetDevice(w.Tree, devID)).Policy != version {
			t.Fatalf("version %d: %+v", version, p)
		}
	}
	w.Do(t, w.RotateTx(t, owner, owner, owner, guest))
	own = follow(t, w, own)
	must(state.VerifyPolicy(w.Block.Chain, own, must(state.GetPolicy(w.Tree, devID))))

	w.Do(t, w.TransferTx(t, owner, buyer, dev))
	if d := must(state.GetDevice(w.Tree, devID)); d.Policy != 0 {
		t.Fatalf("the buyer's device has policy %d", d.Policy)
	}
	own = follow(t, w, own)
	w.Do(t, w.PolicyTx(t, buyer, dev))
	if p := must(state.VerifyPolicy(w.Block.Chain, own, must(state.GetPolicy(w.Tree, devID)))); p.Version != 1 || p.Epoch != 2 {
		t.Fatalf("the buyer's policy is %+v", p)
	}
}

// TestPolicy_Threshold: an account of two keys sets a policy with both.
func TestPolicy_Threshold(t *testing.T) {
	w, own := pinned(t)
	a, b := statetest.Key("a"), statetest.Key("b")
	p := &tx.RotateKeys{Version: 1, Threshold: 2}
	by := []statetest.As{asOwner}
	for _, k := range []*key.Private{a, b} {
		p.Keys = append(p.Keys, tx.AccountKey{Key: k.Public(), Rights: tx.RightAdmin | tx.RightInvoke})
		by = append(by, as(tx.RoleNewKey, k))
	}
	w.Do(t, w.Build(t, owner.Public().AccountID(), p, by...))
	own = follow(t, w, own)
	one := w.Build(t, owner.Public().AccountID(), &tx.SetPolicy{Device: devID, Epoch: 1, Version: 1}, as(tx.RoleAccount, a))
	refused(t, w, one, state.MissingSigner)
	if _, err := state.VerifyPolicy(w.Block.Chain, own, state.Policy{Epoch: 1, Version: 1, Tx: one.Bytes()}); !errors.Is(err, state.Forged) {
		t.Fatalf("one signature of two: %v", err)
	}
	one.Sign(w.Block.Chain, tx.RoleAccount, b)
	w.Do(t, one)
	must(state.VerifyPolicy(w.Block.Chain, own, must(state.GetPolicy(w.Tree, devID))))
}

// TestAddresses: the owner says where a device is, and takes it back.
func TestAddresses(t *testing.T) {
	w, own := pinned(t)
	w.Do(t, decoded(t, w.AddressesTx(t, owner, dev, home)))
	if a := must(state.VerifyAddresses(w.Block.Chain, own, must(state.GetAddresses(w.Tree, devID)))); !slices.Equal(a, []string{home}) {
		t.Fatalf("addresses %v", a)
	}
	frozen(t, w)
	own = follow(t, w, own)
	w.Do(t, w.AddressesTx(t, owner, dev)) // gives nobody a right
	if a := must(state.VerifyAddresses(w.Block.Chain, own, must(state.GetAddresses(w.Tree, devID)))); len(a) != 0 {
		t.Fatalf("addresses %v", a)
	}
}

// TestLifetime_Corrupt: records that do not decode are errors, never zero
// values.
func TestLifetime_Corrupt(t *testing.T) {
	w := owned(t)
	registered(t, w)
	m := w.Member(t, 0, batched...)
	set(w, state.BatchKey(m.Vendor, m.Root), []byte{0x9f})
	set(w, state.PolicyKey(devID), []byte{0x9f})
	set(w, state.AddressesKey(devID), []byte{0x9f})
	_, err1 := state.GetBatch(w.Tree, m.Vendor, m.Root)
	_, err2 := state.GetPolicy(w.Tree, devID)
	_, err3 := state.GetAddresses(w.Tree, devID)
	for _, err := range []error{err1, err2, err3} {
		wantMalformed(t, err)
	}
	refused(t, w, w.MemberTx(t, buyer, batched[0], m), codec.Malformed)
}
