package state_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var (
	vendorID = statetest.Key("vendor").Public().AccountID()
	second   = statetest.Key("vendor second")
	shelf    = state.Releases(vendorID, "Lock 1")
	apps     = state.Apps(vendorID, "timer")
)

// byVendor is a transaction of the vendor, signed by the given keys or by its
// first.
func byVendor(p tx.Payload, by ...statetest.As) builder {
	return func(tb testing.TB, w *statetest.World) *tx.Tx { return w.VendorTx(tb, p, by...) }
}

func release(version string) builder { return byVendor(statetest.ReleaseOf(version)) }
func app(version string) builder     { return byVendor(statetest.AppOf(version)) }

func revokeRelease(version string) builder {
	return byVendor(&tx.RevokeRelease{Model: "Lock 1", Version: version})
}

func revokeApp(version string) builder {
	return byVendor(&tx.RevokeApp{App: "timer", Version: version})
}

// done executes what f makes.
func done(fs ...builder) func(testing.TB, *statetest.World) {
	return func(tb testing.TB, w *statetest.World) {
		for _, f := range fs {
			w.Do(tb, f(tb, w))
		}
	}
}

// suspended suspends the vendor.
func suspended(tb testing.TB, w *statetest.World) {
	lieVendor(w, func(v *state.Vendor) { v.Suspended = true })
}

func lieVendor(w *statetest.World, change func(*state.Vendor)) {
	v := must(state.GetVendor(w.Tree, vendorID))
	change(&v)
	w.Put(state.VendorKey(vendorID), v)
}

// paired makes the vendor one of two keys, both of which must sign.
func paired(tb testing.TB, w *statetest.World) {
	w.Do(tb, w.RotateVendorTx(tb, w.Vendor, 2, w.Vendor, second))
}

var publicationRefusals = []refusal{
	{"release by no vendor", state.NoVendor, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, owner.Public().AccountID(), statetest.ReleaseOf("1.0.0"), as(tx.RoleVendor, owner))
	}},
	{"release by a suspended vendor", state.VendorSuspended, after(suspended, release("1.0.0"))},
	{"release signed by a stranger", state.WrongSigner, byVendor(statetest.ReleaseOf("1.0.0"), as(tx.RoleVendor, thief))},
	{"release signed by one of two", state.MissingSigner, after(paired, release("1.0.0"))},
	{"release twice", state.ReleaseExists, after(done(release("1.0.0")), release("1.0.0"))},
	{"release with another file", state.ReleaseExists, after(done(release("1.0.0")), byVendor(&tx.PublishRelease{Model: "Lock 1", Version: "1.0.0", Artefact: statetest.Artefact("evil")}))},
	{"another file under newer keys", state.ReleaseExists, func(tb testing.TB, w *statetest.World) *tx.Tx {
		done(release("1.0.0"))(tb, w)
		paired(tb, w)
		return w.VendorTx(tb, &tx.PublishRelease{Model: "Lock 1", Version: "1.0.0", Artefact: statetest.Artefact("evil")}, asVendor, as(tx.RoleVendor, second))
	}},
	{"release of a dead version", state.ReleaseRevoked, after(done(release("1.0.0"), revokeRelease("1.0.0")), release("1.0.0"))},
	{"revoke of no release", state.NoRelease, revokeRelease("1.0.0")},
	{"revoke of another model's release", state.NoRelease, after(done(release("1.0.0")), byVendor(&tx.RevokeRelease{Model: "Lock 2", Version: "1.0.0"}))},
	{"revoked release revoked", state.ReleaseRevoked, after(done(release("1.0.0"), revokeRelease("1.0.0")), revokeRelease("1.0.0"))},
	{"revoke signed by a stranger", state.WrongSigner, after(done(release("1.0.0")), byVendor(&tx.RevokeRelease{Model: "Lock 1", Version: "1.0.0"}, as(tx.RoleVendor, thief)))},

	{"app by a suspended vendor", state.VendorSuspended, after(suspended, app("1.0.0"))},
	{"app signed by a stranger", state.WrongSigner, byVendor(statetest.AppOf("1.0.0"), as(tx.RoleVendor, thief))},
	{"app twice", state.ReleaseExists, after(done(app("1.0.0")), app("1.0.0"))},
	{"app of a dead version", state.ReleaseRevoked, after(done(app("1.0.0"), revokeApp("1.0.0")), app("1.0.0"))},
	{"revoke of no app", state.NoRelease, after(done(release("1.0.0")), revokeApp("1.0.0"))},
	{"revoked app revoked", state.ReleaseRevoked, after(done(app("1.0.0"), revokeApp("1.0.0")), revokeApp("1.0.0"))},

	{"vendor's keys by no vendor", state.NoVendor, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, owner.Public().AccountID(), &tx.RotateVendorKeys{Version: 1, Threshold: 1, Keys: []key.Public{guest.Public()}}, as(tx.RoleVendor, owner))
	}},
	{"vendor's keys by a suspended vendor", state.VendorSuspended, after(suspended, builders[tx.KindRotateVendorKeys])},
	{"vendor's keys of a later version", state.BadKeyVersion, byVendor(&tx.RotateVendorKeys{Version: 2, Threshold: 1, Keys: []key.Public{second.Public()}}, asVendor, as(tx.RoleNewKey, second))},
	{"vendor's keys of the present version", state.BadKeyVersion, after(paired, byVendor(&tx.RotateVendorKeys{Version: 1, Threshold: 1, Keys: []key.Public{second.Public()}}, asVendor, as(tx.RoleVendor, second)))},
	{"vendor's keys without the new key", state.MissingSigner, byVendor(&tx.RotateVendorKeys{Version: 1, Threshold: 1, Keys: []key.Public{second.Public()}}, asVendor)},
	{"vendor's keys without the old threshold", state.MissingSigner, after(paired, byVendor(&tx.RotateVendorKeys{Version: 2, Threshold: 1, Keys: []key.Public{second.Public()}}, asVendor))},
	{"vendor's keys by the old key", state.WrongSigner, after(func(tb testing.TB, w *statetest.World) { w.Do(tb, w.RotateVendorTx(tb, w.Vendor, 1, second)) }, release("1.0.0"))},
}

