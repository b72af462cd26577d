package explain

import (
	"errors"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var (
	owner  = statetest.Key("owner").Public()
	guest  = statetest.Key("guest").Public()
	device = statetest.Key("lock").Public().DeviceID()
)

// samples has a payload of every kind, and a word that its explanation must
// hold for each thing that the owner decides on.
var samples = []struct {
	payload tx.Payload
	gives   bool
	words   []string
}{
	{&tx.RegisterDevice{Key: guest, SealKey: [32]byte{9}, Model: "Lock\" 1"}, false, []string{guest.String(), "0900", `"Lock\" 1"`}},
	{&tx.Claim{Device: device, Epoch: 4, Root: &owner}, false, []string{"front-door", device.String(), "4", owner.String()}},
	{&tx.Transfer{Device: device, Epoch: 5, To: guest.AccountID(), Root: &guest}, true, []string{"front-door", guest.AccountID().String(), guest.String(), "5"}},
	{&tx.RotateKeys{Version: 6, Threshold: 1, Keys: []tx.AccountKey{{Key: guest, Rights: tx.RightAdmin}}}, true, []string{guest.String(), "sign for the account", "6", "1 signature"}},
	{&tx.CreateGrant{Grantee: guest, NotBefore: 1_800_000_000, NotAfter: 1_800_003_600,
		Targets: []tx.Target{{Device: device, Epoch: 7, Endpoint: "lock", Methods: []string{"open", "state"}}}}, true,
		[]string{guest.String(), "lock.open, lock.state of front-door", "epoch 7", "2027-01-15 08:00:00 UTC", "2027-01-15 09:00:00 UTC"}},
	{narrow(), true, []string{"lock.open, lock.state of front-door", "mon-wed,fri 08:00-18:00, sat,sun 22:00-24:00 Europe/Berlin", "3 times in all", "5 times in any 1h", "up to 2 one after the other"}},
	{&tx.CreateGrant{Private: &tx.Private{Digest: [32]byte{0xcd}, Devices: []tx.DeviceEpoch{{Device: device, Epoch: 7}}}}, true, []string{"front-door", "epoch 7", "cd00"}},
	{&tx.DelegateGrant{Parent: tx.ID{0xac}, Grant: narrow()}, true, []string{guest.String(), "lock.open, lock.state of front-door", "3 times in all", tx.ID{0xac}.String(), "ends when"}},
	{&tx.DelegateGrant{Parent: tx.ID{0xac}, Revoke: &tx.ID{0xad}}, false, []string{tx.ID{0xac}.String(), tx.ID{0xad}.String()}},
	{&tx.RevokeGrant{Grant: tx.ID{0xab}}, false, []string{tx.ID{0xab}.String()}},
	{proposal(tx.Change{AddValidator: &tx.AddValidator{ValidatorName: "new \" one", Key: tx.ValidatorKey{0xaa, 1}}}), true, []string{`"new \" one"`, "aa01000000", "2027-01-15 09:00:00 UTC"}},
	{proposal(tx.Change{RemoveValidator: &tx.RemoveValidator{Key: tx.ValidatorKey{0xbb}}}), true, []string{"bb000000"}},
	{proposal(tx.Change{ReplaceKey: &tx.ReplaceKey{Old: tx.ValidatorKey{0xcc}, New: tx.ValidatorKey{0xdd}}}), true, []string{"old key cc0000", "new key dd0000"}},
	{proposal(tx.Change{AdmitVendor: &tx.AdmitVendor{VendorName: "acme", Keys: []key.Public{guest, owner}, Threshold: 2, Quota: 77}}), true,
		[]string{`"acme"`, guest.String(), owner.String(), guest.AccountID().String(), "2 of 2 keys", "77 devices"}},
	{proposal(tx.Change{SuspendVendor: &tx.SuspendVendor{Vendor: guest.AccountID()}}), true, []string{guest.AccountID().String()}},
	{proposal(tx.Change{SetQuota: &tx.SetQuota{Vendor: guest.AccountID(), Quota: 78}}), true, []string{guest.AccountID().String(), "78 devices"}},
	{proposal(tx.Change{SetParams: &tx.SetParams{Base: 41, PerDevice: 42, Period: 7200}}), true, []string{"41", "42", "2h0m0s"}},
	{proposal(tx.Change{ScheduleUpgrade: &tx.ScheduleUpgrade{Upgrade: "two", Height: 4711, Hashes: [][32]byte{{0xab}, {0xcd}}, URL: "https://example.org/two"}}), true,
		[]string{"two", "4711", "ab00000000", "cd00000000", "https://example.org/two"}},
	{proposal(tx.Change{CancelUpgrade: &tx.CancelUpgrade{Upgrade: "two"}}), true, []string{"two"}},
	{proposal(tx.Change{SetGovernors: &tx.SetGovernors{Threshold: 2, Governors: []tx.NewGovernor{{GovernorName: "anna", Key: guest}, {GovernorName: "ben", Key: owner}}}}), true,
		[]string{"2 of 2", `"anna"`, guest.String(), owner.String()}},
	{&tx.Approve{Proposal: tx.ID{0xef}}, true, []string{tx.ID{0xef}.String()}},
	{&tx.Release{Device: device, Epoch: 8}, true, []string{"front-door", "epoch 8", "pairing code"}},
	{&tx.ReportLost{Device: device, Epoch: 8}, false, []string{"front-door", "epoch 8", "until it is found"}},
	{&tx.ReportFound{Device: device, Epoch: 8}, false, []string{"front-door", "epoch 8", "again"}},
	{&tx.SetGuardians{Version: 3, Guardians: &tx.Guardians{Keys: []key.Public{guest}, Threshold: 1, Delay: 90000}}, true, []string{guest.String(), "1 of them", "1 d 1 h", "3"}},
	{&tx.SetGuardians{Version: 3}, true, []string{"nobody", "3"}},
	{&tx.StartRecovery{Version: 6, Threshold: 1, Keys: []tx.AccountKey{{Key: guest, Rights: tx.RightAdmin}}}, true, []string{guest.String(), "sign for the account", "6", "1 signature", "delay"}},
	{&tx.CancelRecovery{Version: 6}, false, []string{"6", "stay"}},
	{&tx.FinishRecovery{Version: 6}, true, []string{"6", "lose every right"}},
	{&tx.Freeze{}, false, []string{"no grant", "recover"}},
	{&tx.Unfreeze{}, true, []string{"grants", "again"}},
	{&tx.RegisterBatch{Root: batch.Hash{0xab}, Size: 1000, Model: "Lock\" 2"}, false, []string{"ab0000", "1000", `"Lock\" 2"`}},
	{&tx.Claim{Device: guest.DeviceID(), Epoch: 1, Batch: &tx.BatchMember{Vendor: owner.AccountID(), Root: batch.Hash{0xab}, Index: 7, Key: guest, SealKey: [32]byte{9}}}, false,
		[]string{guest.DeviceID().String(), "ab0000", owner.AccountID().String(), "device 7"}},
	{&tx.SetPolicy{Device: device, Epoch: 8, Version: 3, Rules: []tx.MethodPolicy{
		{Endpoint: "lock", Method: "lock", Class: tx.FreshRead, Signers: 1}, {Endpoint: "lock", Method: "open", Class: tx.FreshComfort, Signers: 2},
		{Endpoint: "lock", Method: "state", Class: tx.FreshAccess, Signers: 1}, {Endpoint: "lock", Method: "unlock", Class: tx.FreshSealed, Signers: 1}}}, true,
		[]string{"front-door", "epoch 8", "version 3", "lock.open R1", "hour", "2 key(s)", "24 hours", "60 seconds", "sealed"}},
	{&tx.SetAddresses{Device: device, Epoch: 8, Addrs: []string{"/ip4/192.0.2.7/tcp/1/p2p/" + statetest.PeerID}}, false, []string{"front-door", "epoch 8", "192.0.2.7"}},
	{&tx.SetAddresses{Device: device, Epoch: 8}, false, []string{"nowhere"}},

	{&tx.OpenSeal{Device: device, Epoch: 8, Command: tx.ID{0xab}, Needed: 2, Until: 1_800_003_600}, true,
		[]string{"front-door", "epoch 8", tx.ID{0xab}.String(), "2 keys", "2027-01-15 09:00:00 UTC"}},
	{&tx.ApproveSeal{Device: device, Epoch: 8, Command: tx.ID{0xab}}, true, []string{"front-door", "epoch 8", tx.ID{0xab}.String()}},
	{&tx.AnchorReceipts{Device: device, Epoch: 8, From: 5, To: 77, Head: [32]byte{0xcd}}, false, []string{"front-door", "epoch 8", "5 to 77", "cd00"}},
	{&tx.PublishRelease{Model: "Lock\" 1", Version: "1.2.3", From: "1.0.0", Floor: "1.1.0", Artefact: tx.Artefact{SHA256: [32]byte{0xef}, Size: 99, URLs: []string{"https://a.example/x"}}}, true,
		[]string{`"Lock\" 1"`, "1.2.3", "1.0.0", "1.1.0", "ef00", "99 bytes", "https://a.example/x"}},
	{&tx.RevokeRelease{Model: "Lock 1", Version: "1.2.3"}, false, []string{`"Lock 1"`, "1.2.3"}},
	{&tx.PublishApp{App: "timer", Version: "1.2.3", Form: tx.FormWASM, Permissions: []string{"clock", "lamp"}, Artefact: tx.Artefact{SHA256: [32]byte{0xef}, Size: 99}}, true,
		[]string{"timer", "1.2.3", "wasm", "clock, lamp", "ef00", "99 bytes"}},
	{&tx.RevokeApp{App: "timer", Version: "1.2.3"}, false, []string{"timer", "1.2.3"}},
	{&tx.RotateVendorKeys{Version: 4, Threshold: 2, Keys: []key.Public{guest, owner}}, true, []string{guest.String(), owner.String(), "2 of 2 keys", "4"}},
}

func proposal(c tx.Change) *tx.Propose { return &tx.Propose{Until: 1_800_003_600, Change: c} }

func names(id key.DeviceID) string {
	if id == device {
		return "front-door"
	}
	return ""
}

func TestTx_SaysEverything(t *testing.T) {
	said := make(map[tx.Kind]bool)
	for _, s := range samples {
		d, err := tx.New(owner.AccountID(), 42, 1_800_000_600, s.payload)
		if err != nil {
			t.Fatal(err)
		}
		said[d.Body.Kind] = true
		sum, err := Tx(d, names)
		if err != nil {
			t.Fatalf("%s: %v", d.Body.Kind, err)
		}
		if sum.GivesRights != s.gives || sum.Title == "" {
			t.Errorf("%s: title %q, gives rights %v; want %v", d.Body.Kind, sum.Title, sum.GivesRights, s.gives)
		}
		var all strings.Builder
		for _, l := range sum.Lines {
			all.WriteString(l.Label + " " + l.Text + "\n")
		}
		for _, w := range append(s.words, owner.AccountID().String(), "42", "2027-01-15 08:10:00 UTC") {
			if !strings.Contains(all.String(), w) {
				t.Errorf("%s: %q is not said in\n%s", d.Body.Kind, w, all.String())
			}
		}
	}
	for _, k := range tx.Kinds() {
		if !said[k] {
			t.Errorf("no sample of %s: a kind needs words", k)
		}
	}
}

// TestTx_Refuses: what has no words is not signed.
func TestTx_Refuses(t *testing.T) {
	d, err := tx.New(owner.AccountID(), 1, 1, &tx.RevokeGrant{Grant: tx.ID{1}})
	if err != nil {
		t.Fatal(err)
	}
	unknown, broken, nothing := *d, *d, *d
	unknown.Body.Kind = 999
	broken.Body.Payload = codec.Raw{0xa0, 0xa0}
	nothing.Body.Kind, nothing.Body.Payload = tx.KindPropose, codec.MustMarshal(&tx.Propose{Until: 1})
	for _, bad := range []*tx.Tx{&unknown, &broken, &nothing} {
		if _, err := Tx(bad, nil); !errors.Is(err, ErrUnknown) {
			t.Errorf("got %v, want ErrUnknown", err)
		}
	}
}

// TestTx_ShowsTheBytes: what is shown is what is signed, not what a builder put
// beside it.
func TestTx_ShowsTheBytes(t *testing.T) {
	d, err := tx.New(owner.AccountID(), 1, 1, &tx.RevokeGrant{Grant: tx.ID{1}})
	if err != nil {
		t.Fatal(err)
	}
	d.Payload = &tx.RevokeGrant{Grant: tx.ID{2}}
	sum, err := Tx(d, nil)
	if err != nil || sum.Lines[0].Text != (tx.ID{1}).String() {
		t.Errorf("shows %+v, %v", sum.Lines, err)
	}
}
