package state_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// pinned gives an honest world and what its device knows right after the
// claim.
func pinned(tb testing.TB) (*statetest.World, state.Ownership) {
	tb.Helper()
	w := owned(tb)
	raw, err := state.GetOwnerChange(w.Tree, dev.Public().DeviceID(), 1)
	if err != nil {
		tb.Fatal(err)
	}
	pin, err := state.PinAccount(w.Tree, w.Block.Chain, owner.Public().AccountID())
	if err != nil {
		tb.Fatal(err)
	}
	own, err := state.VerifyClaim(w.Block.Chain, dev.Public(), pin, raw)
	if err != nil {
		tb.Fatal(err)
	}
	if own.Epoch != 1 || own.Device != dev.Public().DeviceID() || own.Owner.Account != owner.Public().AccountID() {
		tb.Fatalf("claim gives %+v", own)
	}
	return w, own
}

func follow(tb testing.TB, w *statetest.World, own state.Ownership) state.Ownership {
	tb.Helper()
	next, err := state.FollowOwner(w.Tree, w.Block.Chain, own)
	if err != nil {
		tb.Fatalf("honest ledger refused: %v", err)
	}
	return next
}

// must takes a record out of its error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// lie rewrites a record past all rules, as validators who act together can.
func lieDevice(w *statetest.World, change func(*state.Device)) {
	d := must(state.GetDevice(w.Tree, dev.Public().DeviceID()))
	change(&d)
	w.Put(state.DeviceKey(dev.Public().DeviceID()), d)
}

func lieAccount(w *statetest.World, change func(*state.Account)) {
	a := must(state.GetAccount(w.Tree, owner.Public().AccountID()))
	change(&a)
	w.Put(state.AccountKey(owner.Public().AccountID()), a)
}

// lieTransfer puts a transaction where a transfer to the thief should stand.
func lieTransfer(w *statetest.World, x *tx.Tx) {
	lieDevice(w, func(d *state.Device) {
		to := thief.Public().AccountID()
		d.Epoch, d.Owner = 2, &to
	})
	root := thief.Public()
	w.Put(state.AccountKey(root.AccountID()), state.Account{Root: root, KeySet: state.RootKeySet(root)})
	set(w, state.OwnerChangeKey(dev.Public().DeviceID(), 2), x.Bytes())
}

// lieRotation gives the account keys of the thief, with x as the reason.
func lieRotation(w *statetest.World, raw []byte) {
	lieAccount(w, func(a *state.Account) {
		a.KeySet = state.RootKeySet(thief.Public())
		a.KeySet.Version = 1
	})
	if raw != nil {
		set(w, state.KeyChangeKey(owner.Public().AccountID(), 1), raw)
	}
}

func set(w *statetest.World, k, v []byte) { must(0, w.Tree.Set(k, v)) }

// transferBy is a transfer of dev to the thief with the given signatures.
func transferBy(tb testing.TB, w *statetest.World, spoil func(*tx.Transfer), by ...statetest.As) *tx.Tx {
	root := thief.Public()
	p := &tx.Transfer{Device: dev.Public().DeviceID(), Epoch: 2, To: root.AccountID(), Root: &root}
	if spoil != nil {
		spoil(p)
	}
	return w.Build(tb, owner.Public().AccountID(), p, by...)
}

func rotationBy(tb testing.TB, w *statetest.World, version uint64, by ...statetest.As) []byte {
	p := &tx.RotateKeys{Version: version, Threshold: 1, Keys: []tx.AccountKey{{Key: thief.Public(), Rights: tx.RightAdmin | tx.RightInvoke}}}
	return w.Build(tb, owner.Public().AccountID(), p, by...).Bytes()
}

var newThief = statetest.As{Role: tx.RoleNewKey, Key: thief}

// A lie is something that a ledger shows and a verifier refuses.
type lie struct {
	name string
	want error
	run  func(testing.TB) error
}

