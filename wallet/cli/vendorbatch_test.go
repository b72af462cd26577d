package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/pairing"
)

// vendor makes a person the only vendor of a new ledger.
func (w *world) vendor(t *testing.T, quota uint64) *person {
	t.Helper()
	p := w.person(t)
	p.hos(exitOK, "key", "new")
	pub, err := key.ParsePublic(p.public())
	if err != nil {
		t.Fatal(err)
	}
	w.doc.Vendors[0].Keys, w.doc.Vendors[0].Quota = []key.Public{pub}, quota
	w.tree = new(statetest.Tree)
	if err := w.doc.Apply(w.tree); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.env["HOS_GENESIS"], w.doc.JSON(), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// produced is the i-th device of a run.
func produced(i int) *key.Private { return statetest.Key(fmt.Sprintf("produced %d", i)) }

// runList is the list of a run.
func runList(t *testing.T, n int) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("# a run\n\n")
	for i := range n {
		fmt.Fprintf(&text, "%s\t%064x\n", produced(i).Public(), i+1)
	}
	return file(t, text.String())
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// inBatch is a device that shows a proof, and the code to pair it.
func (w *world) inBatch(d *key.Private, m *tx.BatchMember) pairing.Code {
	id := d.Public().DeviceID()
	w.devices[id] = &worldDevice{key: d, batch: m}
	w.devices[id].secret[0] = byte(len(w.devices))
	return pairing.Code{Version: pairing.Version, Device: id, ChainID: w.doc.ChainID, Chain: w.doc.Chain(), Secret: w.devices[id].secret,
		Addrs: []string{"/ip4/127.0.0.1/tcp/1"}}
}

// TestJourney_Batch: a vendor registers a run of devices in one transaction, and
// somebody becomes the owner of one of them with the line that the vendor's tool
// wrote for it.
func TestJourney_Batch(t *testing.T) {
	w := newWorld(t)
	v := w.vendor(t, 20)
	list, out := runList(t, 13), filepath.Join(t.TempDir(), "proofs.txt")
	r := v.json("hos.batch", "vendor", "batch", list, "--model", "Lock 2", "--out", out)
	if r["size"] != float64(13) || r["height"] == float64(0) || r["out"] != out {
		t.Fatalf("registered: %v", r)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) != 13 {
		t.Fatalf("%d proofs", len(lines))
	}
	v.hos(exitUsage, "vendor", "batch", list, "--model", "Lock 2", "--out", out) // there already
	again := filepath.Join(t.TempDir(), "again.txt")
	_, talk := v.hos(exitFailure, "vendor", "batch", list, "--model", "Lock 2", "--out", again)
	if !strings.Contains(talk, "batch_exists") && !strings.Contains(talk, "registered already") {
		t.Errorf("registered twice: %s", talk)
	}
	third := filepath.Join(t.TempDir(), "third.txt")
	if o, _ := v.hos(exitOK, "vendor", "batch", list, "--proofs-only", "--out", third); !strings.Contains(o, r["root"].(string)) {
		t.Errorf("proofs only: %s", o)
	}
	if same, err := os.ReadFile(third); err != nil || string(same) != string(text) {
		t.Errorf("other proofs: %v", err)
	}

	m, err := tx.ParseBatchMember(lines[7])
	if err != nil {
		t.Fatal(err)
	}
	d := produced(7)
	code := w.inBatch(d, m)
	w.devices[code.Device].seal = m.SealKey
	p := w.person(t)
	p.hos(exitOK, "key", "new")
	_, talk = p.hos(exitOK, "device", "pair", code.String(), "--name", "cellar")
	if !strings.Contains(talk, r["root"].(string)) {
		t.Errorf("the owner was not told of the batch: %s", talk)
	}
	rec, err := state.GetDevice(w.tree, code.Device)
	if err != nil || rec.Model != "Lock 2" || rec.Owner == nil {
		t.Fatalf("record %+v, %v", rec, err)
	}

	// A device without its line, and one with a spoiled one.
	bare := w.inBatch(produced(8), nil)
	w.devices[bare.Device].seal = [32]byte{31: 9}
	p.hos(exitNotFound, "device", "pair", bare.String())
	bad, err := tx.ParseBatchMember(lines[9])
	if err != nil {
		t.Fatal(err)
	}
	bad.Path[0][0] ^= 1
	spoiled := w.inBatch(produced(9), bad)
	w.devices[spoiled.Device].seal = bad.SealKey
	if _, talk := p.hos(exitInvalid, "device", "pair", spoiled.String()); !strings.Contains(talk, "ask its maker") {
		t.Errorf("spoiled proof: %s", talk)
	}
}

// TestVendorBatch_Refusals: a list that the ledger could not use is refused
// before anything is written or sent.
func TestVendorBatch_Refusals(t *testing.T) {
	w := newWorld(t)
	v := w.vendor(t, 3)
	good := runList(t, 2)
	pub, seal := produced(0).Public().String(), strings.Repeat("01", 32)
	for name, c := range map[string]struct {
		exit int
		list string
	}{
		"no file":       {exitNotFound, filepath.Join(t.TempDir(), "none")},
		"empty":         {exitUsage, file(t, "# nothing\n")},
		"one field":     {exitUsage, file(t, pub+"\n")},
		"three fields":  {exitUsage, file(t, pub+" "+seal+" x\n")},
		"no key":        {exitUsage, file(t, "hospub1x "+seal+"\n")},
		"short seal":    {exitUsage, file(t, pub+" 0101\n")},
		"zero seal":     {exitUsage, file(t, pub+" "+strings.Repeat("0", 64)+"\n")},
		"twice":         {exitUsage, file(t, pub+" "+seal+"\n"+pub+" "+seal+"\n")},
		"line too long": {exitUsage, file(t, strings.Repeat("x", 600)+"\n")},
		"over quota":    {exitDenied, runList(t, 4)},
	} {
		out := filepath.Join(t.TempDir(), "proofs.txt")
		v.hos(c.exit, "vendor", "batch", c.list, "--model", "m", "--out", out)
		if _, err := os.Stat(out); err == nil && name != "over quota" {
			t.Errorf("%s: proofs were written", name)
		}
	}
	v.hos(exitUsage, "vendor", "batch", good, "--model", "m")
	v.hos(exitUsage, "vendor", "batch", good, "--out", filepath.Join(t.TempDir(), "x"))
	left, err := os.ReadDir(filepath.Dir(good))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