// pinVendor is what a device holds that was made now.
func pinVendor(w *statetest.World) state.VendorPin {
	return state.VendorPin{Vendor: vendorID, Keys: must(state.GetVendor(w.Tree, vendorID)).KeySet()}
}

// liePublication shows a release, or what is made of it, to a device that has pinned
// its vendor.
func liePublication(spoil func(testing.TB, *statetest.World, *state.Publication)) func(testing.TB) error {
	return func(tb testing.TB) error {
		w := owned(tb)
		pin := pinVendor(w)
		done(release("1.0.0"))(tb, w)
		r := must(shelf.Get(w.Tree, "1.0.0"))
		spoil(tb, w, &r)
		_, err := state.VerifyRelease(w.Block.Chain, pin, "Lock 1", "1.0.0", r)
		return err
	}
}

func shows(f builder) func(testing.TB, *statetest.World, *state.Publication) {
	return func(tb testing.TB, w *statetest.World, r *state.Publication) { r.Tx = f(tb, w).Bytes() }
}

// lieVendorKeys shows other keys of the vendor, with what is made as their
// evidence.
func lieVendorKeys(keep builder, change func(*state.Vendor)) func(testing.TB) error {
	return func(tb testing.TB) error {
		w := owned(tb)
		pin := pinVendor(w)
		if keep != nil {
			set(w, state.VendorChangeKey(vendorID, 1), keep(tb, w).Bytes())
		}
		lieVendor(w, change)
		got, err := state.FollowVendor(w.Tree, w.Block.Chain, pin)
		if err != nil && cmp.Diff(got, pin) != "" {
			tb.Error("refused, but the pin has moved")
		}
		return err
	}
}

func toThiefs(v *state.Vendor) { v.KeyVersion, v.Keys = 1, []key.Public{thief.Public()} }

var thiefs = &tx.RotateVendorKeys{Version: 1, Threshold: 1, Keys: []key.Public{thief.Public()}}

