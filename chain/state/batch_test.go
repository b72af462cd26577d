package state_test

import (
	"strconv"
	"testing"

	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// batched is a production run; the last of five has no sibling at the bottom.
var batched = func() (out []*key.Private) {
	for i := range 5 {
		out = append(out, statetest.Key("batched "+strconv.Itoa(i)))
	}
	return out
}()

// registered puts the batch on the ledger.
func registered(tb testing.TB, w *statetest.World) { w.Do(tb, w.BatchTx(tb, batched...)) }

// memberClaim is the buyer's claim of the i-th device, its proof spoiled.
func memberClaim(i int, spoil func(*tx.BatchMember)) builder {
	return after(registered, func(tb testing.TB, w *statetest.World) *tx.Tx {
		m := w.Member(tb, i, batched...)
		if spoil != nil {
			spoil(m)
		}
		dev := batched[i]
		for _, d := range batched {
			if d.Public().Equal(m.Key) {
				dev = d
			}
		}
		return w.MemberTx(tb, buyer, dev, m)
	})
}

// ofVendor is a vendor's batch of some size.
func ofVendor(size uint64) builder {
	return func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, w.Vendor.Public().AccountID(), &tx.RegisterBatch{Root: batch.Hash{1}, Size: size, Model: "x"}, asVendor)
	}
}

var batchRefusals = []refusal{
	{"batch by nobody", state.NoVendor, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, thief.Public().AccountID(), &tx.RegisterBatch{Root: batch.Hash{1}, Size: 1, Model: "x"}, statetest.As{Role: tx.RoleVendor, Key: thief})
	}},
	{"batch signed by another", state.WrongSigner, change(tx.KindRegisterBatch, func(*tx.RegisterBatch) {}, statetest.As{Role: tx.RoleVendor, Key: thief})},
	{"batch over the quota by one", state.QuotaExceeded, ofVendor(statetest.Quota - 1)},
	{"the largest batch", state.QuotaExceeded, ofVendor(batch.Max)},
	{"a device after a batch that used the quota up", state.QuotaExceeded, func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, ofVendor(statetest.Quota-2)(tb, w))
		return w.RegisterTx(tb, guest)
	}},
	{"batch of a suspended vendor", state.VendorSuspended, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := w.Vendor.Public().AccountID()
		v := must(state.GetVendor(w.Tree, id))
		v.Suspended = true
		w.Put(state.VendorKey(id), v)
		return w.BatchTx(tb, batched...)
	}},
	{"batch twice", state.BatchExists, after(registered, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.BatchTx(tb, batched...) })},
	{"claim from no batch", state.NoBatch, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.MemberTx(tb, buyer, batched[0], w.Member(tb, 0, batched...))
	}},
	{"claim from another vendor's batch", state.NoBatch, memberClaim(1, func(m *tx.BatchMember) { m.Vendor = thief.Public().AccountID() })},
	{"claim without a proof", state.NoDevice, after(registered, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.MemberTx(tb, buyer, batched[0], nil) })},
	{"index outside of the batch", state.BatchIndex, memberClaim(4, func(m *tx.BatchMember) { m.Index = 5 })},
	{"path too short", state.BatchPath, memberClaim(0, func(m *tx.BatchMember) { m.Path = m.Path[1:] })},
	{"path too long", state.BatchPath, memberClaim(4, func(m *tx.BatchMember) { m.Path = append(m.Path, batch.Hash{}) })},
	{"path of another shape", state.BatchPath, memberClaim(4, func(m *tx.BatchMember) { m.Index = 3 })},
	{"wrong path", state.NotInBatch, memberClaim(2, func(m *tx.BatchMember) { m.Path[2][0] ^= 1 })},
	{"wrong index", state.NotInBatch, memberClaim(2, func(m *tx.BatchMember) { m.Index = 3 })},
	{"another device at the place", state.NotInBatch, memberClaim(2, func(m *tx.BatchMember) { m.Key = batched[3].Public() })},
	{"another seal key", state.NotInBatch, memberClaim(2, func(m *tx.BatchMember) { m.SealKey[0] ^= 1 })},
	{"a batch that says it is smaller", state.BatchPath, func(tb testing.TB, w *statetest.World) *tx.Tx {
		p := w.BatchTx(tb, batched...).Payload.(*tx.RegisterBatch)
		p.Size = 4
		w.Do(tb, w.Build(tb, w.Vendor.Public().AccountID(), p, asVendor))
		return w.MemberTx(tb, buyer, batched[0], w.Member(tb, 0, batched...))
	}},
	{"a device of another batch", state.NotInBatch, func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, w.BatchTx(tb, batched[:2]...))
		w.Do(tb, w.BatchTx(tb, batched[2:4]...))
		m := w.Member(tb, 0, batched[:2]...)
		m.Root = statetest.BatchTree(tb, batched[2:4]...).Root()
		return w.MemberTx(tb, buyer, batched[0], m)
	}},
	{"claimed twice from the batch", state.DeviceExists, func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, memberClaim(0, nil)(tb, w))
		return w.MemberTx(tb, owner, batched[0], w.Member(tb, 0, batched...))
	}},
	{"registered by itself and claimed from the batch", state.DeviceExists, func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, w.RegisterTx(tb, batched[0]))
		return memberClaim(0, nil)(tb, w)
	}},
	{"registered again after the claim", state.DeviceExists, func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, w.BatchTx(tb, batched[:2]...))
		w.Do(tb, w.MemberTx(tb, buyer, batched[0], w.Member(tb, 0, batched[:2]...)))
		return w.RegisterTx(tb, batched[0])
	}},
	{"from the batch into a later epoch", state.StaleEpoch, after(registered, func(tb testing.TB, w *statetest.World) *tx.Tx {
		p := &tx.Claim{Device: batched[0].Public().DeviceID(), Epoch: 2, Batch: w.Member(tb, 0, batched...)}
		return w.Build(tb, buyer.Public().AccountID(), p, asBuyer, statetest.As{Role: tx.RoleDevice, Key: batched[0]})
	})},
	{"from the batch without the device", state.MissingSigner, func(tb testing.TB, w *statetest.World) *tx.Tx {
		x := memberClaim(0, nil)(tb, w)
		x.Sigs = x.Sigs[:1]
		return x
	}},
}

