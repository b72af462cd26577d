package home

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCreate(t *testing.T) {
	root := filepath.Join(t.TempDir(), "node")
	cfg := Default()
	cfg.Name, cfg.P2PPeers = "one", []string{strings.Repeat("a", 40) + "@127.0.0.1:1"}
	d, err := Create(root, cfg)
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Config()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(cfg, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	seed, err := d.TransportSeed()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{d.TransportKey(), d.ConfigFile()} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if _, err := Create(root, Default()); !errors.Is(err, ErrExists) {
		t.Errorf("second Create: %v", err)
	}
	if again, err := d.TransportSeed(); err != nil || string(again) != string(seed) {
		t.Error("the second Create changed the key")
	}
	if _, err := Create(filepath.Join(t.TempDir(), "x"), Config{}); err == nil {
		t.Error("a configuration without values was accepted")
	}
	if err := os.Truncate(d.TransportKey(), 5); err != nil {
		t.Fatal(err)
	}
	if _, err := d.TransportSeed(); err == nil {
		t.Error("a short seed was accepted")
	}
}

func TestConfig_Validate(t *testing.T) {
	id := strings.Repeat("0", 40)
	for name, change := range map[string]func(*Config){
		"no name":           func(c *Config) { c.Name = "" },
		"long name":         func(c *Config) { c.Name = strings.Repeat("a", maxName+1) },
		"space in name":     func(c *Config) { c.Name = "a b" },
		"no p2p":            func(c *Config) { c.P2P = "" },
		"p2p without port":  func(c *Config) { c.P2P = "127.0.0.1" },
		"p2p bad port":      func(c *Config) { c.P2P = "127.0.0.1:99999" },
		"p2p without host":  func(c *Config) { c.P2P = ":1" },
		"external":          func(c *Config) { c.P2PExternal = "nowhere" },
		"mesh":              func(c *Config) { c.Mesh = "/ip4/127.0.0.1/tcp/1" },
		"open http":         func(c *Config) { c.HTTP = "0.0.0.0:80" },
		"http by name":      func(c *Config) { c.HTTP = "example.org:80" },
		"no http":           func(c *Config) { c.HTTP = "" },
		"open rpc":          func(c *Config) { c.RPC = "[::]:80" },
		"level":             func(c *Config) { c.LogLevel = "loud" },
		"peer without id":   func(c *Config) { c.P2PPeers = []string{"127.0.0.1:1"} },
		"peer short id":     func(c *Config) { c.P2PPeers = []string{"ab@127.0.0.1:1"} },
		"peer without port": func(c *Config) { c.P2PPeers = []string{id + "@127.0.0.1"} },
		"many peers":        func(c *Config) { c.P2PPeers = make([]string, MaxPeers+1) },
		"mesh peer":         func(c *Config) { c.MeshPeers = []string{"127.0.0.1:1"} },
		"announce":          func(c *Config) { c.MeshAnnounce = []string{"x"} },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	good := Default()
	good.RPC, good.HTTP, good.Mesh = "[::1]:1", "localhost:0", "[::1]:0"
	if err := errors.Join(Default().Validate(), good.Validate()); err != nil {
		t.Error(err)
	}
}

func TestConfig_MeshAddr(t *testing.T) {
	for in, want := range map[string]string{
		"127.0.0.1:7": "/ip4/127.0.0.1/tcp/7", "[::1]:7": "/ip6/::1/tcp/7", "node.example:7": "/dns/node.example/tcp/7",
	} {
		if got, err := (Config{Mesh: in}).MeshAddr(); err != nil || got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
}

func TestParseConfig_Refuses(t *testing.T) {
	for name, text := range map[string]string{
		"not toml": "name = [", "unknown name": "colour = 1", "wrong type": "name = 5",
		"twice": "name = 'a'\nname = 'b'", "too long": strings.Repeat("#", MaxConfig+1),
	} {
		if _, err := ParseConfig([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if c, err := ParseConfig(nil); err != nil || c.Name != Default().Name {
		t.Errorf("empty: %+v, %v", c, err)
	}
}

// What is accepted comes back the same when it is written and read again.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte("name = \"x\"\n"))
	f.Add(Default().encode())
	f.Add([]byte("phone_listen = \"0.0.0.0:443\"\nphone_hosts = [\"door.example\"]"))
	f.Add([]byte("p2p_peers = [\"a@b:1\"]\nlog_level = 'debug'"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseConfig(b)
		if err != nil || c.Validate() != nil {
			return
		}
		again, err := ParseConfig(c.encode())
		if err != nil {
			t.Fatal(err)
		}
		if again.Name != c.Name || again.P2P != c.P2P || len(again.P2PPeers) != len(c.P2PPeers) || again.LogLevel != c.LogLevel ||
			again.Phone != c.Phone || len(again.PhoneHosts) != len(c.PhoneHosts) || again.PhoneCert != c.PhoneCert {
			t.Errorf("%+v became %+v", c, again)
		}
	})
}

func TestLock(t *testing.T) {
	d := Dir(t.TempDir())
	first, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock(); !errors.Is(err, ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	if err := first.Unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestRun(t *testing.T) {
	root := t.TempDir()
	d := Dir(root)
	if _, err := ReadRun(root); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no file: %v", err)
	}
	want := Run{PID: 7, Name: "one", ChainID: "hos-1", P2P: "a@b:1", Mesh: []string{"/ip4/127.0.0.1/tcp/1/p2p/x"}, HTTP: "http://127.0.0.1:2"}
	if err := d.WriteRun(want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRun(root)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if err := errors.Join(d.RemoveRun(), d.RemoveRun()); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(d.RunFile(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRun(root); err == nil {
		t.Error("a damaged run.json was accepted")
	}
}

func TestDir_DiscardLeavesOnlyOthersFiles(t *testing.T) {
	root := filepath.Join(t.TempDir(), "home")
	d, err := Create(root, Default())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(root); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the home is still there: %v", err)
	}
	if d, err = Create(root, Default()); err != nil {
		t.Fatalf("a second try: %v", err)
	}
	foreign := filepath.Join(root, "notes.txt")
	if err := os.WriteFile(foreign, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Discard(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(foreign); err != nil || d.Exists() {
		t.Fatalf("foreign file: %v, still a home: %v", err, d.Exists())
	}
}
