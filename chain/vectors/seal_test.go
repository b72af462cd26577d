package vectors_test

import (
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

// sealTxCases are those of seals, anchors, releases, apps and vendors' keys.
func sealTxCases(t *testing.T) (out []vectors.Case) {
	id, cmd := device.Public().DeviceID(), statetest.Command("open")
	file := statetest.Artefact("1.2.3")
	bare := tx.Artefact{SHA256: file.SHA256, Size: 1}
	two := []key.Public{owner.Public(), guest.Public()}
	for _, c := range []struct {
		name string
		p    tx.Payload
	}{
		{"open-seal", &tx.OpenSeal{Device: id, Epoch: 1, Command: cmd, Needed: 2, Until: start + 3600}},
		{"approve-seal", &tx.ApproveSeal{Device: id, Epoch: 1, Command: cmd}},
		{"anchor-receipts", &tx.AnchorReceipts{Device: id, Epoch: 1, From: 1, To: 256, Head: [32]byte{7}}},
		{"anchor-receipts-one", &tx.AnchorReceipts{Device: id, Epoch: 1, From: 1<<64 - 1, To: 1<<64 - 1, Head: [32]byte{7}}},
		{"publish-release", &tx.PublishRelease{Model: "Lock 1", Version: "1.2.3", Artefact: file, From: "1.0.0", Floor: "1.1.0-rc.1"}},
		{"publish-release-bare", &tx.PublishRelease{Model: "~", Version: "4294967295.0.0-a.0.-", Artefact: bare}},
		{"revoke-release", &tx.RevokeRelease{Model: "Lock 1", Version: "1.2.3"}},
		{"publish-app", &tx.PublishApp{App: "timer", Version: "1.2.3-rc.10", Form: tx.FormWASM, Artefact: file, Permissions: []string{"clock", "lamp"}}},
		{"publish-app-bare", &tx.PublishApp{App: "t", Version: "0.0.0", Form: tx.FormPython, Artefact: bare}},
		{"revoke-app", &tx.RevokeApp{App: "timer", Version: "1.2.3"}},
		{"rotate-vendor-keys", &tx.RotateVendorKeys{Version: 1, Threshold: 2, Keys: two}},
	} {
		out = append(out, accountTxCase(t, c.name, c.p))
	}
	refuse := func(name, note string, p tx.Payload, want error) {
		out = append(out, refusedTxCase(t, name, note, p, want))
	}
	refuse("open-seal-nobody", "no approvals", &tx.OpenSeal{Device: id, Epoch: 1, Command: cmd, Until: 1}, tx.Malformed)
	refuse("open-seal-many", "17 approvals", &tx.OpenSeal{Device: id, Epoch: 1, Command: cmd, Needed: 17, Until: 1}, tx.Malformed)
	refuse("open-seal-endless", "no end", &tx.OpenSeal{Device: id, Epoch: 1, Command: cmd, Needed: 1}, tx.Malformed)
	refuse("open-seal-command", "a command of zeros", &tx.OpenSeal{Device: id, Epoch: 1, Needed: 1, Until: 1}, tx.Malformed)
	refuse("approve-seal-epoch", "epoch 0", &tx.ApproveSeal{Device: id, Command: cmd}, tx.Malformed)
	refuse("approve-seal-command", "a command of zeros", &tx.ApproveSeal{Device: id, Epoch: 1}, tx.Malformed)
	refuse("anchor-from", "from 0", &tx.AnchorReceipts{Device: id, Epoch: 1, To: 1, Head: [32]byte{7}}, tx.Malformed)
	refuse("anchor-backwards", "to below from", &tx.AnchorReceipts{Device: id, Epoch: 1, From: 2, To: 1, Head: [32]byte{7}}, tx.Malformed)
	refuse("anchor-head", "a head of zeros", &tx.AnchorReceipts{Device: id, Epoch: 1, From: 1, To: 1}, tx.Malformed)
	for _, v := range [][2]string{{"v", "v1.2.3"}, {"short", "1.2"}, {"zero", "1.02.3"}, {"build", "1.2.3+4"}, {"empty-pre", "1.2.3-"}, {"pre-zero", "1.2.3-01"}, {"large", "4294967296.0.0"}, {"space", "1.2.3 "}} {
		refuse("release-version-"+v[0], "a version that is none", &tx.PublishRelease{Model: "Lock 1", Version: v[1], Artefact: bare}, tx.Malformed)
	}
	refuse("release-floor", "a floor above the version", &tx.PublishRelease{Model: "Lock 1", Version: "1.2.3-rc.1", Floor: "1.2.3", Artefact: bare}, tx.Malformed)
	refuse("release-from", "only from a later version", &tx.PublishRelease{Model: "Lock 1", Version: "1.9.0", From: "1.10.0", Artefact: bare}, tx.Malformed)
	file.URLs = []string{"https://b.example/", "https://a.example/"}
	refuse("release-url-order", "addresses out of order", &tx.PublishRelease{Model: "Lock 1", Version: "1.2.3", Artefact: file}, tx.Malformed)
	file.URLs = []string{"http://a.example/"}
	refuse("release-url-clear", "not https", &tx.PublishRelease{Model: "Lock 1", Version: "1.2.3", Artefact: file}, tx.Malformed)
	refuse("release-no-file", "a hash of zeros", &tx.PublishRelease{Model: "Lock 1", Version: "1.2.3", Artefact: tx.Artefact{Size: 1}}, tx.Malformed)
	refuse("release-too-large", "16 GiB and a byte", &tx.PublishRelease{Model: "Lock 1", Version: "1.2.3", Artefact: tx.Artefact{SHA256: bare.SHA256, Size: tx.MaxArtefact + 1}}, tx.Malformed)
	refuse("revoke-release-version", "a version that is none", &tx.RevokeRelease{Model: "Lock 1", Version: "1"}, tx.Malformed)
	refuse("app-form", "form 5", &tx.PublishApp{App: "timer", Version: "1.2.3", Form: 5, Artefact: bare}, tx.Malformed)
	refuse("app-wildcard", "a permission for everything", &tx.PublishApp{App: "timer", Version: "1.2.3", Form: 1, Artefact: bare, Permissions: []string{"*"}}, tx.Malformed)
	refuse("app-order", "permissions out of order", &tx.PublishApp{App: "timer", Version: "1.2.3", Form: 1, Artefact: bare, Permissions: []string{"b", "a"}}, tx.Malformed)
	refuse("revoke-app-name", "a name in capitals", &tx.RevokeApp{App: "Timer", Version: "1.2.3"}, tx.Malformed)
	refuse("vendor-keys-twice", "a key twice", &tx.RotateVendorKeys{Version: 1, Threshold: 1, Keys: []key.Public{two[0], two[0]}}, tx.Malformed)
	refuse("vendor-keys-threshold", "a threshold out of reach", &tx.RotateVendorKeys{Version: 1, Threshold: 3, Keys: two}, tx.Malformed)
	refuse("vendor-keys-passkey", "a phone signs for the vendor", &tx.RotateVendorKeys{Version: 1, Threshold: 1, Keys: []key.Public{phone.Public()}}, tx.InvokeOnly)
	return out
}

// sealHistory seals a command, anchors receipts, and publishes.
func sealHistory(t *testing.T, w *statetest.World) []vectors.Case {
	b := &book{t: t, w: w, prefix: "seal/"}
	w.Vendor = vendor
	cmd, id := statetest.Command("open"), device.Public().DeviceID()
	b.ledger("seal/genesis", "another ledger, with an empty state before", homely("hos-seal"))
	b.do("register", "a device", w.RegisterTx(t, device), nil)
	b.do("claim", "the owner's", w.ClaimTx(t, owner, device), nil)
	b.do("open/keys", "more approvals than the account has keys", w.OpenSealTx(t, owner, device, cmd, 2, owner), state.TooFewKeys)
	b.do("rotate", "guest's key joins the owner's", w.RotateTx(t, owner, owner, owner, guest), nil)
	b.do("open/stranger", "the buyer's key is not the owner's", w.OpenSealTx(t, owner, device, cmd, 2, buyer), state.WrongSigner)
	b.do("approve/nothing", "nobody has opened it", w.ApproveSealTx(t, owner, device, cmd, owner), state.NoSeal)
	long := &tx.OpenSeal{Device: id, Epoch: 1, Command: cmd, Needed: 2, Until: uint64(w.Block.Time) + state.MaxSealLife + 1}
	b.do("open/long", "open too long", w.Build(t, owner.Public().AccountID(), long, statetest.As{Role: tx.RoleApprover, Key: owner}), state.SealTooLong)
	b.do("open", "the owner's key approves; two are needed", w.OpenSealTx(t, owner, device, cmd, 2, owner), nil)
	b.do("open/twice", "the same command", w.OpenSealTx(t, owner, device, cmd, 1, owner), state.SealExists)
	b.do("approve/twice", "the same key", w.ApproveSealTx(t, owner, device, cmd, owner), state.AlreadyApproved)
	w.Block.Time += 3600
	b.do("approve/late", "its end has come", w.ApproveSealTx(t, owner, device, cmd, guest), state.SealExpired)
	w.Block.Time -= 3600
	b.do("approve", "guest's key seals it", w.ApproveSealTx(t, owner, device, cmd, guest), nil)
	b.do("approve/closed", "it is sealed", w.ApproveSealTx(t, owner, device, cmd, guest), state.SealClosed)
	b.do("open/once", "one key is enough: sealed at once", w.OpenSealTx(t, owner, device, statetest.Command("once"), 1, guest), nil)

	b.do("anchor", "the receipts 1 to 256", w.AnchorTx(t, owner, device, 256), nil)
	gap := &tx.AnchorReceipts{Device: id, Epoch: 1, From: 258, To: 300, Head: [32]byte{7}}
	both := []statetest.As{{Role: tx.RoleAccount, Key: owner}, {Role: tx.RoleDevice, Key: device}}
	b.do("anchor/gap", "receipt 257 is left out", w.Build(t, owner.Public().AccountID(), gap, both...), state.BadCounter)
	gap.From = 257
	b.do("anchor/alone", "the device did not sign", w.Build(t, owner.Public().AccountID(), gap, both[0]), state.MissingSigner)
	b.do("anchor/next", "257 and on", w.AnchorTx(t, owner, device, 300), nil)

	b.do("release", "a first version", w.VendorTx(t, statetest.ReleaseOf("1.0.0")), nil)
	b.do("release/twice", "the same one", w.VendorTx(t, statetest.ReleaseOf("1.0.0")), state.ReleaseExists)
	b.do("release/stranger", "signed by the owner of a device", w.VendorTx(t, statetest.ReleaseOf("1.1.0"), statetest.As{Role: tx.RoleVendor, Key: owner}), state.WrongSigner)
	b.do("release/second", "a second version", w.VendorTx(t, statetest.ReleaseOf("1.1.0")), nil)
	b.do("release/revoke", "the second is bad", w.VendorTx(t, &tx.RevokeRelease{Model: "Lock 1", Version: "1.1.0"}), nil)
	b.do("release/dead", "it does not come back", w.VendorTx(t, statetest.ReleaseOf("1.1.0")), state.ReleaseRevoked)
	b.do("release/nothing", "no such version", w.VendorTx(t, &tx.RevokeRelease{Model: "Lock 1", Version: "9.0.0"}), state.NoRelease)
	b.do("app", "an app", w.VendorTx(t, statetest.AppOf("1.0.0")), nil)
	b.do("app/revoke", "it is bad", w.VendorTx(t, &tx.RevokeApp{App: "timer", Version: "1.0.0"}), nil)
	b.do("keys/version", "a key version skipped", w.VendorTx(t, &tx.RotateVendorKeys{Version: 2, Threshold: 1, Keys: []key.Public{vendor.Public()}}), state.BadKeyVersion)
	b.do("keys", "a second key, and both must sign", w.RotateVendorTx(t, vendor, 2, vendor, guest), nil)
	two := []statetest.As{{Role: tx.RoleVendor, Key: vendor}, {Role: tx.RoleVendor, Key: guest}}
	b.do("keys/one", "one of two", w.VendorTx(t, statetest.ReleaseOf("2.0.0")), state.MissingSigner)
	b.do("release/again", "the first version, signed by the keys of now", w.VendorTx(t, statetest.ReleaseOf("1.0.0"), two...), nil)
	return b.cases
}
