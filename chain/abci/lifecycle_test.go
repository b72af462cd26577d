package abci

import (
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// byOwner is the owner's transaction with its next number in refusalWorld, and
// n after that.
func (w *world) byOwner(n uint64, p tx.Payload) *tx.Tx {
	return w.tx(w.owner.Public().AccountID(), 4+n, p, signer{tx.RoleAccount, w.owner})
}

func (w *world) lost(n uint64) *tx.Tx {
	return w.byOwner(n, &tx.ReportLost{Device: w.devices[0].Public().DeviceID(), Epoch: 1})
}

// refusedAccount has a transaction for each kind of the life of devices.
var refusedAccount = []struct {
	name string
	kind error
	make func(w *world, live, dead tx.ID) []byte
}{
	{"lost device given up", state.DeviceLost, func(w *world, _, _ tx.ID) []byte {
		w.block(w.lost(0).Bytes())
		return w.byOwner(1, &tx.Release{Device: w.devices[0].Public().DeviceID(), Epoch: 2}).Bytes()
	}},
	{"found, not lost", state.NotLost, func(w *world, _, _ tx.ID) []byte {
		return w.byOwner(0, &tx.ReportFound{Device: w.devices[0].Public().DeviceID(), Epoch: 1}).Bytes()
	}},
}