// publicationLies are ledgers that show releases and keys which the vendor did
// not sign.
var publicationLies = []lie{
	{"revoked release", state.ReleaseRevoked, liePublication(func(_ testing.TB, _ *statetest.World, r *state.Publication) { r.Status = state.Revoked })},
	{"release of no status", state.ReleaseRevoked, liePublication(func(_ testing.TB, _ *statetest.World, r *state.Publication) { r.Status = 0 })},
	{"release that is noise", state.Forged, liePublication(func(_ testing.TB, _ *statetest.World, r *state.Publication) { r.Tx = []byte{0xa0} })},
	{"release signed by the thief", state.Forged, liePublication(shows(byVendor(statetest.ReleaseOf("1.0.0"), as(tx.RoleVendor, thief))))},
	{"release of another version", state.Forged, liePublication(shows(release("0.9.0")))},
	{"release of another model", state.Forged, liePublication(shows(byVendor(&tx.PublishRelease{Model: "Lock 2", Version: "1.0.0", Artefact: statetest.Artefact("1.0.0")})))},
	{"an app for a release", state.Forged, liePublication(shows(app("1.0.0")))},
	{"release of another vendor", state.Forged, liePublication(shows(func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, thief.Public().AccountID(), statetest.ReleaseOf("1.0.0"), as(tx.RoleVendor, thief))
	}))},
	{"release said to be another vendor's", state.Forged, liePublication(func(_ testing.TB, _ *statetest.World, r *state.Publication) { r.Vendor[0] ^= 1 })},
	{"a release for an app", state.Forged, func(tb testing.TB) error {
		w := owned(tb)
		done(release("1.0.0"))(tb, w)
		_, err := state.VerifyApp(w.Block.Chain, pinVendor(w), "timer", "1.0.0", must(shelf.Get(w.Tree, "1.0.0")))
		return err
	}},
	{"app that is revoked", state.ReleaseRevoked, func(tb testing.TB) error {
		w := owned(tb)
		done(app("1.0.0"), revokeApp("1.0.0"))(tb, w)
		_, err := state.VerifyApp(w.Block.Chain, pinVendor(w), "timer", "1.0.0", must(apps.Get(w.Tree, "1.0.0")))
		return err
	}},
	{"vendor's keys changed, version kept", state.Forged, lieVendorKeys(nil, func(v *state.Vendor) { v.Keys = []key.Public{thief.Public()} })},
	{"vendor's threshold changed", state.Forged, lieVendorKeys(nil, func(v *state.Vendor) { v.Threshold = 2 })},
	{"vendor's keys changed, nothing behind it", state.NoChange, lieVendorKeys(nil, toThiefs)},
	{"vendor's keys that the thief signed", state.Forged, lieVendorKeys(byVendor(thiefs, as(tx.RoleVendor, thief), as(tx.RoleNewKey, thief)), toThiefs)},
	{"vendor's keys without the new key's proof", state.Forged, lieVendorKeys(byVendor(thiefs, asVendor), toThiefs)},
	{"vendor's keys with another transaction behind them", state.Forged, lieVendorKeys(release("1.0.0"), toThiefs)},
	{"vendor's keys of another version", state.Forged, lieVendorKeys(byVendor(&tx.RotateVendorKeys{Version: 2, Threshold: 1, Keys: thiefs.Keys}, asVendor, as(tx.RoleNewKey, thief)), toThiefs)},
	{"vendor's keys of another vendor", state.Forged, lieVendorKeys(func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, thief.Public().AccountID(), thiefs, asVendor, as(tx.RoleNewKey, thief))
	}, toThiefs)},
	{"vendor's keys went back", state.Forged, func(tb testing.TB) error {
		w := owned(tb)
		paired(tb, w)
		pin := pinVendor(w)
		lieVendor(w, func(v *state.Vendor) { v.KeyVersion, v.Threshold, v.Keys = 0, 1, v.Keys[:1] })
		_, err := state.FollowVendor(w.Tree, w.Block.Chain, pin)
		return err
	}},
	{"too many changes of a vendor's keys", state.Forged, lieVendorKeys(nil, func(v *state.Vendor) { v.KeyVersion = state.MaxFollow + 1 })},
	{"vendor that is not there", state.NoVendor, func(tb testing.TB) error {
		_, err := state.FollowVendor(owned(tb).Tree, statetest.NewWorld().Block.Chain, state.VendorPin{})
		return err
	}},
}

// TestPublication: versions are listed from the newest on, verified by a device
// that has pinned its vendor, and dead when revoked.
func TestPublication(t *testing.T) {
	w := owned(t)
	pin := pinVendor(w)
	done(release("1.0.0"), release("2.0.0"), release("1.0.1"), app("1.0.0"), revokeRelease("2.0.0"))(t, w)
	var listed []string
	for v := must(shelf.Newest(w.Tree)); v != ""; {
		r := must(shelf.Get(w.Tree, v))
		p, err := state.VerifyRelease(w.Block.Chain, pin, "Lock 1", v, r)
		if want := error(state.ReleaseRevoked); v == "2.0.0" && !errors.Is(err, want) || v != "2.0.0" && (err != nil || cmp.Diff(p, statetest.ReleaseOf(v)) != "") {
			t.Errorf("%s: %+v, %v", v, p, err)
		}
		listed, v = append(listed, v), r.Previous
	}
	if d := cmp.Diff([]string{"1.0.1", "2.0.0", "1.0.0"}, listed); d != "" {
		t.Error(d)
	}
	p, err := state.VerifyApp(w.Block.Chain, pin, "timer", "1.0.0", must(apps.Get(w.Tree, "1.0.0")))
	if err != nil || cmp.Diff(p, statetest.AppOf("1.0.0")) != "" {
		t.Errorf("app: %+v, %v", p, err)
	}
	if _, err := state.Apps(vendorID, "Lock 1").Newest(w.Tree); !errors.Is(err, state.NoRelease) {
		t.Errorf("an app of the model's name: %v", err)
	}
}