// toDevice shows a lying ledger to the device.
func toDevice(tell func(testing.TB, *statetest.World)) func(testing.TB) error {
	return func(tb testing.TB) error {
		w, own := pinned(tb)
		tell(tb, w)
		got, err := state.FollowOwner(w.Tree, w.Block.Chain, own)
		if err != nil && cmp.Diff(got, own) != "" {
			tb.Error("refused, but the ownership has moved")
		}
		return err
	}
}

var lies = []lie{
	{"owner changed, epoch kept", state.Forged, toDevice(func(_ testing.TB, w *statetest.World) {
		lieDevice(w, func(d *state.Device) { to := buyer.Public().AccountID(); d.Owner = &to })
	})},
	{"owner taken away", state.Forged, toDevice(func(_ testing.TB, w *statetest.World) {
		lieDevice(w, func(d *state.Device) { d.Owner = nil })
	})},
	{"owner changed, nothing behind it", state.Forged, toDevice(func(_ testing.TB, w *statetest.World) {
		lieDevice(w, func(d *state.Device) { to := buyer.Public().AccountID(); d.Epoch, d.Owner = 2, &to })
	})},
	{"epoch only", state.Forged, toDevice(func(_ testing.TB, w *statetest.World) {
		lieDevice(w, func(d *state.Device) { d.Epoch = 2 })
	})},
	{"epoch rolled back", state.Forged, toDevice(func(_ testing.TB, w *statetest.World) {
		lieDevice(w, func(d *state.Device) { d.Epoch = 0 })
	})},
	{"epoch far ahead", state.Forged, toDevice(func(_ testing.TB, w *statetest.World) {
		lieDevice(w, func(d *state.Device) { d.Epoch = 2 + state.MaxFollow })
	})},
	{"another device key", state.Forged, toDevice(func(_ testing.TB, w *statetest.World) {
		lieDevice(w, func(d *state.Device) { d.Key = thief.Public() })
	})},
	{"device gone", state.NoDevice, toDevice(func(_ testing.TB, w *statetest.World) {
		w.Tree.Delete(state.DeviceKey(dev.Public().DeviceID()))
	})},
	{"owner's account gone", state.NoAccount, toDevice(func(_ testing.TB, w *statetest.World) {
		w.Tree.Delete(state.AccountKey(owner.Public().AccountID()))
	})},
	{"transfer signed by the thief alone", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieTransfer(w, transferBy(tb, w, nil, toThief))
	})},
	{"transfer signed by the thief in both roles", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieTransfer(w, transferBy(tb, w, nil, asThief, toThief))
	})},
	{"transfer signed by the owner alone", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieTransfer(w, transferBy(tb, w, nil, asOwner))
	})},
	{"transfer with a needless signature", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieTransfer(w, transferBy(tb, w, nil, asOwner, toThief, statetest.As{Role: tx.RoleDevice, Key: dev}))
	})},
	{"transfer with a second account signature", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieTransfer(w, transferBy(tb, w, nil, asOwner, asThief, toThief))
	})},
	{"transfer of another device", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieTransfer(w, transferBy(tb, w, func(p *tx.Transfer) { p.Device = spare.Public().DeviceID() }, asOwner, toThief))
	})},
	{"transfer for another epoch", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieTransfer(w, transferBy(tb, w, func(p *tx.Transfer) { p.Epoch = 3 }, asOwner, toThief))
	})},
	{"transfer to somebody else", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		root := buyer.Public()
		lieTransfer(w, transferBy(tb, w, func(p *tx.Transfer) { p.To, p.Root = root.AccountID(), &root }, asOwner, toBuyer))
	})},
	{"transfer by another account", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		x := transferBy(tb, w, nil)
		x = w.Build(tb, buyer.Public().AccountID(), x.Payload, asBuyer, toThief)
		lieTransfer(w, x)
	})},
	{"transfer of another ledger", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		other := *w
		other.Block.Chain[0] ^= 1
		lieTransfer(w, transferBy(tb, &other, nil, asOwner, toThief))
	})},
	{"a claim in place of a transfer", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		root := thief.Public()
		lieTransfer(w, w.Build(tb, root.AccountID(), &tx.Claim{Device: dev.Public().DeviceID(), Epoch: 2, Root: &root}, asThief))
	})},
	{"noise in place of a transfer", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieTransfer(w, transferBy(tb, w, nil, asOwner, toThief))
		set(w, state.OwnerChangeKey(dev.Public().DeviceID(), 2), []byte{0x9f})
	})},
	{"new owner's root swapped", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieTransfer(w, transferBy(tb, w, nil, asOwner, toThief))
		w.Put(state.AccountKey(thief.Public().AccountID()), state.Account{Root: buyer.Public(), KeySet: state.RootKeySet(buyer.Public())})
	})},
	{"new owner's account gone", state.NoAccount, toDevice(func(tb testing.TB, w *statetest.World) {
		lieTransfer(w, transferBy(tb, w, nil, asOwner, toThief))
		w.Tree.Delete(state.AccountKey(thief.Public().AccountID()))
	})},
	{"transfer by a key rotated out before the pin", state.Forged, func(tb testing.TB) error {
		w, own := pinned(tb)
		w.Do(tb, w.RotateTx(tb, owner, owner, guest))
		own = follow(tb, w, own)
		lieTransfer(w, transferBy(tb, w, nil, asOwner, toThief))
		_, err := state.FollowOwner(w.Tree, w.Block.Chain, own)
		return err
	}},
	{"transfer after a forged key change", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieRotation(w, rotationBy(tb, w, 1, asThief, newThief))
		lieTransfer(w, transferBy(tb, w, nil, asThief, toThief))
	})},
	{"keys swapped, version kept", state.Forged, toDevice(func(_ testing.TB, w *statetest.World) {
		lieAccount(w, func(a *state.Account) { a.KeySet = state.RootKeySet(thief.Public()) })
	})},
	{"a key added, version kept", state.Forged, toDevice(func(_ testing.TB, w *statetest.World) {
		lieAccount(w, func(a *state.Account) {
			a.KeySet.Keys = append(a.KeySet.Keys, tx.AccountKey{Key: thief.Public(), Rights: tx.RightInvoke})
		})
	})},
	{"threshold lowered, version kept", state.Forged, toDevice(func(_ testing.TB, w *statetest.World) {
		lieAccount(w, func(a *state.Account) { a.KeySet.Threshold = 0 })
	})},
	{"keys swapped, nothing behind it", state.NoChange, toDevice(func(_ testing.TB, w *statetest.World) {
		lieRotation(w, nil)
	})},
	{"key change signed by the thief", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieRotation(w, rotationBy(tb, w, 1, asThief, newThief))
	})},
	{"key change signed by the new key alone", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieRotation(w, rotationBy(tb, w, 1, newThief))
	})},
	{"key change without the new key's proof", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieRotation(w, rotationBy(tb, w, 1, asOwner))
	})},
	{"key change of another version", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieRotation(w, rotationBy(tb, w, 2, asOwner, newThief))
	})},
	{"another transaction in place of a key change", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieRotation(w, w.Build(tb, owner.Public().AccountID(), &tx.RevokeGrant{Grant: tx.ID{1}}, asOwner).Bytes())
	})},
	{"another account's key change", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieRotation(w, w.RotateTx(tb, buyer, buyer, thief).Bytes())
	})},
	{"noise in place of a key change", state.Forged, toDevice(func(_ testing.TB, w *statetest.World) {
		lieRotation(w, []byte{1, 2, 3})
	})},
	{"key change gives other keys than the record", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		lieRotation(w, w.RotateTx(tb, owner, owner, guest).Bytes())
	})},
	{"endless key changes", state.Forged, toDevice(func(_ testing.TB, w *statetest.World) {
		lieAccount(w, func(a *state.Account) { a.KeySet.Version = state.MaxFollow + 1 })
	})},
	{"key version rolled back", state.Forged, func(tb testing.TB) error {
		w, own := pinned(tb)
		old := w.Clone()
		w.Do(tb, w.RotateTx(tb, owner, owner, guest))
		own = follow(tb, w, own)
		_, err := state.FollowOwner(old.Tree, w.Block.Chain, own)
		return err
	}},
	{"account root swapped", state.Forged, func(tb testing.TB) error {
		w, _ := pinned(tb)
		lieAccount(w, func(a *state.Account) { a.Root, a.KeySet = thief.Public(), state.RootKeySet(thief.Public()) })
		_, err := state.PinAccount(w.Tree, w.Block.Chain, owner.Public().AccountID())
		return err
	}},
	{"account unknown", state.NoAccount, func(tb testing.TB) error {
		w, _ := pinned(tb)
		_, err := state.PinAccount(w.Tree, w.Block.Chain, thief.Public().AccountID())
		return err
	}},
	{"claim of another device", state.Forged, toClaimant(spare, owner, nil)},
	{"claim by another owner", state.Forged, toClaimant(dev, thief, nil)},
	{"claim the device did not sign", state.MissingSigner, toClaimant(dev, owner, func(x *tx.Tx) { x.Sigs = x.Sigs[:1] })},
	{"claim the owner did not sign", state.MissingSigner, toClaimant(dev, owner, func(x *tx.Tx) { x.Sigs = x.Sigs[1:] })},
	{"claim with a bad signature", key.BadSignature, toClaimant(dev, owner, func(x *tx.Tx) { x.Sigs[0].Bytes, x.Sigs[1].Bytes = x.Sigs[1].Bytes, x.Sigs[0].Bytes })},
	{"claim with a needless signature", state.WrongSigner, toClaimant(dev, owner, func(x *tx.Tx) {
		x.AddSig(tx.Sig{Role: tx.RoleNewKey, Key: dev.Public().ID(), Bytes: x.Sigs[0].Bytes})
	})},
	{"claim that is no transaction", codec.Malformed, func(testing.TB) error {
		_, err := state.VerifyClaim(codec.ChainDigest{}, dev.Public(), state.NewPin(owner.Public()), []byte{0x9f})
		return err
	}},
	{"claim that is a grant", state.Forged, func(tb testing.TB) error {
		w, own := pinned(tb)
		_, err := state.VerifyClaim(w.Block.Chain, dev.Public(), own.Owner, w.GrantTx(tb, owner, guest.Public(), dev, "open").Bytes())
		return err
	}},
	{"claim under an unset pin", state.MissingSigner, func(tb testing.TB) error {
		w, _ := pinned(tb)
		x := must(tx.Decode(must(state.GetOwnerChange(w.Tree, dev.Public().DeviceID(), 1))))
		x.Sigs = x.Sigs[1:]
		_, err := state.VerifyClaim(w.Block.Chain, dev.Public(), state.Pin{Account: owner.Public().AccountID()}, x.Bytes())
		return err
	}},
	{"grant revoked", state.GrantRevoked, toGate(func(_ testing.TB, _ *statetest.World, g *state.Grant) { g.Status = state.Revoked })},
	{"grant without status", state.GrantRevoked, toGate(func(_ testing.TB, _ *statetest.World, g *state.Grant) { g.Status = 0 })},
	{"grant of unknown status", state.GrantRevoked, toGate(func(_ testing.TB, _ *statetest.World, g *state.Grant) { g.Status = 3 })},
	{"record names another issuer", state.NotIssuer, toGate(func(_ testing.TB, _ *statetest.World, g *state.Grant) { g.Issuer = thief.Public().AccountID() })},
	{"grant swapped", state.Forged, toGate(func(tb testing.TB, w *statetest.World, g *state.Grant) {
		g.Tx = w.GrantTx(tb, owner, thief.Public(), dev, "open").Bytes()
	})},
	{"grant is noise", state.Forged, toGate(func(_ testing.TB, _ *statetest.World, g *state.Grant) { g.Tx = []byte{0} })},
	{"grant is missing", state.Forged, toGate(func(_ testing.TB, _ *statetest.World, g *state.Grant) { g.Tx = nil })},
	{"grant with a bad signature", state.Forged, toGate(func(_ testing.TB, w *statetest.World, g *state.Grant) {
		x := must(tx.Decode(g.Tx))
		x.AddSig(tx.Sig{Role: tx.RoleAccount, Key: owner.Public().ID(), Bytes: thief.Sign(x.Digest(w.Block.Chain))})
		g.Tx = x.Bytes()
	})},
	{"grant signed by the thief as issuer", state.Forged, func(tb testing.TB) error {
		w, own := pinned(tb)
		x := w.GrantTx(tb, owner, thief.Public(), dev, "open")
		x.Sigs = nil
		x.Sign(w.Block.Chain, tx.RoleAccount, thief)
		_, err := state.VerifyGrant(w.Block.Chain, own.Owner, x.ID(w.Block.Chain), state.Grant{Issuer: own.Owner.Account, Status: state.Active, Tx: x.Bytes()})
		return err
	}},
	{"grant by another account", state.NotIssuer, func(tb testing.TB) error {
		w, own := pinned(tb)
		x := w.GrantTx(tb, buyer, thief.Public(), dev, "open")
		_, err := state.VerifyGrant(w.Block.Chain, own.Owner, x.ID(w.Block.Chain), state.Grant{Issuer: own.Owner.Account, Status: state.Active, Tx: x.Bytes()})
		return err
	}},
	{"a key change in place of a grant", state.Forged, func(tb testing.TB) error {
		w, own := pinned(tb)
		x := w.RotateTx(tb, owner, owner, guest)
		_, err := state.VerifyGrant(w.Block.Chain, own.Owner, x.ID(w.Block.Chain), state.Grant{Issuer: own.Owner.Account, Status: state.Active, Tx: x.Bytes()})
		return err
	}},
	{"grant of another ledger", state.Forged, func(tb testing.TB) error {
		w, own := pinned(tb)
		x := w.GrantTx(tb, owner, guest.Public(), dev, "open")
		_, err := state.VerifyGrant(codec.ChainDigest{1}, own.Owner, x.ID(w.Block.Chain), state.Grant{Issuer: own.Owner.Account, Status: state.Active, Tx: x.Bytes()})
		return err
	}},
	{"grant by a key rotated out", state.Forged, func(tb testing.TB) error {
		w, own := pinned(tb)
		x := w.GrantTx(tb, owner, guest.Public(), dev, "open")
		w.Do(tb, x)
		w.Do(tb, w.RotateTx(tb, owner, owner, spare))
		own = follow(tb, w, own)
		g := must(state.GetGrant(w.Tree, x.ID(w.Block.Chain)))
		_, err := state.VerifyGrant(w.Block.Chain, own.Owner, x.ID(w.Block.Chain), g)
		return err
	}},
}

