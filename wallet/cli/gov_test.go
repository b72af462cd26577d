package cli

import (
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
)

// governed gives a world with four validators and three governors, two of whom
// decide, and the governors.
func governed(t *testing.T) (*world, []*person) {
	t.Helper()
	w := newWorld(t)
	var people []*person
	w.doc.Governance = &genesis.Governance{Threshold: 2}
	for i := range 3 {
		p := w.person(t)
		p.hos(exitOK, "key", "new")
		k, err := key.ParsePublic(p.public())
		if err != nil {
			t.Fatal(err)
		}
		w.doc.Governance.Governors = append(w.doc.Governance.Governors, genesis.Governor{Name: fmt.Sprint("governor ", i), Key: k})
		people = append(people, p)
	}
	w.doc.Validators = nil
	for i := range 4 {
		name := fmt.Sprint("validator ", i)
		w.doc.Validators = append(w.doc.Validators, genesis.Validator{Name: name, PubKey: valHex(name).key})
	}
	w.tree = new(statetest.Tree)
	if err := w.doc.Apply(w.tree); err != nil {
		t.Fatal(err)
	}
	for _, p := range people {
		p.env["HOS_GENESIS"] = w.person(t).env["HOS_GENESIS"] // the document with their keys
	}
	return w, people
}

// val is what an operator hands to a governor.
type val struct {
	key        []byte
	pub, proof string
}

func valHex(name string) val {
	pub := statetest.ValidatorPub(statetest.ValidatorKey(name))
	return val{key: pub[:], pub: pub.String()}
}

func (w *world) proven(name string) val {
	v := valHex(name)
	proof := statetest.Prove(w.doc.Chain(), statetest.ValidatorKey(name))
	v.proof = hex.EncodeToString(proof[:])
	return v
}

// validators are the names in hos gov list.
func validators(p *person) (names []string) {
	for _, v := range p.json("hos.gov.list", "gov", "list")["validators"].([]any) {
		names = append(names, v.(map[string]any)["name"].(string))
	}
	return names
}

// TestGov_Validators: a validator is added, gets another key and is removed;
// nothing happens before the second governor has seen and approved it.
func TestGov_Validators(t *testing.T) {
	w, gov := governed(t)
	v := w.proven("five")
	add := []string{"gov", "propose", "add-validator", "--name", "five", "--key", v.pub, "--proof", v.proof}
	_, talk := gov[0].hos(exitUsage, add...)
	if !strings.Contains(talk, "--yes") || !strings.Contains(talk, v.pub) {
		t.Errorf("without --yes: %s", talk)
	}
	r := gov[0].json("hos.tx", append(add, "--yes")...)
	id := r["id"].(string)
	if len(validators(gov[1])) != 4 {
		t.Error("one governor alone added a validator")
	}
	list, _ := gov[1].hos(exitOK, "gov", "list")
	for _, want := range []string{"2 of 3 governors decide", id, "add-validator, 1 of 2 approvals", v.pub, `"five"`} {
		if !strings.Contains(list, want) {
			t.Errorf("the list lacks %q:\n%s", want, list)
		}
	}
	gov[0].hos(exitFailure, "gov", "approve", id, "--yes") // one's own
	_, talk = gov[1].hos(exitUsage, "gov", "approve", id[:8])
	if !strings.Contains(talk, v.pub) || !strings.Contains(talk, "Propose a new validator") {
		t.Errorf("what is approved is not shown: %s", talk)
	}
	out, _ := gov[1].hos(exitOK, "gov", "approve", id[:8], "--yes")
	if !strings.Contains(out, "is carried out") || len(validators(gov[2])) != 5 {
		t.Errorf("approved: %s", out)
	}
	gov[2].hos(exitFailure, "gov", "approve", id, "--yes")      // done already
	gov[2].hos(exitNotFound, "gov", "approve", id[:8], "--yes") // and so not open
	gov[0].hos(exitFailure, append(add, "--yes")...)            // the key is a validator's

	second := w.proven("second")
	r = gov[2].json("hos.tx", "gov", "propose", "replace-key", "--old", v.pub, "--new", second.pub, "--proof", second.proof, "--yes")
	gov[0].hos(exitOK, "gov", "approve", r["id"].(string), "--yes")
	gov[0].hos(exitNotFound, "gov", "propose", "remove-validator", v.pub, "--yes") // the old key has no power
	r = gov[0].json("hos.tx", "gov", "propose", "remove-validator", second.pub, "--yes")
	gov[1].hos(exitOK, "gov", "approve", r["id"].(string), "--yes")
	if got := validators(gov[0]); len(got) != 4 {
		t.Errorf("validators %v", got)
	}
	bad := strings.Repeat("00", 64)
	gov[0].hos(exitInvalid, "gov", "propose", "add-validator", "--name", "six", "--key", w.proven("six").pub, "--proof", bad, "--yes")
}

