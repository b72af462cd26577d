package account

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var cheap = Cost{MemoryKiB: minMemoryKiB, Passes: 1, Lanes: 1}

const secret = "correct horse"

func hashed(t testing.TB, password string) string {
	t.Helper()
	h, err := HashPassword(rand.Reader, []byte(password), cheap)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestDecode_Refuses(t *testing.T) {
	h := hashed(t, secret)
	entry := `{"name":"a","password":"` + h + `","devices":["d"]}`
	doc := func(accounts string) string { return `{"version":1,"accounts":[` + accounts + `]}` }
	with := func(old, now string) string { return doc(strings.Replace(entry, old, now, 1)) }
	for _, c := range []struct {
		name, data string
		kind       ErrorKind
	}{
		{"empty", ``, BadFile},
		{"not JSON", `version = 1`, BadFile},
		{"unknown field", `{"version":1,"accounts":[],"admin":true}`, BadFile},
		{"unknown field of an account", with(`"name"`, `"admin":true,"name"`), BadFile},
		{"trailing bytes", doc(entry) + `{}`, BadFile},
		{"no version", `{"accounts":[]}`, BadFile},
		{"later version", `{"version":2,"accounts":[]}`, BadFile},
		{"name twice", doc(entry + "," + entry), BadFile},
		{"too large", strings.Repeat(" ", maxFile+1), BadFile},
		{"no name", with(`"a"`, `""`), BadName},
		{"capital", with(`"a"`, `"A"`), BadName},
		{"slash", with(`"a"`, `"a/b"`), BadName},
		{"dot in front", with(`"a"`, `".a"`), BadName},
		{"long name", with(`"a"`, `"`+strings.Repeat("a", maxName+1)+`"`), BadName},
		{"no devices", with(`["d"]`, `[]`), BadDevices},
		{"empty device", with(`["d"]`, `[""]`), BadDevices},
		{"device twice", with(`["d"]`, `["d","d"]`), BadDevices},
		{"plain password", with(h, secret), BadHash},
		{"bcrypt", with(h, `$2y$10$abcdefghijklmnopqrstuv`), BadHash},
		{"argon2i", with("$argon2id$", "$argon2i$"), BadHash},
		{"older argon2", with("v=19", "v=16"), BadHash},
		{"much memory", with("m=8192", "m=4194304"), BadHash},
		{"little memory", with("m=8192", "m=8"), BadHash},
		{"no passes", with("t=1", "t=0"), BadHash},
		{"many passes", with("t=1", "t=1000"), BadHash},
		{"no lanes", with("p=1", "p=0"), BadHash},
		{"leading zero", with("m=8192", "m=08192"), BadHash},
		{"short sum", with(h, h[:len(h)-30]), BadHash},
		{"salt not base64", with(h, strings.Replace(h, "p=1$", "p=1$!", 1)), BadHash},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Decode([]byte(c.data)); !errors.Is(err, c.kind) {
				t.Errorf("got %v, want %v", err, c.kind)
			}
		})
	}
	if _, err := Decode([]byte(doc(entry))); err != nil {
		t.Errorf("good file refused: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"accounts":[]}`))
	f.Add([]byte(`{"version":1,"accounts":[{"name":"a","password":"` + hashed(f, secret) + `","devices":["d"]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Decode(data)
		if err != nil {
			return
		}
		out, err := b.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(out)
		if err != nil {
			t.Fatalf("what was accepted is not accepted again: %v", err)
		}
		if diff := cmp.Diff(b.Accounts(), again.Accounts()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLoad_RefusesModes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.json")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if err := Add(path, Account{Name: "a", Password: hashed(t, secret), Devices: []string{"d"}}); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o660} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); !errors.Is(err, BadMode) {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Errorf("mode 0600: %v", err)
	}
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(link); err == nil {
		t.Error("symbolic link was followed")
	}
	if _, err := Load(filepath.Dir(path)); err == nil {
		t.Error("folder was read")
	}
}

func TestAdd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "accounts.json")
	h := hashed(t, secret)
	var writers sync.WaitGroup
	names := []string{"a", "b", "c", "d", "e", "f"}
	for _, name := range names {
		writers.Go(func() {
			if err := Add(path, Account{Name: name, Password: h, Devices: []string{"d"}}); err != nil {
				t.Errorf("add %s: %v", name, err)
			}
		})
	}
	writers.Wait()
	b, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Accounts()) != len(names) {
		t.Errorf("of %d accounts written at once, %d are there", len(names), len(b.Accounts()))
	}
	before, _ := os.ReadFile(path)
	for kind, a := range map[ErrorKind]Account{
		Exists:     {Name: "a", Password: h, Devices: []string{"d"}},
		BadName:    {Name: "A", Password: h, Devices: []string{"d"}},
		BadHash:    {Name: "z", Password: secret, Devices: []string{"d"}},
		BadDevices: {Name: "z", Password: h},
	} {
		if err := Add(path, a); !errors.Is(err, kind) {
			t.Errorf("got %v, want %v", err, kind)
		}
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("a refused account changed the file")
	}
	if strings.Contains(string(before), secret) {
		t.Error("password in clear")
	}
}

func TestHashPassword_Bounds(t *testing.T) {
	for _, p := range []string{"", "seven77", strings.Repeat("x", maxPassword+1)} {
		if _, err := HashPassword(rand.Reader, []byte(p), cheap); !errors.Is(err, BadPassword) {
			t.Errorf("password of %d bytes: %v", len(p), err)
		}
	}
	if _, err := HashPassword(rand.Reader, []byte(secret), Cost{MemoryKiB: 8, Passes: 1, Lanes: 1}); !errors.Is(err, BadHash) {
		t.Errorf("cheap cost: %v", err)
	}
	if hashed(t, secret) == hashed(t, secret) {
		t.Error("two hashes share a salt")
	}
	if h, err := HashPassword(rand.Reader, []byte(secret), DefaultCost()); err != nil || !strings.HasPrefix(h, "$argon2id$v=19$m=65536,t=3,p=1$") {
		t.Errorf("default cost: %s %v", h, err)
	}
}

func verifier(t *testing.T, cfg VerifierConfig) *Verifier {
	t.Helper()
	b, err := newBook([]Account{{Name: "a", Password: hashed(t, secret), Devices: []string{"d"}}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(b, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerify(t *testing.T) {
	v := verifier(t, VerifierConfig{})
	ctx := context.Background()
	if a, err := v.Verify(ctx, "a", []byte(secret)); err != nil || a.Name != "a" {
		t.Errorf("good login: %+v %v", a, err)
	}
	_, wrong := v.Verify(ctx, "a", []byte("wrong horse"))
	_, unknown := v.Verify(ctx, "b", []byte(secret))
	_, long := v.Verify(ctx, "a", []byte(secret+strings.Repeat("x", maxPassword)))
	_, none := v.Verify(ctx, "a", nil)
	for name, err := range map[string]error{"wrong": wrong, "unknown": unknown, "long": long, "none": none} {
		if !errors.Is(err, Refused) || err.Error() != wrong.Error() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if v.dummy.cost != cheap {
		t.Errorf("an unknown name costs %+v, an account %+v", v.dummy.cost, cheap)
	}
}

func TestVerify_Bounded(t *testing.T) {
	v := verifier(t, VerifierConfig{Concurrency: 1, Waiting: 1})
	v.slots <- struct{}{} // one login is being checked
	ctx, cancel := context.WithCancel(context.Background())
	waits := make(chan error)
	go func() {
		_, err := v.Verify(ctx, "a", []byte(secret))
		waits <- err
	}()
	// Either the goroutine waits already and this one is over the cap, or this
	// one waits and has its own context ended: both are Busy.
	ended, end := context.WithCancel(context.Background())
	end()
	if _, err := v.Verify(ended, "a", []byte(secret)); !errors.Is(err, Busy) {
		t.Errorf("over the cap: %v", err)
	}
	cancel()
	if err := <-waits; !errors.Is(err, Busy) {
		t.Errorf("ended while waiting: %v", err)
	}
	<-v.slots
	if _, err := v.Verify(context.Background(), "a", []byte(secret)); err != nil {
		t.Errorf("after the rush: %v", err)
	}
	v.waiting.Store(1)
	if _, err := v.Verify(context.Background(), "a", []byte("a guess of many")); !errors.Is(err, Busy) || !strings.Contains(err.Error(), "too many") {
		t.Errorf("full queue: %v", err)
	}
}

// TestVerify_KnownPassesTheQueue: guessing keeps nobody out who has logged in
// before, and helps nobody else.
func TestVerify_KnownPassesTheQueue(t *testing.T) {
	v := verifier(t, VerifierConfig{Concurrency: 1, Waiting: 1})
	if _, err := v.Verify(context.Background(), "a", []byte(secret)); err != nil {
		t.Fatal(err)
	}
	v.slots <- struct{}{}
	v.waiting.Store(1) // a flood
	if a, err := v.Verify(context.Background(), "a", []byte(secret)); err != nil || a.Name != "a" {
		t.Errorf("kept out: %+v %v", a, err)
	}
	for name, password := range map[string]string{"a": secret + "x", "b": secret, "": secret} {
		if _, err := v.Verify(context.Background(), name, []byte(password)); !errors.Is(err, Busy) {
			t.Errorf("%q %q: %v", name, password, err)
		}
	}
}

func TestNewVerifier_Refuses(t *testing.T) {
	if _, err := NewVerifier(nil, VerifierConfig{}); err == nil {
		t.Error("no book accepted")
	}
	if _, err := NewVerifier(&Book{}, VerifierConfig{Concurrency: -1}); err == nil {
		t.Error("negative bound accepted")
	}
}

func TestKinds_Listed(t *testing.T) {
	seen := map[ErrorKind]bool{}
	for _, k := range Kinds() {
		if seen[k] {
			t.Errorf("%s stands twice", k)
		}
		seen[k] = true
	}
	if len(seen) != 9 {
		t.Errorf("%d kinds", len(seen))
	}
}