// toClaimant shows the claim of dev by owner, spoiled, to a device and owner.
func toClaimant(device, by *key.Private, spoil func(*tx.Tx)) func(testing.TB) error {
	return func(tb testing.TB) error {
		w, _ := pinned(tb)
		x := must(tx.Decode(must(state.GetOwnerChange(w.Tree, dev.Public().DeviceID(), 1))))
		if spoil != nil {
			spoil(x)
		}
		_, err := state.VerifyClaim(w.Block.Chain, device.Public(), state.NewPin(by.Public()), x.Bytes())
		return err
	}
}

// toGate shows a grant's record, spoiled, to the device.
func toGate(spoil func(testing.TB, *statetest.World, *state.Grant)) func(testing.TB) error {
	return func(tb testing.TB) error {
		w, own := pinned(tb)
		x := w.GrantTx(tb, owner, guest.Public(), dev, "open")
		w.Do(tb, x)
		g := must(state.GetGrant(w.Tree, x.ID(w.Block.Chain)))
		spoil(tb, w, &g)
		_, err := state.VerifyGrant(w.Block.Chain, own.Owner, x.ID(w.Block.Chain), g)
		return err
	}
}

func TestRights_Lies(t *testing.T) {
	for _, l := range slices.Concat(lies, lifecycleLies, recoveryLies, grantLies, policyLies, sealLies, publicationLies) {
		t.Run(l.name, func(t *testing.T) {
			if err := l.run(t); !errors.Is(err, l.want) {
				t.Fatalf("got %v, want %v", err, l.want)
			}
		})
	}
}

