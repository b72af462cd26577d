package settings

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/key"
)

const node = "/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"

func document(t testing.TB) string {
	t.Helper()
	k, err := key.FromBytes(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return `listen = "127.0.0.1:1883"
home = "state"
genesis = "genesis.json"
nodes = ["` + node + `"]

[[device]]
id = "` + k.Public().DeviceID().String() + `"
name = "Front door"
grant = "` + strings.Repeat("ab", 32) + `"
`
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "bridge.toml")
	if err := os.WriteFile(path, []byte(document(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "state", "accounts.json"), filepath.Join(dir, "state"), filepath.Join(dir, "genesis.json")}
	if diff := cmp.Diff(want, []string{s.Accounts, s.Home, s.Genesis}); diff != "" {
		t.Error(diff)
	}
	if len(s.Devices) != 1 || s.Devices[0].Name != "Front door" || len(s.Nodes) != 1 {
		t.Errorf("read %+v", s)
	}
	if _, err := Load(filepath.Join(dir, "none.toml")); err == nil {
		t.Error("missing file accepted")
	}
}

func TestDecode_Refuses(t *testing.T) {
	good := document(t)
	if _, err := Decode([]byte(good)); err != nil {
		t.Fatal(err)
	}
	with := func(old, now string) string { return strings.Replace(good, old, now, 1) }
	table := good[strings.Index(good, "[[device]]"):]
	for name, data := range map[string]string{
		"unknown key":        "colour = 1\n" + good,
		"unknown device key": good + "colour = 1\n",
		"wrong type":         with(`"127.0.0.1:1883"`, "1883"),
		"not TOML":           "{",
		"no home":            with(`home = "state"`, ""),
		"bad node":           with("/ip4/127.0.0.1", "127.0.0.1"),
		"node without peer":  with(node, "/ip4/127.0.0.1/tcp/4001"),
		"bad device id":      with("hosdev1", "hosacc1"),
		"no name":            with("Front door", " "),
		"bad grant":          with("abab", "xx"),
		"bad mapping":        good + "mapping = \"toaster\"\n",
		"device twice":       good + table,
		"too large":          good + "#" + strings.Repeat("x", maxFile),
	} {
		if _, err := Decode([]byte(data)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := Decode([]byte(with("grant = \""+strings.Repeat("ab", 32)+"\"\n", ""))); err != nil {
		t.Errorf("no grant: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(document(f)))
	f.Add([]byte("home = 'x'"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = Decode(data) })
}