// TestPublication_Keys: a device follows its vendor's keys; what was signed by
// keys that have left is dead to it, until the vendor signs the same again.
func TestPublication_Keys(t *testing.T) {
	w := owned(t)
	first := pinVendor(w)
	done(release("1.0.0"), release("1.1.0"))(t, w)
	paired(t, w)
	both, err := state.FollowVendor(w.Tree, w.Block.Chain, first)
	if err != nil || both.Keys.Version != 1 || both.Keys.Threshold != 2 {
		t.Fatalf("%+v, %v", both, err)
	}
	old := must(shelf.Get(w.Tree, "1.0.0"))
	if _, err := state.VerifyRelease(w.Block.Chain, both, "Lock 1", "1.0.0", old); !errors.Is(err, state.Forged) {
		t.Errorf("signed by one of two: %v", err)
	}
	asSecond := as(tx.RoleVendor, second)
	w.Do(t, w.VendorTx(t, statetest.ReleaseOf("1.0.0"), asVendor, asSecond))
	again := must(shelf.Get(w.Tree, "1.0.0"))
	if _, err := state.VerifyRelease(w.Block.Chain, both, "Lock 1", "1.0.0", again); err != nil || again.Previous != "" || again.Keys != 1 {
		t.Errorf("signed again: %+v, %v", again, err)
	}
	if v := must(shelf.Newest(w.Tree)); v != "1.1.0" {
		t.Errorf("newest is %s", v)
	}
	refused(t, w, w.VendorTx(t, statetest.ReleaseOf("1.0.0"), asVendor, asSecond), state.ReleaseExists)

	// The first key leaves; a device that slept through all of it follows.
	p := &tx.RotateVendorKeys{Version: 2, Threshold: 1, Keys: []key.Public{second.Public()}}
	w.Do(t, w.VendorTx(t, p, asVendor, asSecond))
	end, err := state.FollowVendor(w.Tree, w.Block.Chain, first)
	if err != nil || end.Keys.Version != 2 {
		t.Fatalf("%+v, %v", end, err)
	}
	if got, err := state.FollowVendor(w.Tree, w.Block.Chain, end); err != nil || cmp.Diff(got, end) != "" {
		t.Errorf("following at rest: %+v, %v", got, err)
	}
	// The vendor's id stays, so its devices stay its own.
	if v := must(state.GetDevice(w.Tree, devID)).Vendor; v != vendorID {
		t.Errorf("vendor of the device: %s", v)
	}
	w.Do(t, w.VendorTx(t, &tx.RevokeRelease{Model: "Lock 1", Version: "1.1.0"}, asSecond))
	// A suspended vendor can still take away.
	suspended(t, w)
	w.Do(t, w.VendorTx(t, &tx.RevokeRelease{Model: "Lock 1", Version: "1.0.0"}, asSecond))
}

// TestPublication_Readmitted: governors can give a vendor other keys, but no
// device that has pinned the old ones believes them.
func TestPublication_Readmitted(t *testing.T) {
	w := owned(t)
	pin := pinVendor(w)
	paired(t, w)
	suspended(t, w)
	x := w.ProposeTx(t, statetest.Governor(0), tx.Change{AdmitVendor: &tx.AdmitVendor{VendorName: "acme", Keys: []key.Public{w.Vendor.Public(), thief.Public()}, Threshold: 1, Quota: 9}})
	w.Do(t, x)
	w.Do(t, w.ApproveTx(t, statetest.Governor(1), x.ID(w.Block.Chain)))
	w.Do(t, w.VendorTx(t, statetest.ReleaseOf("6.6.6"), as(tx.RoleVendor, thief)))
	if _, err := state.FollowVendor(w.Tree, w.Block.Chain, pin); !errors.Is(err, state.Forged) {
		t.Errorf("the governors' keys: %v", err)
	}
	if _, err := state.VerifyRelease(w.Block.Chain, pin, "Lock 1", "6.6.6", must(shelf.Get(w.Tree, "6.6.6"))); !errors.Is(err, state.Forged) {
		t.Errorf("what they signed: %v", err)
	}
}