// TestFollowOwner_Offline: a device that slept through transfers and key
// changes in any order follows them when it wakes.
func TestFollowOwner_Offline(t *testing.T) {
	id := func(k *key.Private) key.AccountID { return k.Public().AccountID() }
	cases := []struct {
		name  string
		live  func(*testing.T, *statetest.World)
		owner key.AccountID
		epoch uint64
	}{
		{"nothing happened", func(*testing.T, *statetest.World) {}, id(owner), 1},
		{"keys changed", func(t *testing.T, w *statetest.World) {
			w.Do(t, w.RotateTx(t, owner, owner, guest, spare))
			w.Do(t, w.RotateTx(t, owner, spare, spare))
		}, id(owner), 1},
		{"sold", func(t *testing.T, w *statetest.World) { w.Do(t, w.TransferTx(t, owner, buyer, dev)) }, id(buyer), 2},
		{"sold to a new account", func(t *testing.T, w *statetest.World) { w.Do(t, w.TransferTx(t, owner, guest, dev)) }, id(guest), 2},
		{"sold, then the seller changed keys", func(t *testing.T, w *statetest.World) {
			w.Do(t, w.TransferTx(t, owner, buyer, dev))
			w.Do(t, w.RotateTx(t, owner, owner, guest))
		}, id(buyer), 2},
		{"sold, then the buyer changed keys", func(t *testing.T, w *statetest.World) {
			w.Do(t, w.TransferTx(t, owner, buyer, dev))
			w.Do(t, w.RotateTx(t, buyer, buyer, guest))
		}, id(buyer), 2},
		{"seller changed keys, then sold", func(t *testing.T, w *statetest.World) {
			w.Do(t, w.RotateTx(t, owner, owner, guest))
			x := w.TransferTx(t, owner, buyer, dev)
			x.Sigs = slices.DeleteFunc(x.Sigs, func(s tx.Sig) bool { return s.Role == tx.RoleAccount })
			x.Sign(w.Block.Chain, tx.RoleAccount, guest)
			w.Do(t, x)
		}, id(buyer), 2},
		{"sold on, then the one between changed keys", func(t *testing.T, w *statetest.World) {
			w.Do(t, w.TransferTx(t, owner, buyer, dev))
			w.Do(t, w.TransferTx(t, buyer, thief, dev))
			w.Do(t, w.RotateTx(t, buyer, buyer, guest))
		}, id(thief), 3},
		{"sold and bought back", func(t *testing.T, w *statetest.World) {
			w.Do(t, w.TransferTx(t, owner, buyer, dev))
			w.Do(t, w.TransferTx(t, buyer, owner, dev))
		}, id(owner), 3},
		{"given to oneself", func(t *testing.T, w *statetest.World) { w.Do(t, w.TransferTx(t, owner, owner, dev)) }, id(owner), 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w, own := pinned(t)
			c.live(t, w)
			got := follow(t, w, own)
			if got.Owner.Account != c.owner || got.Epoch != c.epoch {
				t.Fatalf("got %s in epoch %d", got.Owner.Account, got.Epoch)
			}
			acc := must(state.GetAccount(w.Tree, c.owner))
			if d := cmp.Diff(got.Owner.Keys, acc.KeySet); d != "" {
				t.Fatalf("pinned keys are not the present ones: %s", d)
			}
			again := follow(t, w, got)
			if d := cmp.Diff(again, got); d != "" {
				t.Fatalf("following twice: %s", d)
			}
			pin, err := state.PinAccount(w.Tree, w.Block.Chain, c.owner)
			if err != nil || cmp.Diff(pin, got.Owner) != "" {
				t.Fatalf("PinAccount gives %+v, %v", pin, err)
			}
		})
	}
}

