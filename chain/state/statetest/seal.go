package statetest

import (
	"crypto/sha256"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Command is the id of a command to be sealed, by its name.
func Command(name string) tx.ID { return tx.ID(sha256.Sum256([]byte("hybridos test command " + name))) }

// Artefact is the file of a release, by its name.
func Artefact(name string) tx.Artefact {
	return tx.Artefact{SHA256: sha256.Sum256([]byte("hybridos test artefact " + name)), Size: 1 << 20, URLs: []string{"https://acme.example/" + name}}
}

// OpenSealTx opens a seal of the account whose root key is owner, for an hour,
// approved by the given keys.
func (w *World) OpenSealTx(tb testing.TB, owner, dev *key.Private, command tx.ID, needed uint8, by ...*key.Private) *tx.Tx {
	tb.Helper()
	p := &tx.OpenSeal{Device: dev.Public().DeviceID(), Epoch: w.epoch(dev), Command: command, Needed: needed, Until: uint64(w.Block.Time) + 3600}
	return w.Build(tb, owner.Public().AccountID(), p, approvers(by)...)
}

// ApproveSealTx approves a seal of the account whose root key is owner.
func (w *World) ApproveSealTx(tb testing.TB, owner, dev *key.Private, command tx.ID, by ...*key.Private) *tx.Tx {
	tb.Helper()
	p := &tx.ApproveSeal{Device: dev.Public().DeviceID(), Epoch: w.epoch(dev), Command: command}
	return w.Build(tb, owner.Public().AccountID(), p, approvers(by)...)
}

func approvers(keys []*key.Private) (out []As) {
	for _, k := range keys {
		out = append(out, As{tx.RoleApprover, k})
	}
	return out
}

// AnchorTx anchors a device's receipts from the next one up to the given
// counter.
func (w *World) AnchorTx(tb testing.TB, owner, dev *key.Private, to uint64) *tx.Tx {
	tb.Helper()
	last, err := state.GetAnchor(w.Tree, dev.Public().DeviceID())
	if err != nil {
		last = state.Anchor{}
	}
	p := &tx.AnchorReceipts{Device: dev.Public().DeviceID(), Epoch: w.epoch(dev), From: last.Counter + 1, To: to, Head: sha256.Sum256([]byte{byte(to)})}
	return w.Build(tb, owner.Public().AccountID(), p, As{tx.RoleAccount, owner}, As{tx.RoleDevice, dev})
}

// ReleaseOf is a firmware version of the model "Lock 1".
func ReleaseOf(version string) *tx.PublishRelease {
	return &tx.PublishRelease{Model: "Lock 1", Version: version, Artefact: Artefact(version)}
}

// AppOf is a version of the app "timer".
func AppOf(version string) *tx.PublishApp {
	return &tx.PublishApp{App: "timer", Version: version, Form: tx.FormWASM, Artefact: Artefact(version), Permissions: []string{"clock", "lamp"}}
}

// VendorTx is a transaction of the world's vendor, signed by the given keys or,
// without any, by its first.
func (w *World) VendorTx(tb testing.TB, p tx.Payload, by ...As) *tx.Tx {
	tb.Helper()
	if by == nil {
		by = []As{{tx.RoleVendor, w.Vendor}}
	}
	return w.Build(tb, w.Vendor.Public().AccountID(), p, by...)
}

// RotateVendorTx replaces the keys of the world's vendor; signer signs for the
// old ones, and each new one for itself.
func (w *World) RotateVendorTx(tb testing.TB, signer *key.Private, threshold uint8, keys ...*key.Private) *tx.Tx {
	tb.Helper()
	ven, err := state.GetVendor(w.Tree, w.Vendor.Public().AccountID())
	if err != nil {
		tb.Fatal(err)
	}
	p := &tx.RotateVendorKeys{Version: ven.KeyVersion + 1, Threshold: threshold}
	by := []As{{tx.RoleVendor, signer}}
	had := make(map[key.KeyID]bool)
	for _, k := range ven.Keys {
		had[k.ID()] = true
	}
	for _, k := range keys {
		p.Keys = append(p.Keys, k.Public())
		if !had[k.Public().ID()] {
			by = append(by, As{tx.RoleNewKey, k})
		}
	}
	return w.VendorTx(tb, p, by...)
}
