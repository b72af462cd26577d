package abci

import (
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// seal opens a seal of the owner's first device with its n-th next number.
func (w *world) seal(n uint64, needed uint8, until uint64) *tx.Tx {
	p := &tx.OpenSeal{Device: w.devices[0].Public().DeviceID(), Epoch: 1, Command: tx.ID{1}, Needed: needed, Until: until}
	return w.tx(w.owner.Public().AccountID(), 4+n, p, signer{tx.RoleApprover, w.owner})
}

// approval is the owner's approval of that seal.
func (w *world) approval(n uint64) *tx.Tx {
	p := &tx.ApproveSeal{Device: w.devices[0].Public().DeviceID(), Epoch: 1, Command: tx.ID{1}}
	return w.tx(w.owner.Public().AccountID(), 4+n, p, signer{tx.RoleApprover, w.owner})
}

// byVendor is the vendor's transaction with its n-th next number.
func (w *world) byVendor(n uint64, p tx.Payload) *tx.Tx {
	return w.tx(w.vendor.Public().AccountID(), 2+n, p, signer{tx.RoleVendor, w.vendor})
}

func lockRelease(version string) *tx.PublishRelease {
	return &tx.PublishRelease{Model: "lock", Version: version, Artefact: tx.Artefact{SHA256: [32]byte{1}, Size: 1}}
}

// refusedSeal has a transaction for each kind of seals, anchors and releases.
var refusedSeal = []struct {
	name string
	kind error
	make func(w *world, live, dead tx.ID) []byte
}{
	{"approval of nothing", state.NoSeal, func(w *world, _, _ tx.ID) []byte { return w.approval(0).Bytes() }},
	{"seal opened twice", state.SealExists, func(w *world, _, _ tx.ID) []byte {
		w.block(w.seal(0, 1, start+600).Bytes())
		return w.seal(1, 1, start+600).Bytes()
	}},
	{"sealed already", state.SealClosed, func(w *world, _, _ tx.ID) []byte {
		w.block(w.seal(0, 1, start+600).Bytes())
		return w.approval(1).Bytes()
	}},
	{"seal that ends now", state.SealExpired, func(w *world, _, _ tx.ID) []byte { return w.seal(0, 1, start).Bytes() }},
	{"seal open too long", state.SealTooLong, func(w *world, _, _ tx.ID) []byte {
		return w.seal(0, 1, start+state.MaxSealLife+1000).Bytes()
	}},
	{"seal for more keys than there are", state.TooFewKeys, func(w *world, _, _ tx.ID) []byte { return w.seal(0, 2, start+600).Bytes() }},
	{"anchor with a gap", state.BadCounter, func(w *world, _, _ tx.ID) []byte {
		p := &tx.AnchorReceipts{Device: w.devices[0].Public().DeviceID(), Epoch: 1, From: 2, To: 2, Head: [32]byte{1}}
		return w.tx(w.owner.Public().AccountID(), 4, p, signer{tx.RoleAccount, w.owner}, signer{tx.RoleDevice, w.devices[0]}).Bytes()
	}},
	{"revoke of no release", state.NoRelease, func(w *world, _, _ tx.ID) []byte {
		return w.byVendor(0, &tx.RevokeRelease{Model: "lock", Version: "1.0.0"}).Bytes()
	}},
	{"release twice", state.ReleaseExists, func(w *world, _, _ tx.ID) []byte {
		w.block(w.byVendor(0, lockRelease("1.0.0")).Bytes())
		return w.byVendor(1, lockRelease("1.0.0")).Bytes()
	}},
	{"dead release", state.ReleaseRevoked, func(w *world, _, _ tx.ID) []byte {
		w.block(w.byVendor(0, lockRelease("1.0.0")).Bytes(), w.byVendor(1, &tx.RevokeRelease{Model: "lock", Version: "1.0.0"}).Bytes())
		return w.byVendor(2, lockRelease("1.0.0")).Bytes()
	}},
}
