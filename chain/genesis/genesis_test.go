package genesis_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func doc() *genesis.Doc {
	k := statetest.Key("vendor").Public()
	return &genesis.Doc{
		ChainID: "hos-test", Time: 1_800_000_000,
		Validators: []genesis.Validator{
			{Name: "one", PubKey: bytes.Repeat([]byte{1}, 32)}, {Name: "zwölf", PubKey: bytes.Repeat([]byte{2}, 32)},
		},
		Vendors: []genesis.Vendor{{Name: "acme", Keys: []key.Public{k}, Threshold: 1, Quota: 10}},
	}
}

func TestParse_RoundTrip(t *testing.T) {
	d := doc()
	got, err := genesis.Parse(d.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, got); diff != "" {
		t.Fatal(diff)
	}
	if got.Hash() != d.Hash() || got.Chain() != codec.NewChainDigest("hos-test", d.Hash()) {
		t.Fatal("hash or chain digest changed")
	}
}

// TestHash_Form: white space and the order of names make no other ledger;
// every value does.
func TestHash_Form(t *testing.T) {
	d := doc()
	var small bytes.Buffer
	if err := json.Compact(&small, d.JSON()); err != nil {
		t.Fatal(err)
	}
	var plain map[string]any
	if err := json.Unmarshal(d.JSON(), &plain); err != nil {
		t.Fatal(err)
	}
	sorted, err := json.Marshal(plain) // names in the order of the alphabet
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range [][]byte{small.Bytes(), []byte("\n\t " + small.String() + " \n"), bytes.Replace(sorted, []byte("1800000000"), []byte("1800000000 "), 1)} {
		got, err := genesis.Parse(form)
		if err != nil || got.Hash() != d.Hash() {
			t.Errorf("%s: %v", form, err)
		}
	}
	changes := map[string]func(*genesis.Doc){
		"chain id":         func(d *genesis.Doc) { d.ChainID = "hos-test2" },
		"time":             func(d *genesis.Doc) { d.Time++ },
		"validator name":   func(d *genesis.Doc) { d.Validators[0].Name = "uno" },
		"validator key":    func(d *genesis.Doc) { d.Validators[0].PubKey[5]++ },
		"validators order": func(d *genesis.Doc) { d.Validators[0], d.Validators[1] = d.Validators[1], d.Validators[0] },
		"validator gone":   func(d *genesis.Doc) { d.Validators = d.Validators[:1] },
		"vendor name":      func(d *genesis.Doc) { d.Vendors[0].Name = "Acme" },
		"vendor key":       func(d *genesis.Doc) { d.Vendors[0].Keys[0] = statetest.Key("x").Public() },
		"vendor quota":     func(d *genesis.Doc) { d.Vendors[0].Quota++ },
		"no vendor":        func(d *genesis.Doc) { d.Vendors = nil },
	}
	seen := map[[32]byte]string{d.Hash(): "unchanged"}
	for name, change := range changes {
		c := doc()
		change(c)
		if other, ok := seen[c.Hash()]; ok {
			t.Errorf("%s gives the same hash as %s", name, other)
		}
		seen[c.Hash()] = name
	}
	none := doc()
	none.Vendors = nil
	got, err := genesis.Parse(none.JSON())
	if err != nil || got.Hash() != none.Hash() {
		t.Errorf("no vendors: %v", err)
	}
	none.Vendors = []genesis.Vendor{}
	if got.Hash() != none.Hash() {
		t.Error("null and [] differ")
	}
}

