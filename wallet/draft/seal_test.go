package draft

import (
	"errors"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func TestLedger_Seal(t *testing.T) {
	f := owned(t)
	id, cmd := f.dev.Public().DeviceID(), statetest.Command("open")
	f.Do(t, f.RotateTx(t, f.owner, f.owner, f.owner, f.next))
	d, err := f.ledger().OpenSeal(party(f.owner), id, cmd, 2, time.Hour)
	f.accept(t, d, err)
	s, err := f.ledger().Seal(id, cmd)
	if err != nil || !errors.Is(s.Refusal, state.NotSealed) || s.Present != 2 {
		t.Fatalf("open: %+v, %v", s, err)
	}
	d, err = f.ledger().ApproveSeal(Party{Account: f.owner.Public().AccountID(), Key: f.next}, id, cmd)
	f.accept(t, d, err)
	if s, err = f.ledger().Seal(id, cmd); err != nil || s.Refusal != nil {
		t.Fatalf("sealed: %+v, %v", s, err)
	}
	if _, err := f.ledger().ApproveSeal(party(statetest.Key("nobody")), id, cmd); !errors.Is(err, state.NoAccount) {
		t.Errorf("approval by nobody: %v", err)
	}
	if _, err := f.ledger().OpenSeal(party(f.owner), key.DeviceID{1}, cmd, 1, time.Hour); !errors.Is(err, state.NoDevice) {
		t.Errorf("seal for no device: %v", err)
	}
	if _, err := f.ledger().Seal(id, tx.ID{1}); !errors.Is(err, state.NoSeal) {
		t.Errorf("no seal: %v", err)
	}
	f.Do(t, f.ReleaseTx(t, f.owner, f.dev))
	if _, err := f.ledger().Seal(id, cmd); !errors.Is(err, state.NotOwner) {
		t.Errorf("seal of a device that nobody owns: %v", err)
	}
}

func TestLedger_Anchor(t *testing.T) {
	f := owned(t)
	id := f.dev.Public().DeviceID()
	d, err := f.ledger().Anchor(party(f.owner), id, 7, [32]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ledger().Rehearse(d); !errors.Is(err, state.MissingSigner) {
		t.Errorf("without the device: %v", err)
	}
	d.Sign(f.Block.Chain, tx.RoleDevice, f.dev)
	f.accept(t, d, nil)
	if r, err := f.ledger().Anchored(id); err != nil || r.Counter != 7 {
		t.Errorf("anchored: %+v, %v", r, err)
	}
	if _, err := f.ledger().Anchor(party(f.owner), id, 7, [32]byte{7}); !errors.Is(err, state.BadCounter) {
		t.Errorf("anchored twice: %v", err)
	}
	if _, err := f.ledger().Anchored(key.DeviceID{1}); !errors.Is(err, state.NoDevice) {
		t.Errorf("no device: %v", err)
	}
}

func TestLedger_Vendor(t *testing.T) {
	f := owned(t)
	vendor, second := f.Vendor.Public().AccountID(), statetest.Key("vendor second")
	one := Maker{vendor, []*key.Private{f.Vendor}}
	d, err := f.ledger().ByVendor(one, statetest.ReleaseOf("1.0.0"))
	f.accept(t, d, err)
	d, err = f.ledger().ByVendor(one, statetest.AppOf("1.0.0"))
	f.accept(t, d, err)
	d, err = f.ledger().RotateVendorKeys(one, []*key.Private{f.Vendor, second}, 2)
	f.accept(t, d, err)
	if p, err := f.ledger().PublishedRelease(vendor, "Lock 1", "1.0.0"); err != nil || !errors.Is(p.Refusal, state.Forged) || p.Payload != nil {
		t.Errorf("signed by one of two: %+v, %v", p, err)
	}
	both := Maker{vendor, []*key.Private{second, f.Vendor}}
	d, err = f.ledger().ByVendor(both, statetest.ReleaseOf("1.0.0"))
	f.accept(t, d, err)
	if p, err := f.ledger().PublishedRelease(vendor, "Lock 1", "1.0.0"); err != nil || p.Refusal != nil || p.Payload == nil {
		t.Errorf("signed by both: %+v, %v", p, err)
	}
	if p, err := f.ledger().PublishedApp(vendor, "timer", "1.0.0"); err != nil || p.Refusal == nil {
		t.Errorf("app signed by one of two: %+v, %v", p, err)
	}
	if _, err := f.ledger().ByVendor(Maker{vendor, []*key.Private{f.owner}}, statetest.ReleaseOf("2.0.0")); !errors.Is(err, state.WrongSigner) {
		t.Errorf("by a stranger: %v", err)
	}
	if _, err := f.ledger().ByVendor(Maker{f.owner.Public().AccountID(), nil}, statetest.ReleaseOf("2.0.0")); !errors.Is(err, state.NoVendor) {
		t.Errorf("by no vendor: %v", err)
	}
	if _, err := f.ledger().PublishedApp(vendor, "timer", "9.0.0"); !errors.Is(err, state.NoRelease) {
		t.Errorf("no such version: %v", err)
	}
}
