package agent_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// run is a production run of three devices, of which the real one is the last.
type run struct {
	tree *batch.Tree
	file string // of all proofs
}

func (r *run) register(t *testing.T, d *device) tx.Payload {
	t.Helper()
	seal, err := hex.DecodeString(d.info.SealKey)
	if err != nil {
		t.Fatal(err)
	}
	leaves := []batch.Leaf{
		{Key: statetest.Key("a").Public(), SealKey: [32]byte{1}}, {Key: statetest.Key("b").Public(), SealKey: [32]byte{2}},
		{Key: d.info.Key, SealKey: [32]byte(seal)},
	}
	var hashes []batch.Hash
	for _, l := range leaves {
		hashes = append(hashes, l.Hash())
	}
	if r.tree, err = batch.NewTree(hashes); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for i, l := range leaves {
		path, err := r.tree.Path(uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		m := tx.BatchMember{Vendor: d.vendor.Public().AccountID(), Root: r.tree.Root(), Index: uint64(i), Key: l.Key, SealKey: l.SealKey, Path: path}
		text.WriteString(m.Line() + "\n")
	}
	r.file = filepath.Join(t.TempDir(), "proofs.txt")
	if err := os.WriteFile(r.file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tx.RegisterBatch{Root: r.tree.Root(), Size: 3, Model: "batch bolt"}
}

// TestAgent_Batch: a device of which the ledger knows no more than that it is
// in some batch is paired with the proof that its maker put into it, obeys its
// owner, and is not to be had without the proof.
func TestAgent_Batch(t *testing.T) {
	r := new(run)
	d := newDeviceBy(t, func(d *device) tx.Payload { return r.register(t, d) })
	for name, c := range map[string]struct{ text, want string }{
		"no such file":     {"", "try: check the path"},
		"another's proofs": {"hosdev1 x\n", "try: give the file that hos vendor batch wrote"},
		"damaged":          {d.info.Device.String() + " AAAA\n", "try:"},
		"too long":         {strings.Repeat("A", tx.MaxMemberLine+3) + "\n", "try:"},
	} {
		file := filepath.Join(t.TempDir(), "file")
		if c.text != "" {
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if out, stderr, err := runAgent(t, "batch", "--home", d.home, file); err == nil || !strings.Contains(stderr, c.want) {
			t.Fatalf("%s: %s%s", name, out, stderr)
		}
	}
	out, stderr, err := runAgent(t, "batch", "--home", d.home, "--json", r.file)
	if err != nil || !strings.Contains(string(out), r.tree.Root().String()) || !strings.Contains(string(out), `"index": 2`) {
		t.Fatalf("batch: %v\n%s%s", err, out, stderr)
	}
	d.agent.stop(t)
	d.run()
	start(t, "hos-lock", "--bus", d.bus, "--log", filepath.Join(t.TempDir(), "log"), "--key", d.lockKey)
	d.pair()
	d.want(d.command("open", nil), command.Executed, command.OK)
	d.agent.stop(t)

	// A proof of other keys is not served.
	other := tx.BatchMember{Vendor: key.AccountID{1}, Root: batch.Hash{1}, Key: statetest.Key("a").Public(), SealKey: [32]byte{1}}
	if err := os.WriteFile(filepath.Join(d.home, "batch.proof"), []byte(other.Line()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, stderr, err := runAgent(t, "status", "--home", d.home); err == nil || !strings.Contains(stderr, "batch.proof") {
		t.Fatalf("status: %s%s", out, stderr)
	}
}
