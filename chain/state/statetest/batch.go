package statetest

import (
	"crypto/sha256"
	"testing"

	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// BatchModel is the model of every batch here.
const BatchModel = "Lock 2"

// Leaf is what a batch says about a device.
func Leaf(dev *key.Private) batch.Leaf {
	return batch.Leaf{Key: dev.Public(), SealKey: sha256.Sum256(dev.Public().Bytes)}
}

// BatchTree is the batch of some devices.
func BatchTree(tb testing.TB, devices ...*key.Private) *batch.Tree {
	tb.Helper()
	leaves := make([]batch.Hash, len(devices))
	for i, d := range devices {
		leaves[i] = Leaf(d).Hash()
	}
	t, err := batch.NewTree(leaves)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// Member proves that the i-th of some devices is in their batch.
func (w *World) Member(tb testing.TB, i int, devices ...*key.Private) *tx.BatchMember {
	tb.Helper()
	t := BatchTree(tb, devices...)
	path, err := t.Path(uint64(i))
	if err != nil {
		tb.Fatal(err)
	}
	l := Leaf(devices[i])
	return &tx.BatchMember{Vendor: w.Vendor.Public().AccountID(), Root: t.Root(), Index: uint64(i), Key: l.Key, SealKey: l.SealKey, Path: path}
}

// BatchTx is the vendor's registration of some devices as a batch.
func (w *World) BatchTx(tb testing.TB, devices ...*key.Private) *tx.Tx {
	tb.Helper()
	t := BatchTree(tb, devices...)
	return w.Build(tb, w.Vendor.Public().AccountID(), &tx.RegisterBatch{Root: t.Root(), Size: t.Size(), Model: BatchModel}, As{tx.RoleVendor, w.Vendor})
}

// MemberTx is the first claim of a device of a batch.
func (w *World) MemberTx(tb testing.TB, owner, dev *key.Private, m *tx.BatchMember) *tx.Tx {
	tb.Helper()
	p := &tx.Claim{Device: dev.Public().DeviceID(), Epoch: w.epoch(dev) + 1, Root: w.rootIfNew(owner), Batch: m}
	return w.Build(tb, owner.Public().AccountID(), p, As{tx.RoleAccount, owner}, As{tx.RoleDevice, dev})
}

// PolicyTx sets the next policy of a device; the owner signs with its root key.
func (w *World) PolicyTx(tb testing.TB, owner, dev *key.Private, rules ...tx.MethodPolicy) *tx.Tx {
	tb.Helper()
	p := &tx.SetPolicy{Device: dev.Public().DeviceID(), Epoch: w.epoch(dev), Version: w.policy(dev) + 1, Rules: rules}
	return w.Build(tb, owner.Public().AccountID(), p, As{tx.RoleAccount, owner})
}

// PeerID is a well-formed peer id.
const PeerID = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"

// AddressesTx sets the addresses of a device; the owner signs with its root key.
func (w *World) AddressesTx(tb testing.TB, owner, dev *key.Private, addrs ...string) *tx.Tx {
	tb.Helper()
	p := &tx.SetAddresses{Device: dev.Public().DeviceID(), Epoch: w.epoch(dev), Addrs: addrs}
	return w.Build(tb, owner.Public().AccountID(), p, As{tx.RoleAccount, owner})
}
