package abci

import (
	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// batchOf is the vendor's registration of one device as a batch, with its
// n-th next number in refusalWorld. The world's quota has room for one more.
func (w *world) batchOf(n uint64, device int) *tx.Tx {
	p := &tx.RegisterBatch{Root: w.leaf(device).Hash(), Size: 1, Model: "lock"}
	return w.tx(w.vendor.Public().AccountID(), 2+n, p, signer{tx.RoleVendor, w.vendor})
}

func (w *world) leaf(device int) batch.Leaf {
	return batch.Leaf{Key: w.devices[device].Public(), SealKey: [32]byte{1}}
}

// member is the owner's claim of a device from its batch, the proof spoiled.
func (w *world) member(device int, spoil func(*tx.BatchMember)) []byte {
	l := w.leaf(device)
	m := &tx.BatchMember{Vendor: w.vendor.Public().AccountID(), Root: l.Hash(), Key: l.Key, SealKey: l.SealKey}
	if spoil != nil {
		spoil(m)
	}
	p := &tx.Claim{Device: l.Key.DeviceID(), Epoch: 1, Batch: m}
	return w.tx(w.owner.Public().AccountID(), 4, p, signer{tx.RoleAccount, w.owner}, signer{tx.RoleDevice, w.devices[device]}).Bytes()
}

// refusedLifetime has a transaction for each kind of batches and policies.
var refusedLifetime = []struct {
	name string
	kind error
	make func(w *world) []byte
}{
	{"claim from no batch", state.NoBatch, func(w *world) []byte { return w.member(2, nil) }},
	{"batch twice", state.BatchExists, func(w *world) []byte {
		w.block(w.batchOf(0, 2).Bytes())
		return w.batchOf(1, 2).Bytes()
	}},
	{"index outside of the batch", state.BatchIndex, func(w *world) []byte {
		w.block(w.batchOf(0, 2).Bytes())
		return w.member(2, func(m *tx.BatchMember) { m.Index = 1 })
	}},
	{"path too long", state.BatchPath, func(w *world) []byte {
		w.block(w.batchOf(0, 2).Bytes())
		return w.member(2, func(m *tx.BatchMember) { m.Path = []batch.Hash{{1}} })
	}},
	{"another seal key", state.NotInBatch, func(w *world) []byte {
		w.block(w.batchOf(0, 2).Bytes())
		return w.member(2, func(m *tx.BatchMember) { m.SealKey[1] = 1 })
	}},
	{"policy version skipped", state.BadPolicyVersion, func(w *world) []byte {
		id := w.devices[0].Public().DeviceID()
		return w.byOwner(0, &tx.SetPolicy{Device: id, Epoch: 1, Version: 2}).Bytes()
	}},
}