// TestVerifyGrant_Unrevoked documents a limit: validators who act together can
// bring a revoked grant back to life, since revoking is the ledger's word. They
// can never make a grant that the owner has not signed. Against them an owner
// rotates the key that signed the grant, or transfers the device to itself.
func TestVerifyGrant_Unrevoked(t *testing.T) {
	w, own := pinned(t)
	chain := w.Block.Chain
	x := w.GrantTx(t, owner, guest.Public(), dev, "open")
	w.Do(t, x)
	w.Do(t, w.RevokeTx(t, owner, x.ID(chain)))
	g := must(state.GetGrant(w.Tree, x.ID(chain)))
	if _, err := state.VerifyGrant(chain, own.Owner, x.ID(chain), g); !errors.Is(err, state.GrantRevoked) {
		t.Fatalf("revoked: %v", err)
	}
	g.Status = state.Active
	p, err := state.VerifyGrant(chain, own.Owner, x.ID(chain), g)
	if err != nil || !p.Covers(own.Device, own.Epoch, "lock", "open") {
		t.Fatalf("flipped back: %v", err)
	}
	w.Do(t, w.TransferTx(t, owner, owner, dev))
	own = follow(t, w, own)
	if p, err := state.VerifyGrant(chain, own.Owner, x.ID(chain), g); err != nil || p.Covers(own.Device, own.Epoch, "lock", "open") {
		t.Fatalf("a new epoch does not end the grant: %v", err)
	}
	w.Do(t, w.RotateTx(t, owner, owner, guest))
	own = follow(t, w, own)
	if _, err := state.VerifyGrant(chain, own.Owner, x.ID(chain), g); !errors.Is(err, state.Forged) {
		t.Fatalf("after the key change: %v", err)
	}
}

