package home

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// childEnv makes this test binary a second wallet that works on the folder it
// names.
const childEnv = "HOS_TEST_HOME_CHILD"

const childRounds = 25

func TestMain(m *testing.M) {
	if arg := os.Getenv(childEnv); arg != "" {
		name, dir, _ := strings.Cut(arg, "|")
		if err := work(Open(dir), name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// work adds devices and grants and takes numbers, as one wallet of several.
func work(h *Home, name string) error {
	ctx := context.Background()
	for i := range childRounds {
		d, err := randomDevice(name + "-" + strconv.Itoa(i))
		if err != nil {
			return err
		}
		if _, err := h.PutDevice(ctx, d); err != nil {
			return err
		}
		if err := h.PutGrant(ctx, Grant{ID: tx.ID(append(d.ID[:], make([]byte, 12)...)), Device: d.ID, Grantee: d.Key}); err != nil {
			return err
		}
		lane, err := h.NextNonce(ctx, key.DeviceID{1}, rand.Reader)
		if err != nil {
			return err
		}
		fmt.Println(lane.Salt, lane.Nonce)
	}
	return nil
}

func randomDevice(name string) (Device, error) {
	k, err := key.Generate(rand.Reader)
	if err != nil {
		return Device{}, err
	}
	p := k.Public()
	return Device{Name: name, ID: p.DeviceID(), Key: p, Model: "Test Lock", Addrs: []string{"/ip4/127.0.0.1/tcp/1"}, Epoch: 1}, nil
}

func device(t *testing.T, name string) Device {
	t.Helper()
	d, err := randomDevice(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestHome_TwoWalletsAtOnce runs real processes on one folder: no entry is
// lost, no number is used twice.
func TestHome_TwoWalletsAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	const wallets = 4
	outs := make([]string, wallets)
	errs := make([]error, wallets)
	var wg sync.WaitGroup
	for i := range wallets {
		wg.Go(func() {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), childEnv+"=w"+strconv.Itoa(i)+"|"+dir)
			child.Stderr = os.Stderr
			out, err := child.Output()
			outs[i], errs[i] = string(out), err
		})
	}
	wg.Wait()
	seen := make(map[string]bool)
	for i := range wallets {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		for line := range strings.Lines(outs[i]) {
			if seen[line] {
				t.Errorf("number %q was given twice", strings.TrimSpace(line))
			}
			seen[line] = true
		}
	}
	h := Open(dir)
	devices, err := h.Devices()
	if err != nil || len(devices) != wallets*childRounds || len(seen) != wallets*childRounds {
		t.Errorf("%d devices, %d numbers, %v; want %d of each", len(devices), len(seen), err, wallets*childRounds)
	}
	grants, err := h.Grants()
	if err != nil || len(grants) != wallets*childRounds {
		t.Errorf("%d grants, %v; want %d", len(grants), err, wallets*childRounds)
	}
}

func TestDir(t *testing.T) {
	cases := []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{"HOS_HOME": "/a", "XDG_DATA_HOME": "/x", "HOME": "/h"}, "/a"},
		{map[string]string{"XDG_DATA_HOME": "/x", "HOME": "/h"}, "/x/hybridos"},
		{map[string]string{"XDG_DATA_HOME": "relative", "HOME": "/h"}, "/h/.local/share/hybridos"},
		{map[string]string{"HOME": "/h"}, "/h/.local/share/hybridos"},
		{nil, ""},
	}
	for _, c := range cases {
		got, err := Dir(func(k string) string { return c.env[k] })
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("Dir(%v) = %q, %v; want %q", c.env, got, err, c.want)
		}
	}
}