// TestGov_Vendors: a maker is admitted, gets a quota, is suspended and admitted
// again.
func TestGov_Vendors(t *testing.T) {
	w, gov := governed(t)
	maker := w.person(t)
	maker.hos(exitOK, "key", "new")
	pub, err := key.ParsePublic(maker.public())
	if err != nil {
		t.Fatal(err)
	}
	id := pub.AccountID().String()
	register := func(name string) []string {
		return []string{"vendor", "register", "--device", statetest.Key(name).Public().String(), "--seal", strings.Repeat("01", 32), "--model", "L"}
	}
	decide := func(args ...string) {
		t.Helper()
		r := gov[0].json("hos.tx", append([]string{"gov", "propose"}, append(args, "--yes")...)...)
		gov[1].hos(exitOK, "gov", "approve", r["id"].(string), "--yes")
	}
	maker.hos(exitDenied, register("one")...)
	decide("admit-vendor", "--name", "bolt", "--key", pub.String(), "--quota", "1")
	maker.hos(exitOK, register("one")...)
	maker.hos(exitDenied, register("two")...)
	decide("set-quota", id, "5")
	maker.hos(exitOK, register("two")...)
	decide("suspend-vendor", id)
	_, talk := maker.hos(exitDenied, register("three")...)
	if !strings.Contains(talk, "admit it again") {
		t.Errorf("suspended: %s", talk)
	}
	gov[0].hos(exitDenied, "gov", "propose", "suspend-vendor", id, "--yes")
	decide("admit-vendor", "--name", "bolt", "--key", pub.String(), "--quota", "9")
	maker.hos(exitOK, register("three")...)
	gov[0].hos(exitFailure, "gov", "propose", "admit-vendor", "--name", "bolt", "--key", pub.String(), "--yes")
}

// TestGov_Denied: governing takes a governor's key and a governed ledger.
func TestGov_Denied(t *testing.T) {
	w, gov := governed(t)
	stranger := w.person(t)
	stranger.hos(exitOK, "key", "new")
	vendor := vendorKey.Public().AccountID().String()
	quota := []string{"gov", "propose", "set-quota", vendor, "5", "--yes"}
	stranger.hos(exitDenied, quota...)
	r := stranger.json("hos.tx", append(quota, "--key-file", gov[0].keyFile())...) // whoever has the file and the passphrase
	stranger.hos(exitOK, "gov", "approve", r["id"].(string), "--yes", "--key-file", gov[1].keyFile())
	v, err := state.GetVendor(w.tree, vendorKey.Public().AccountID())
	if err != nil || v.Quota != 5 {
		t.Errorf("vendor %+v, %v", v, err)
	}
	gov[0].hos(exitUsage, append(quota, "--for", "721h")...)
	gov[0].hos(exitFailure, append(quota, "--for", "-1h")...)
	gov[0].hos(exitNotFound, "gov", "approve", "abc", "--yes")
	for range state.MaxOpenProposals {
		gov[2].hos(exitOK, quota...)
	}
	gov[2].hos(exitDenied, quota...)

	plain := newWorld(t).person(t)
	plain.hos(exitOK, "key", "new")
	_, talk := plain.hos(exitDenied, "gov", "list")
	if !strings.Contains(talk, "names no governors") {
		t.Errorf("ungoverned: %s", talk)
	}
	plain.hos(exitDenied, quota...)
}

// keyFile is where a person's key is.
func (p *person) keyFile() string { return filepath.Join(p.env["HOS_HOME"], "owner.key") }

