package abci

import (
	"github.com/hybridos-net/hybridos/chain/key"
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

// begin names w.other the owner's guardian and starts a recovery by it.
func (w *world) begin(delay uint64) {
	g := &tx.Guardians{Keys: []key.Public{w.other.Public()}, Threshold: 1, Delay: delay}
	w.block(w.byOwner(0, &tx.SetGuardians{Version: 1, Guardians: g}).Bytes(), w.start(1, 2).Bytes())
}

// start is the start of a recovery, with the owner's n-th next number.
func (w *world) start(n, version uint64) *tx.Tx {
	p := &tx.StartRecovery{Version: version, Threshold: 1, Keys: []tx.AccountKey{{Key: w.other.Public(), Rights: tx.RightAdmin}}}
	return w.tx(w.owner.Public().AccountID(), 4+n, p, signer{tx.RoleGuardian, w.other}, signer{tx.RoleNewKey, w.other})
}

// refusedAccount has a transaction for each kind of the life of devices and the
// recovery of accounts.
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
	{"recovery without guardians", state.NoGuardians, func(w *world, _, _ tx.ID) []byte { return w.start(0, 1).Bytes() }},
	{"recovery twice", state.RecoveryOpen, func(w *world, _, _ tx.ID) []byte {
		w.begin(1000)
		return w.start(2, 2).Bytes()
	}},
	{"recovery of nothing", state.NoRecovery, func(w *world, _, _ tx.ID) []byte {
		return w.byOwner(0, &tx.CancelRecovery{Version: 1}).Bytes()
	}},
	{"recovery early", state.RecoveryEarly, func(w *world, _, _ tx.ID) []byte {
		w.begin(1000)
		return w.tx(w.owner.Public().AccountID(), 6, &tx.FinishRecovery{Version: 2}, signer{tx.RoleParty, w.other}).Bytes()
	}},
	{"recovery due", state.RecoveryDue, func(w *world, _, _ tx.ID) []byte {
		w.begin(1)
		w.block()
		return w.byOwner(2, &tx.CancelRecovery{Version: 2}).Bytes()
	}},
	{"frozen", state.AccountFrozen, func(w *world, _, _ tx.ID) []byte {
		w.block(w.tx(w.owner.Public().AccountID(), 4, &tx.Freeze{}, signer{tx.RoleParty, w.owner}).Bytes())
		return w.grant(w.owner, 5, 0, 1).Bytes()
	}},
	{"not frozen", state.NotFrozen, func(w *world, _, _ tx.ID) []byte { return w.byOwner(0, &tx.Unfreeze{}).Bytes() }},
}
