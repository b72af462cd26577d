package keystore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/store/durable"
)

var pass = []byte("correct horse battery staple")

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := New(Config{Path: filepath.Join(t.TempDir(), "owner.key")})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func created(t *testing.T) (*Store, Info) {
	t.Helper()
	s := newStore(t)
	info, err := s.Create(t.Context(), pass, nil, key.AccountID{})
	if err != nil {
		t.Fatal(err)
	}
	return s, info
}

func TestStore_CreateUnlock(t *testing.T) {
	s, info := created(t)
	if info.Account != info.Active.AccountID() || len(info.Keys) != 1 || info.Cost != DefaultCost() {
		t.Errorf("info %+v", info)
	}
	shown, err := s.Inspect()
	if err != nil || shown.Account != info.Account || !shown.Active.Equal(info.Active) {
		t.Errorf("inspect %+v, %v; want %+v", shown, err, info)
	}
	r, err := s.Unlock(pass)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Zero()
	if !r.Active().Public().Equal(info.Active) {
		t.Error("another key came out")
	}
	if got := fmt.Sprintf("%v %+v %#v %s", r, r, r, r); strings.Contains(got, "entropy") {
		t.Errorf("printing shows %q", got)
	}
	file, err := os.Stat(s.Path())
	if err != nil || file.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", file.Mode(), err)
	}
}

func TestStore_WordsRestoreTheSameKey(t *testing.T) {
	s, info := created(t)
	r, err := s.Unlock(pass)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Zero()
	words, err := r.Words()
	if err != nil {
		t.Fatal(err)
	}
	entropy, err := ParseWords(words)
	if err != nil {
		t.Fatal(err)
	}
	back, err := newStore(t).Create(t.Context(), []byte("another"), entropy, key.AccountID{})
	if err != nil || back.Account != info.Account {
		t.Errorf("restored %s, %v; want %s", back.Account, err, info.Account)
	}
}

func TestStore_NeverOverwrites(t *testing.T) {
	s, _ := created(t)
	before, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), pass, nil, key.AccountID{}); !errors.Is(err, Exists) {
		t.Errorf("got %v, want %s", err, Exists)
	}
	after, err := os.ReadFile(s.Path())
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file changed (%v)", err)
	}
}

func TestStore_WrongPassphrase(t *testing.T) {
	s, _ := created(t)
	for _, wrong := range [][]byte{nil, []byte("correct horse battery stapl"), append(pass[:len(pass):len(pass)], ' ')} {
		if _, err := s.Unlock(wrong); !errors.Is(err, WrongPassphrase) {
			t.Errorf("%q: %v, want %s", wrong, err, WrongPassphrase)
		}
	}
	if _, err := s.Unlock(make([]byte, MaxPassphrase+1)); !errors.Is(err, BadPassphrase) {
		t.Errorf("too long: %v, want %s", err, BadPassphrase)
	}
	if _, err := s.ChangePassphrase(t.Context(), []byte("wrong"), []byte("next")); !errors.Is(err, WrongPassphrase) {
		t.Errorf("change: %v, want %s", err, WrongPassphrase)
	}
	if _, err := s.ChangePassphrase(t.Context(), pass, make([]byte, MaxPassphrase+1)); !errors.Is(err, BadPassphrase) {
		t.Errorf("change to a long one: %v, want %s", err, BadPassphrase)
	}
	if r, err := s.Unlock(pass); err != nil {
		t.Errorf("after the failures: %v", err)
	} else {
		r.Zero()
	}
}

func TestStore_ChangePassphraseAndRotate(t *testing.T) {
	s, info := created(t)
	next := []byte("next")
	if _, err := s.ChangePassphrase(t.Context(), pass, next); err != nil {
		t.Fatal(err)
	}
	var added key.Public
	rotated, err := s.Update(t.Context(), next, func(r *Ring) (err error) {
		if added, err = r.Add(s.cfg.Random); err != nil {
			return err
		}
		return r.Use(added.ID())
	})
	if err != nil {
		t.Fatal(err)
	}
	if rotated.Account != info.Account || !rotated.Active.Equal(added) || len(rotated.Keys) != 2 {
		t.Errorf("after rotation: %+v", rotated)
	}
	if _, err := s.Update(t.Context(), next, func(r *Ring) error { return r.Use(key.KeyID{1}) }); !errors.Is(err, NoKey) {
		t.Errorf("use of an unknown key: %v, want %s", err, NoKey)
	}
	_, err = s.Update(t.Context(), next, func(r *Ring) error {
		for {
			if _, err := r.Add(s.cfg.Random); err != nil {
				return err
			}
		}
	})
	if !errors.Is(err, Full) {
		t.Errorf("too many keys: %v, want %s", err, Full)
	}
	if now, err := s.Inspect(); err != nil || len(now.Keys) != 2 {
		t.Errorf("a failed update left %d keys, %v", len(now.Keys), err)
	}
}

