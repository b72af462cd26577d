package did_test

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/did"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
)

func TestParse_RoundTrip(t *testing.T) {
	pub := keytest.P256("a").Public()
	long := strings.Repeat("a", 48)
	for _, chain := range []string{"hos-1", "abc", long} {
		acc, err := did.OfAccount(chain, pub.AccountID())
		if err != nil {
			t.Fatal(err)
		}
		dev, err := did.OfDevice(chain, pub.DeviceID())
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []did.DID{acc, dev} {
			got, err := did.Parse(d.String())
			if err != nil || got != d || got.Chain() != chain || len(d.String()) > did.MaxText {
				t.Errorf("%s: %v %v", d, got, err)
			}
		}
		if id, ok := acc.Account(); !ok || id != pub.AccountID() {
			t.Errorf("account of %s: %s %v", acc, id, ok)
		}
		if id, ok := dev.Device(); !ok || id != pub.DeviceID() {
			t.Errorf("device of %s: %s %v", dev, id, ok)
		}
		if _, ok := acc.Device(); ok {
			t.Error("an account is a device")
		}
		if _, ok := dev.Account(); ok {
			t.Error("a device is an account")
		}
		if chain == long && len(acc.String()) != did.MaxText {
			t.Errorf("the longest text has %d bytes, MaxText is %d", len(acc.String()), did.MaxText)
		}
	}
}

func TestParse_Refuses(t *testing.T) {
	pub := keytest.P256("a").Public()
	acc, keyID := pub.AccountID().String(), pub.ID().String()
	good := "did:hybridos:hos-1:" + acc
	for name, c := range map[string]struct {
		text string
		want did.ErrorKind
	}{
		"empty":                  {"", did.InvalidDID},
		"no scheme":              {"hybridos:hos-1:" + acc, did.InvalidDID},
		"scheme in capitals":     {"DID:hybridos:hos-1:" + acc, did.InvalidDID},
		"method in capitals":     {"did:HybridOS:hos-1:" + acc, did.InvalidDID},
		"no method":              {"did::hos-1:" + acc, did.InvalidDID},
		"method alone":           {"did:hybridos", did.InvalidDID},
		"nothing after it":       {"did:hybridos:", did.InvalidDID},
		"no id":                  {"did:hybridos:hos-1", did.InvalidDID},
		"empty id":               {"did:hybridos:hos-1:", did.InvalidDID},
		"no chain":               {"did:hybridos:" + acc, did.InvalidDID},
		"empty chain":            {"did:hybridos::" + acc, did.InvalidDID},
		"chain of two":           {"did:hybridos:ab:" + acc, did.InvalidDID},
		"chain of 49":            {"did:hybridos:" + strings.Repeat("a", 49) + ":" + acc, did.InvalidDID},
		"chain begins with -":    {"did:hybridos:-hos:" + acc, did.InvalidDID},
		"chain in capitals":      {"did:hybridos:Hos-1:" + acc, did.InvalidDID},
		"chain with a capital":   {"did:hybridos:hOs-1:" + acc, did.InvalidDID},
		"chain with a dot":       {"did:hybridos:hos.1:" + acc, did.InvalidDID},
		"chain percent-encoded":  {"did:hybridos:hos%2d1:" + acc, did.InvalidDID},
		"id in capitals":         {"did:hybridos:hos-1:" + strings.ToUpper(acc), did.InvalidDID},
		"id with another letter": {good[:len(good)-1] + "b", did.InvalidDID},
		"a key's id":             {"did:hybridos:hos-1:" + keyID, did.InvalidDID},
		"two ids":                {good + ":" + acc, did.InvalidDID},
		"a fragment":             {good + "#" + keyID, did.InvalidDID},
		"a query":                {good + "?versionId=1", did.InvalidDID},
		"a path":                 {good + "/x", did.InvalidDID},
		"a space":                {good + " ", did.InvalidDID},
		"a newline":              {good + "\n", did.InvalidDID},
		"a zero":                 {good + "\x00", did.InvalidDID},
		"not ascii":              {"did:hybridos:hös-1:" + acc, did.InvalidDID},
		"half an escape":         {"did:web:a%2", did.InvalidDID},
		"a bad escape":           {"did:web:a%2g", did.InvalidDID},
		"longer than any of us":  {"did:hybridos:hos-1:" + strings.Repeat("a", did.MaxText), did.InvalidDID},
		"longer than anybody":    {"did:web:" + strings.Repeat("a", did.MaxForeign), did.InvalidDID},
		"another ends in colon":  {"did:web:", did.InvalidDID},
		"another method":         {"did:web:example.com%3A3000:user", did.MethodNotSupported},
		"a longer method":        {"did:hybridos2:hos-1:" + acc, did.MethodNotSupported},
		"a shorter method":       {"did:hybrid:hos-1:" + acc, did.MethodNotSupported},
	} {
		got, err := did.Parse(c.text)
		var e *did.Error
		if !errors.Is(err, c.want) || !errors.As(err, &e) || got != (did.DID{}) {
			t.Errorf("%s: %v %v, want %s", name, got, err, c.want)
		}
	}
	if _, err := did.OfAccount("X", pub.AccountID()); !errors.Is(err, did.InvalidDID) {
		t.Errorf("OfAccount: %v", err)
	}
	if _, err := did.OfDevice("x:y", pub.DeviceID()); !errors.Is(err, did.InvalidDID) {
		t.Errorf("OfDevice: %v", err)
	}
}

// A DID can be of every ledger that there can be, and of no other.
func TestChainIDs_AreThoseOfGenesis(t *testing.T) {
	for _, chain := range []string{
		"hos-1", "a-b", "0ab", "a--", "abc", strings.Repeat("z", 48), strings.Repeat("z", 49), "ab", "", "-ab", "Abc", "aBc", "a_b", "a.b", "a b", "äbc", "abc\n",
	} {
		doc := genesis.Doc{ChainID: chain, Time: 1, Validators: []genesis.Validator{{Name: "one", PubKey: make([]byte, 32)}}}
		err := doc.Validate()
		wrong := err != nil && strings.Contains(err.Error(), "chain id")
		if _, e := did.OfAccount(chain, keytest.P256("a").Public().AccountID()); (e != nil) != wrong {
			t.Errorf("%q: %v here, %v there", chain, e, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	pub := keytest.P256("a").Public()
	for _, s := range []string{
		"did:hybridos:hos-1:" + pub.AccountID().String(), "did:hybridos:hos-1:" + pub.DeviceID().String(),
		"did:web:example.com%3A3000", "did:hybridos:hos-1:", "did::", "did:hybridos:hos-1:" + pub.ID().String(), "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := did.Parse(s)
		if err == nil && d.String() != s {
			t.Fatalf("%q is read as %q", s, d)
		}
		var e *did.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("%q: %v", s, err)
		}
	})
}

// docs/spec/did.md has a row for every kind.
func TestErrorKinds_Documented(t *testing.T) {
	source, err := os.ReadFile("error.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/spec/did.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`ErrorKind = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(found) != len(did.Kinds) {
		t.Errorf("%d kinds in error.go, %d listed", len(found), len(did.Kinds))
	}
	for _, k := range did.Kinds {
		if !strings.Contains(string(doc), "| `"+k.Error()+"` |") {
			t.Errorf("docs/spec/did.md has no row for %s", k)
		}
	}
}
