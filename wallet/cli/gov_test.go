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