func TestStore_InsecureAndMissing(t *testing.T) {
	s, _ := created(t)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o660} {
		if err := os.Chmod(s.Path(), mode); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Unlock(pass); !errors.Is(err, Insecure) {
			t.Errorf("mode %o: %v, want %s", mode, err, Insecure)
		}
	}
	if _, err := newStore(t).Unlock(pass); !errors.Is(err, NotFound) {
		t.Errorf("missing: %v, want %s", err, NotFound)
	}
	dir, err := New(Config{Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Unlock(pass); !errors.Is(err, Corrupt) {
		t.Errorf("a folder: %v, want %s", err, Corrupt)
	}
}

func TestStore_Locked(t *testing.T) {
	s, _ := created(t)
	unlock, err := durable.Lock(t.Context(), s.Path()+".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.ChangePassphrase(done, pass, pass); !errors.Is(err, Locked) {
		t.Errorf("got %v, want %s", err, Locked)
	}
}

// TestParse_EveryByte flips each byte and cuts at each length: the damage is
// always told from a wrong passphrase, and costs no stretching.
func TestParse_EveryByte(t *testing.T) {
	s, _ := created(t)
	good, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x40
		if _, err := parse(bad); !errors.Is(err, Corrupt) && !errors.Is(err, TooNew) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
		if _, err := parse(good[:i]); !errors.Is(err, Corrupt) && !errors.Is(err, TooNew) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	if _, err := parse(append(bytes.Clone(good), 0)); !errors.Is(err, Corrupt) {
		t.Errorf("a byte more: %v, want %s", err, Corrupt)
	}
}

// reframe builds a file around a changed header, with a right checksum, as an
// attacker would.
func reframe(t *testing.T, good []byte, change func(*header)) []byte {
	t.Helper()
	f, err := parse(good)
	if err != nil {
		t.Fatal(err)
	}
	change(&f.header)
	head := codec.MustMarshal(f.header)
	out := binary.BigEndian.AppendUint32([]byte(magic), uint32(len(head)))
	out = append(append(out, head...), f.sealed...)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

func TestStore_TamperedHeader(t *testing.T) {
	s, _ := created(t)
	good, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	other, err := key.Generate(s.cfg.Random)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		change func(*header)
		want   ErrorKind
	}{
		{"memory bomb", func(h *header) { h.Cost.Memory = maxMemory + 1 }, BadCost},
		{"all the memory", func(h *header) { h.Cost.Memory = 1<<32 - 1 }, BadCost},
		{"time bomb", func(h *header) { h.Cost.Time = maxTime + 1 }, BadCost},
		{"too many lanes", func(h *header) { h.Cost.Threads = maxThreads + 1 }, BadCost},
		{"no lanes", func(h *header) { h.Cost.Threads = 0 }, BadCost},
		{"cheap memory", func(h *header) { h.Cost.Memory = minMemory - 1 }, BadCost},
		{"cheap time", func(h *header) { h.Cost.Time = 1 }, BadCost},
		{"other derivation", func(h *header) { h.KDF = 2 }, TooNew},
		{"other salt", func(h *header) { h.Salt[0] ^= 1 }, WrongPassphrase},
		{"other check", func(h *header) { h.Check[0] ^= 1 }, WrongPassphrase},
		{"short salt", func(h *header) { h.Salt = h.Salt[:8] }, Corrupt},
		{"other nonce", func(h *header) { h.Nonce[0] ^= 1 }, Corrupt},
		{"other account", func(h *header) { h.Account[0] ^= 1 }, Corrupt},
		{"no account", func(h *header) { h.Account = key.AccountID{} }, Corrupt},
		{"other key", func(h *header) { h.Keys[0] = other.Public() }, Corrupt},
		{"no key", func(h *header) { h.Keys = nil }, Corrupt},
		{"bad key", func(h *header) { h.Keys[0].Bytes = make([]byte, 33) }, Corrupt},
		{"active out of range", func(h *header) { h.Active = 1 }, Corrupt},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(s.Path(), reframe(t, good, c.change), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Unlock(pass); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestParse_TooNew(t *testing.T) {
	if _, err := parse([]byte("hybridos-keystore/2\nwhatever")); !errors.Is(err, TooNew) {
		t.Errorf("got %v, want %s", err, TooNew)
	}
}

func TestNew_RefusesCheapCost(t *testing.T) {
	if _, err := New(Config{Path: "x", Cost: Cost{Time: 1, Memory: 1024, Threads: 1}}); !errors.Is(err, BadCost) {
		t.Errorf("got %v, want %s", err, BadCost)
	}
}

func TestKinds_Unique(t *testing.T) {
	seen := make(map[ErrorKind]bool)
	for _, k := range Kinds() {
		if seen[k] || k == "" {
			t.Errorf("kind %q stands twice or is empty", k)
		}
		seen[k] = true
	}
}

func FuzzParse(f *testing.F) {
	r := &Ring{}
	pub, err := r.add(make([]byte, EntropySize))
	if err != nil {
		f.Fatal(err)
	}
	r.account = pub.AccountID()
	good, err := seal(r, pass, DefaultCost(), bytes.NewReader(make([]byte, 64)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(magic))
	f.Add([]byte("hybridos-keystore/9\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parse(b)
		if err != nil {
			return
		}
		if err := p.header.Cost.Validate(); err != nil {
			t.Errorf("accepted %v", err)
		}
	})
}