// TestBatch: every device of a batch can be claimed once with its proof, is
// then as if registered by itself, and costs the vendor nothing more. A vendor
// who is suspended later takes none of them back.
func TestBatch(t *testing.T) {
	w := owned(t)
	registered(t, w)
	vendor := w.Vendor.Public().AccountID()
	if v := must(state.GetVendor(w.Tree, vendor)); v.Used != 2+5 {
		t.Fatalf("used %d", v.Used)
	}
	v := must(state.GetVendor(w.Tree, vendor))
	v.Suspended = true
	w.Put(state.VendorKey(vendor), v)
	for i, d := range batched {
		x := w.MemberTx(t, buyer, d, w.Member(t, i, batched...))
		w.Do(t, decoded(t, x))
		r := must(state.GetDevice(w.Tree, d.Public().DeviceID()))
		if !r.Key.Equal(d.Public()) || r.SealKey != statetest.Leaf(d).SealKey || r.Vendor != vendor || r.Model != statetest.BatchModel || r.Epoch != 1 || *r.Owner != buyer.Public().AccountID() {
			t.Fatalf("record is %+v", r)
		}
		pin := must(state.PinAccount(w.Tree, w.Block.Chain, buyer.Public().AccountID()))
		follow(t, w, must(state.VerifyClaim(w.Block.Chain, d.Public(), pin, x.Bytes())))
		refused(t, w, x, state.BadSequence)
	}
	w.Do(t, w.ReleaseTx(t, buyer, batched[1]))
	w.Do(t, w.ClaimTx(t, owner, batched[1])) // by its own record from now on
	if v := must(state.GetVendor(w.Tree, vendor)); v.Used != 2+5 {
		t.Fatalf("used %d after the claims", v.Used)
	}
}

// TestBatch_One: a batch of one device needs no path.
func TestBatch_One(t *testing.T) {
	w := owned(t)
	w.Do(t, w.BatchTx(t, guest))
	m := w.Member(t, 0, guest)
	if len(m.Path) != 0 {
		t.Fatalf("path %v", m.Path)
	}
	w.Do(t, decoded(t, w.MemberTx(t, buyer, guest, m)))
}

// TestBatch_Million: a run of a million devices costs one transaction and one
// record.
func TestBatch_Million(t *testing.T) {
	w := statetest.NewWorld()
	id := w.Vendor.Public().AccountID()
	v := must(state.GetVendor(w.Tree, id))
	v.Quota = 1_000_000
	w.Put(state.VendorKey(id), v)
	leaves := make([]batch.Hash, 1_000_000)
	for i := range leaves {
		leaves[i] = batch.Hash{byte(i), byte(i >> 8), byte(i >> 16), 1}
	}
	const at = 765_432
	leaves[at] = statetest.Leaf(guest).Hash()
	tree := must(batch.NewTree(leaves))
	before := len(w.Tree.Keys())
	w.Do(t, w.Build(t, id, &tx.RegisterBatch{Root: tree.Root(), Size: tree.Size(), Model: "Lock 3"}, asVendor))
	if n := len(w.Tree.Keys()) - before; n != 1 {
		t.Fatalf("%d records more", n)
	}
	l := statetest.Leaf(guest)
	m := &tx.BatchMember{Vendor: id, Root: tree.Root(), Index: at, Key: l.Key, SealKey: l.SealKey, Path: must(tree.Path(at))}
	x := w.MemberTx(t, owner, guest, m)
	w.Do(t, decoded(t, x))
	if n := len(x.Bytes()); n > 1200 {
		t.Errorf("the claim has %d bytes", n)
	}
	refused(t, w, w.RegisterTx(t, dev), state.QuotaExceeded)
}