func TestParse_Refusals(t *testing.T) {
	good := string(doc().JSON())
	with := func(change func(*genesis.Doc)) string {
		d := doc()
		change(d)
		return string(d.JSON())
	}
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %q in the document", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	k := statetest.Key("vendor").Public()
	cases := []struct{ name, raw, want string }{
		{"empty", "", "EOF"},
		{"not json", "{", "EOF"},
		{"a list", "[]", "cannot unmarshal"},
		{"too large", strings.Repeat(" ", genesis.MaxBytes+1), "at most"},
		{"unknown name", swap(`"time"`, `"tme"`), "unknown or stands twice"},
		{"name in capitals", swap(`"chain_id"`, `"Chain_ID"`), "unknown or stands twice"},
		{"name with a long s", swap(`"keys"`, `"keyſ"`), "unknown or stands twice"},
		{"name twice", swap(`"time":`, `"time": 5, "time":`), "unknown or stands twice"},
		{"vendors twice", swap(`"vendors":`, `"vendors": [], "vendors":`), "unknown or stands twice"},
		{"quota twice in a vendor", swap(`"quota":`, `"quota": 1, "quota":`), "unknown or stands twice"},
		{"known name in the wrong place", swap(`"threshold":`, `"chain_id": "x", "threshold":`), "unknown field"},
		{"data after the end", good + "{}", "after the end"},
		{"noise after the end", good + "x", "invalid character"},
		{"time as text", swap("1800000000", `"1800000000"`), "cannot unmarshal"},
		{"time with a fraction", swap("1800000000", "1800000000.5"), "cannot unmarshal"},
		{"quota below zero", swap(`"quota": 10`, `"quota": -1`), "cannot unmarshal"},
		{"threshold over a byte", swap(`"threshold": 1`, `"threshold": 257`), "cannot unmarshal"},
		{"vendor key is an id", swap(k.String(), k.AccountID().String()), "bad_text"},
		{"no chain id", with(func(d *genesis.Doc) { d.ChainID = "" }), "chain id"},
		{"short chain id", with(func(d *genesis.Doc) { d.ChainID = "ab" }), "chain id"},
		{"long chain id", with(func(d *genesis.Doc) { d.ChainID = strings.Repeat("a", 49) }), "chain id"},
		{"chain id with capitals", with(func(d *genesis.Doc) { d.ChainID = "Hos" }), "chain id"},
		{"chain id with a path", with(func(d *genesis.Doc) { d.ChainID = "../etc" }), "chain id"},
		{"chain id with a line end", with(func(d *genesis.Doc) { d.ChainID = "hos-test\n" }), "chain id"},
		{"time zero", with(func(d *genesis.Doc) { d.Time = 0 }), "after 1970"},
		{"time before 1970", with(func(d *genesis.Doc) { d.Time = -1 }), "after 1970"},
		{"no validators", with(func(d *genesis.Doc) { d.Validators = nil }), "validators"},
		{"too many validators", with(func(d *genesis.Doc) { d.Validators = make([]genesis.Validator, genesis.MaxValidators+1) }), "validators"},
		{"validator without a name", with(func(d *genesis.Doc) { d.Validators[0].Name = "" }), "32-byte key"},
		{"validator with a long name", with(func(d *genesis.Doc) { d.Validators[0].Name = strings.Repeat("x", 65) }), "32-byte key"},
		{"validator with escapes in its name", with(func(d *genesis.Doc) { d.Validators[0].Name = "a\x1b[2J" }), "32-byte key"},
		{"validator that turns the line round", with(func(d *genesis.Doc) { d.Validators[0].Name = "a\u202eb" }), "32-byte key"},
		{"validator with a short key", with(func(d *genesis.Doc) { d.Validators[0].PubKey = make([]byte, 31) }), "32-byte key"},
		{"two validators, one key", with(func(d *genesis.Doc) { d.Validators[1].PubKey = d.Validators[0].PubKey }), "32-byte key"},
		{"too many vendors", with(func(d *genesis.Doc) {
			d.Vendors = nil
			for range genesis.MaxVendors + 1 {
				d.Vendors = append(d.Vendors, genesis.Vendor{Name: "x"})
			}
		}), "vendors"},
		{"vendor without a name", with(func(d *genesis.Doc) { d.Vendors[0].Name = "" }), "name"},
		{"vendor without keys", with(func(d *genesis.Doc) { d.Vendors[0].Keys = nil }), "threshold 1 of 0"},
		{"vendor with too many keys", with(func(d *genesis.Doc) {
			for i := range 16 {
				d.Vendors[0].Keys = append(d.Vendors[0].Keys, statetest.Key(string(rune('a'+i))).Public())
			}
		}), "of 17 keys"},
		{"threshold zero", with(func(d *genesis.Doc) { d.Vendors[0].Threshold = 0 }), "threshold 0"},
		{"threshold out of reach", with(func(d *genesis.Doc) { d.Vendors[0].Threshold = 2 }), "threshold 2 of 1"},
		{"vendor key twice", with(func(d *genesis.Doc) { d.Vendors[0].Keys = append(d.Vendors[0].Keys, k) }), "twice"},
		{"two vendors, one key", with(func(d *genesis.Doc) { d.Vendors = append(d.Vendors, d.Vendors[0]) }), "twice"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := genesis.Parse([]byte(c.raw))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
	bad := doc()
	bad.Vendors[0].Keys[0] = key.Public{Alg: 9}
	if err := bad.Validate(); !errors.Is(err, key.UnknownAlg) {
		t.Errorf("unknown algorithm: %v", err)
	}
	for _, k := range []key.Public{keytest.P256("x").Public(), keytest.Phone("x").Public()} {
		bad = doc()
		bad.Vendors[0].Keys = append(bad.Vendors[0].Keys, k)
		if _, err := genesis.Parse(bad.JSON()); !errors.Is(err, tx.InvokeOnly) {
			t.Errorf("vendor's key of algorithm %d: %v", k.Alg, err)
		}
	}
	bad = doc()
	bad.Vendors[0].Name = "\xff"
	if bad.Validate() == nil {
		t.Error("a name that is no UTF-8 accepted")
	}
}

func TestApply(t *testing.T) {
	d := doc()
	two := statetest.Key("two").Public()
	d.Vendors = append(d.Vendors, genesis.Vendor{Name: "bolt", Keys: []key.Public{two}, Threshold: 1, Quota: 5})
	tree := new(statetest.Tree)
	if err := d.Apply(tree); err != nil {
		t.Fatal(err)
	}
	if n := len(tree.Keys()); n != 3 {
		t.Fatalf("%d records", n)
	}
	raw, err := tree.Get(state.ParamsKey())
	if err != nil {
		t.Fatal(err)
	}
	var p state.Params
	if err := codec.Unmarshal(raw, &p, state.MaxRecord); err != nil || p.Chain != d.Chain() {
		t.Fatalf("params %+v, %v", p, err)
	}
	v, err := state.GetVendor(tree, two.AccountID())
	if err != nil || v.Name != "bolt" || v.Quota != 5 || v.Used != 0 || v.Sequence != 0 || v.Threshold != 1 {
		t.Fatalf("vendor %+v, %v", v, err)
	}
	// A vendor of the genesis can register at once.
	w := &statetest.World{Tree: tree, Vendor: statetest.Key("vendor"), Block: state.Block{Chain: d.Chain(), Height: 1, Time: d.Time}}
	w.Do(t, w.RegisterTx(t, statetest.Key("device")))

	tree.Err = errors.New("full")
	if err := d.Apply(tree); !errors.Is(err, tree.Err) {
		t.Fatalf("got %v", err)
	}
}

// governed is the document with three governors, two of whom decide.
func governed() *genesis.Doc {
	d := doc()
	d.Governance = &genesis.Governance{Threshold: 2}
	for i := range statetest.Governors {
		d.Governance.Governors = append(d.Governance.Governors, genesis.Governor{Name: fmt.Sprint("governor ", i), Key: statetest.Governor(i).Public()})
	}
	return d
}

func TestGovernance_RoundTrip(t *testing.T) {
	d := governed()
	got, err := genesis.Parse(d.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, got); diff != "" || got.Hash() != d.Hash() || got.Hash() == doc().Hash() {
		t.Fatal(diff)
	}
	if bytes.Contains(doc().JSON(), []byte("governance")) {
		t.Error("a document without governance names it")
	}
}

func TestGovernance_Refusals(t *testing.T) {
	type G = genesis.Governance
	cases := []struct {
		name   string
		change func(*G)
		want   string
	}{
		{"no governors", func(g *G) { g.Governors = nil }, "of 0 governors"},
		{"too many governors", func(g *G) {
			for i := len(g.Governors); i <= state.MaxGovernors; i++ {
				g.Governors = append(g.Governors, genesis.Governor{Name: "more", Key: statetest.Governor(i).Public()})
			}
		}, "of 17 governors"},
		{"threshold zero", func(g *G) { g.Threshold = 0 }, "threshold 0"},
		{"threshold out of reach", func(g *G) { g.Threshold = 4 }, "threshold 4"},
		{"no name", func(g *G) { g.Governors[1].Name = "" }, "no name"},
		{"escapes in a name", func(g *G) { g.Governors[1].Name = "a\x1b[2J" }, "not printable"},
		{"key twice", func(g *G) { g.Governors[1].Key = g.Governors[0].Key }, "twice"},
		{"a vendor's key", func(g *G) { g.Governors[1].Key = statetest.Key("vendor").Public() }, "twice"},
		{"a phone's key", func(g *G) { g.Governors[1].Key = keytest.Phone("x").Public() }, string(tx.InvokeOnly)},
	}
	for _, c := range cases {
		d := governed()
		c.change(d.Governance)
		if _, err := genesis.Parse(d.JSON()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	for _, bad := range []string{`"voters": 1, "governors"`, `"governors": [], "governors"`} {
		raw := strings.Replace(string(governed().JSON()), `"governors"`, bad, 1)
		if _, err := genesis.Parse([]byte(raw)); err == nil {
			t.Errorf("%s accepted", bad)
		}
	}
}

func TestGovernance_Apply(t *testing.T) {
	d, tree := governed(), new(statetest.Tree)
	if err := d.Apply(tree); err != nil {
		t.Fatal(err)
	}
	set, err := state.GetValidatorSet(tree)
	if err != nil || len(set.Members) != 2 {
		t.Fatalf("set %+v, %v", set, err)
	}
	for _, v := range d.Validators {
		r, err := state.GetValidator(tree, tx.ValidatorKey(v.PubKey).Address())
		if err != nil || r.Name != v.Name || r.Power != genesis.Power || r.Status != state.Validating {
			t.Errorf("validator %+v, %v", r, err)
		}
	}
	gov, err := state.GetGovernance(tree)
	if err != nil || gov.Threshold != 2 || len(gov.Governors) != 3 {
		t.Fatalf("governance %+v, %v", gov, err)
	}
	// A governor of the genesis can propose at once.
	w := &statetest.World{Tree: tree, Block: state.Block{Chain: d.Chain(), Height: 1, Time: d.Time}}
	w.Do(t, w.AddTx(t, statetest.Governor(2), "new"))
	tree.Err = errors.New("full")
	if err := d.ApplyValidators(tree); !errors.Is(err, tree.Err) {
		t.Fatalf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(doc().JSON())
	f.Add(governed().JSON())
	f.Add([]byte(`{"chain_id":"abc","vendors":[{"name":"x","keys":[null]}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := genesis.Parse(in)
		if err != nil {
			return
		}
		again, err := genesis.Parse(d.JSON())
		if err != nil || again.Hash() != d.Hash() {
			t.Fatalf("its own form: %v", err)
		}
	})
}