func TestHome_FindDevice(t *testing.T) {
	h := Open(t.TempDir())
	if _, err := h.FindDevice(""); !errors.Is(err, NoDevice) {
		t.Errorf("none: %v", err)
	}
	front, err := h.PutDevice(t.Context(), device(t, ""))
	if err != nil || front.Name != "test-lock" {
		t.Fatalf("name %q, %v; want test-lock", front.Name, err)
	}
	back, err := h.PutDevice(t.Context(), device(t, ""))
	if err != nil || back.Name != "test-lock-2" {
		t.Fatalf("name %q, %v; want test-lock-2", back.Name, err)
	}
	for _, text := range []string{"test-lock", front.ID.String(), front.ID.String()[:14]} {
		if d, err := h.FindDevice(text); err != nil || d.ID != front.ID {
			t.Errorf("FindDevice(%q) = %s, %v", text, d.Name, err)
		}
	}
	for text, want := range map[string]ErrorKind{"": Ambiguous, "cellar": NoDevice, "hosdev1": NoDevice} {
		if _, err := h.FindDevice(text); !errors.Is(err, want) {
			t.Errorf("FindDevice(%q): %v, want %s", text, err, want)
		}
	}
	back.Name = "test-lock"
	if _, err := h.PutDevice(t.Context(), back); !errors.Is(err, NameTaken) {
		t.Errorf("taken name: %v", err)
	}
	if err := h.RemoveDevice(t.Context(), back.ID); err != nil {
		t.Fatal(err)
	}
	if err := h.RemoveDevice(t.Context(), back.ID); !errors.Is(err, NoDevice) {
		t.Errorf("removed twice: %v", err)
	}
	if d, err := h.FindDevice(""); err != nil || d.ID != front.ID {
		t.Errorf("the only device: %s, %v", d.Name, err)
	}
}

func TestHome_RefusesBadDevice(t *testing.T) {
	h := Open(t.TempDir())
	cases := map[string]func(*Device){
		"name":        func(d *Device) { d.Name = "Front Door" },
		"escape":      func(d *Device) { d.Name = "a\x1b[2J" },
		"id":          func(d *Device) { d.ID[0] ^= 1 },
		"key":         func(d *Device) { d.Key.Bytes = nil },
		"address":     func(d *Device) { d.Addrs = []string{"127.0.0.1:80"} },
		"many":        func(d *Device) { d.Addrs = make([]string, MaxAddrs+1) },
		"long":        func(d *Device) { d.Name = strings.Repeat("a", MaxName+1) },
		"long adress": func(d *Device) { d.Addrs = []string{"/" + strings.Repeat("a", maxAddr)} },
	}
	for name, spoil := range cases {
		d := device(t, "front")
		spoil(&d)
		if _, err := h.PutDevice(t.Context(), d); !errors.Is(err, BadValue) {
			t.Errorf("%s: %v, want %s", name, err, BadValue)
		}
	}
}

// TestHome_BadFiles: what cannot be understood is refused, and left as it was.
func TestHome_BadFiles(t *testing.T) {
	cases := map[string]struct {
		text string
		want ErrorKind
	}{
		"empty":         {"", BadFile},
		"cut":           {`{"version":1,"content":[`, BadFile},
		"trailing":      {`{"version":1,"content":[]} x`, BadFile},
		"unknown field": {`{"version":1,"content":[],"more":1}`, BadFile},
		"no version":    {`{"content":[]}`, BadFile},
		"newer":         {`{"version":2,"content":{"any":"thing"}}`, NewerFile},
		"wrong id":      {`{"version":1,"content":[{"name":"a","id":"hosdev1x","key":"","model":"","addrs":[],"epoch":1,"guest":false}]}`, BadFile},
		"too long":      {strings.Repeat(" ", MaxFile+1), BadFile},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			h := Open(t.TempDir())
			if err := os.WriteFile(h.file(deviceFile), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := h.Devices(); !errors.Is(err, c.want) {
				t.Errorf("read: %v, want %s", err, c.want)
			}
			if _, err := h.PutDevice(t.Context(), device(t, "front")); !errors.Is(err, c.want) {
				t.Errorf("write: %v, want %s", err, c.want)
			}
			if now, err := os.ReadFile(h.file(deviceFile)); err != nil || string(now) != c.text {
				t.Errorf("the file was touched (%v)", err)
			}
		})
	}
}

func testDoc(id string) *genesis.Doc {
	return &genesis.Doc{ChainID: id, Time: 1, Validators: []genesis.Validator{{Name: "v", PubKey: make([]byte, 32)}}, Vendors: []genesis.Vendor{}}
}