// TestFollowOwner_StolenOldKey documents a limit: a device that has not seen a
// key change takes a transfer by the old keys, if validators act together with
// whoever stole them. Seeing the change once ends that for good.
func TestFollowOwner_StolenOldKey(t *testing.T) {
	w, own := pinned(t)
	w.Do(t, w.RotateTx(t, owner, owner, guest))
	lieTransfer(w, transferBy(t, w, nil, asOwner, toThief)) // owner's old key, stolen
	got, err := state.FollowOwner(w.Tree, w.Block.Chain, own)
	if err != nil || got.Owner.Account != thief.Public().AccountID() {
		t.Fatalf("got %v, %v", got.Owner.Account, err)
	}
}

// TestFollow_Errors: a view that fails is an error and moves nothing.
func TestFollow_Errors(t *testing.T) {
	w, own := pinned(t)
	w.Do(t, w.TransferTx(t, owner, buyer, dev))
	w.Do(t, w.RotateTx(t, buyer, buyer, guest))
	broken := errors.New("no answer")
	for n := 0; ; n++ {
		got, err := state.FollowOwner(&failing{Tree: w.Tree, after: n, err: broken}, w.Block.Chain, own)
		if err == nil {
			if n < 5 || got.Epoch != 2 {
				t.Fatalf("%d reads, epoch %d", n, got.Epoch)
			}
			return
		}
		if !errors.Is(err, broken) || cmp.Diff(got, own) != "" {
			t.Fatalf("read %d: %v", n, err)
		}
	}
}

// TestFollow_Bounded: the longest honest history of key changes can still be
// followed, and its cost does not multiply.
func TestFollow_Bounded(t *testing.T) {
	w, own := pinned(t)
	keys := []*key.Private{owner, guest}
	const turns = 60
	for i := range turns {
		w.Do(t, w.RotateTx(t, owner, keys[i%2], keys[(i+1)%2]))
	}
	if got := follow(t, w, own); got.Owner.Keys.Version != turns {
		t.Fatalf("version %d", got.Owner.Keys.Version)
	}
	if _, ok := state.RootKeySet(owner.Public()).Find(guest.Public().ID()); ok {
		t.Fatal("a key that is not there was found")
	}
}