// TestGov_Settings: quotas are set and shown; an upgrade is scheduled, shown and
// cancelled.
func TestGov_Settings(t *testing.T) {
	_, gov := governed(t)
	decide := func(args ...string) {
		t.Helper()
		r := gov[0].json("hos.tx", append([]string{"gov", "propose"}, append(args, "--yes")...)...)
		gov[1].hos(exitOK, "gov", "approve", r["id"].(string), "--yes")
	}
	shows := func(wants ...string) {
		t.Helper()
		out, _ := gov[2].hos(exitOK, "gov", "show")
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("hos gov show lacks %q:\n%s", want, out)
			}
		}
	}
	shows("16 transactions, and 512 for each device, in 24h0m0s", "rules", "version 1", "no upgrade is to come")
	decide("params", "--base", "20", "--per-device", "30", "--period", "1h")
	shows("20 transactions, and 30 for each device, in 1h0m0s")
	gov[0].hos(exitUsage, "gov", "propose", "params", "--base", "1", "--yes")
	gov[0].hos(exitUsage, "gov", "propose", "params", "--period", "1500ms", "--yes")

	hash := strings.Repeat("ab", 32)
	upgrade := func(name, height string) []string {
		return []string{"upgrade", name, "--height", height, "--hash", hash, "--hash", strings.Repeat("12", 32), "--url", "https://example.org/two"}
	}
	_, talk := gov[0].hos(exitUsage, append([]string{"gov", "propose"}, append(upgrade("two", "2"), "--yes")...)...)
	if !strings.Contains(talk, "--height") {
		t.Errorf("too late: %s", talk)
	}
	decide(upgrade("two", "5000")...)
	shows("upgrade", "two at height 5000", hash, "https://example.org/two")
	gov[0].hos(exitDenied, append([]string{"gov", "propose"}, append(upgrade("three", "6000"), "--yes")...)...)
	gov[0].hos(exitNotFound, "gov", "propose", "cancel-upgrade", "three", "--yes")
	if up := gov[0].json("hos.gov.show", "gov", "show")["upgrade"].(map[string]any); up["name"] != "two" || up["height"] != 5000.0 || len(up["hashes"].([]any)) != 2 {
		t.Errorf("%v", up)
	}
	decide("cancel-upgrade", "two")
	shows("no upgrade is to come")
	gov[0].hos(exitUsage, "gov", "propose", "upgrade", "two", "--height", "5000", "--hash", "12", "--yes")
}

// TestGov_Governors: a new governor proves its key and takes another's place.
func TestGov_Governors(t *testing.T) {
	w, gov := governed(t)
	next := w.person(t)
	next.hos(exitOK, "key", "new")
	p := next.json("hos.gov.prove", "gov", "prove")
	proven := fmt.Sprintf("key=%s,proof=%s", p["key"], p["proof"])
	out, _ := next.hos(exitOK, "gov", "prove")
	if strings.TrimSpace(out) != proven {
		t.Errorf("prove prints %q", out)
	}
	stays := "name=one,key=" + gov[1].public()
	propose := func(members ...string) []string {
		args := []string{"gov", "propose", "governors", "--threshold", "2", "--yes"}
		for _, m := range members {
			args = append(args, "--governor", m)
		}
		return args
	}
	gov[0].hos(exitInvalid, propose(stays, "name=new,key="+next.public())...)
	gov[0].hos(exitUsage, propose(stays)...) // nobody could reach the threshold
	gov[0].hos(exitUsage, propose(stays, "nobody")...)
	gov[0].hos(exitUsage, propose(stays, "name=new,key=hospub1bad")...)
	gov[0].hos(exitUsage, propose(stays, "name=new,key="+next.public()+",proof=00")...)
	open := gov[2].json("hos.tx", "gov", "propose", "params", "--yes")["id"].(string)
	r := gov[0].json("hos.tx", propose(stays, "name=new,"+proven)...)
	_, talk := gov[1].hos(exitUsage, "gov", "approve", r["id"].(string))
	if !strings.Contains(talk, "2 of 2 governors") || !strings.Contains(talk, next.public()) {
		t.Errorf("what is approved is not shown: %s", talk)
	}
	gov[1].hos(exitOK, "gov", "approve", r["id"].(string), "--yes")
	gov[0].hos(exitDenied, "gov", "propose", "params", "--yes")
	_, talk = gov[1].hos(exitFailure, "gov", "approve", open, "--yes")
	if !strings.Contains(talk, "try: ") {
		t.Errorf("a proposal of before: %s", talk)
	}
	r = next.json("hos.tx", "gov", "propose", "params", "--yes")
	gov[1].hos(exitOK, "gov", "approve", r["id"].(string), "--yes")
}