func TestHome_Pin(t *testing.T) {
	h := Open(filepath.Join(t.TempDir(), "new"))
	if doc, err := h.Genesis(); doc != nil || err != nil {
		t.Errorf("before: %v, %v", doc, err)
	}
	a, b := testDoc("test-a"), testDoc("test-b")
	for _, nodes := range [][]string{{"/ip4/127.0.0.1/tcp/1"}, {"/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"}} {
		if err := h.Pin(t.Context(), a, nodes); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Pin(t.Context(), b, nil); !errors.Is(err, OtherLedger) {
		t.Errorf("other ledger: %v", err)
	}
	if err := h.Fits(b); !errors.Is(err, OtherLedger) {
		t.Errorf("fits: %v", err)
	}
	if err := h.Pin(t.Context(), a, []string{"host:1"}); !errors.Is(err, BadValue) {
		t.Errorf("bad address: %v", err)
	}
	doc, err := h.Genesis()
	if err != nil || doc.Chain() != a.Chain() {
		t.Errorf("genesis %v, %v", doc, err)
	}
	cfg, err := h.Config()
	if err != nil || len(cfg.Nodes) != 2 || cfg.ChainID != "test-a" {
		t.Errorf("config %+v, %v", cfg, err)
	}
	if err := os.WriteFile(h.file(genesisFile), b.JSON(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Genesis(); !errors.Is(err, BadFile) {
		t.Errorf("swapped document: %v, want %s", err, BadFile)
	}
}

func TestHome_GrantsAndInvites(t *testing.T) {
	h := Open(t.TempDir())
	g := Grant{ID: tx.ID{0xab, 0xcd, 0xef}, Methods: []string{"open"}}
	g.Grantee = device(t, "x").Key
	if err := h.PutGrant(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	g.Revoked = true
	if err := h.PutGrant(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if list, err := h.Grants(); err != nil || len(list) != 1 || !list[0].Revoked {
		t.Errorf("grants %+v, %v", list, err)
	}
	if err := h.PutInvite(t.Context(), Invite{ID: tx.ID{1, 2, 3}, Text: "hosinv1x"}); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]tx.ID{"abcdef": g.ID, "010203": {1, 2, 3}, (tx.ID{9}).String(): {9}} {
		if id, err := h.FindGrant(text); err != nil || id != want {
			t.Errorf("FindGrant(%q) = %s, %v", text, id, err)
		}
	}
	for _, text := range []string{"", "abc", "ffffff"} {
		if _, err := h.FindGrant(text); !errors.Is(err, NoGrant) {
			t.Errorf("FindGrant(%q): %v", text, err)
		}
	}
	if err := h.PutGrant(t.Context(), Grant{}); !errors.Is(err, BadValue) {
		t.Errorf("no id: %v", err)
	}
	if err := h.PutInvite(t.Context(), Invite{ID: tx.ID{1}, Text: strings.Repeat("x", MaxInvite+1)}); !errors.Is(err, BadValue) {
		t.Errorf("long invitation: %v", err)
	}
}

func TestHome_LaneAndHead(t *testing.T) {
	h := Open(t.TempDir())
	var last Lane
	for want := uint64(1); want <= 3; want++ {
		l, err := h.NextNonce(t.Context(), key.DeviceID{1}, rand.Reader)
		if err != nil || l.Nonce != want || l.Salt == 0 || (want > 1 && l.Salt != last.Salt) {
			t.Fatalf("lane %+v, %v", l, err)
		}
		last = l
	}
	if l, err := h.NextNonce(t.Context(), key.DeviceID{2}, rand.Reader); err != nil || l.Nonce != 1 || l.Salt != last.Salt {
		t.Errorf("other device: %+v, %v", l, err)
	}
	if err := h.NewLane(t.Context(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if l, err := h.NextNonce(t.Context(), key.DeviceID{1}, rand.Reader); err != nil || l.Nonce != 1 || l.Salt == last.Salt {
		t.Errorf("new lane: %+v, %v", l, err)
	}
	if b, err := h.Head().Load(); b != nil || err != nil {
		t.Errorf("no head: %x, %v", b, err)
	}
	if err := h.Head().Save([]byte("head")); err != nil {
		t.Fatal(err)
	}
	if b, err := h.Head().Load(); string(b) != "head" || err != nil {
		t.Errorf("head %q, %v", b, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"content":[]}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := decode[[]Device]("devices.json", b); err != nil &&
			!errors.Is(err, BadFile) && !errors.Is(err, NewerFile) {
			t.Errorf("error without a kind: %v", err)
		}
	})
}
