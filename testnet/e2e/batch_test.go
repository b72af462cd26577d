package e2e

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/agent"
)

// TestBatchAndPolicy: with the real programs, a device of which the ledger knows
// its batch alone is paired by 'hos device pair'; and an owner's policy shuts a
// door and opens it again.
func TestBatchAndPolicy(t *testing.T) {
	d := pairedDoorOn(t, "single")

	home := filepath.Join(t.TempDir(), "device")
	run := func(args ...string) []byte {
		t.Helper()
		out, err := exec.CommandContext(d.ctx, filepath.Join(programs, "hos-agent"), args...).Output()
		if err != nil {
			t.Fatalf("hos-agent %v: %v", args, err)
		}
		return out
	}
	var info agent.Info
	if err := json.Unmarshal(run("init", "--home", home, "--genesis", d.net.GenesisFile(), "--model", "plain", "--json"), &info); err != nil {
		t.Fatal(err)
	}
	run("batch", "--home", home, d.registerBatch(info))
	code := d.runAgent(home)
	d.hos(0, "device", "pair", "--name", "batched", code)
	v := must(d.client.View(d.ctx))(t)
	if r := must(state.GetDevice(v, info.Device))(t); r.Model != "Run 7" || r.Owner == nil || r.Epoch != 1 {
		t.Errorf("record %+v", r)
	}

	open := func(want string) {
		t.Helper()
		if a := must(d.net.Hos(d.ctx, d.owner, "door", "open", "dev1"))(t); !strings.Contains(string(a.Talk), want) || (a.Exit == 0) != (want == "") {
			t.Errorf("exit %d, want %q\n%s", a.Exit, want, a.Talk)
		}
	}
	d.hos(0, "device", "policy", "dev1", "--method", "lock.open", "--class", "R2", "--signers", "2")
	open("too_few_signers")
	d.hos(0, "device", "policy", "dev1", "--method", "lock.open", "--as-made")
	open("")
	d.moves(2)
	d.hos(0, "device", "addresses", "dev1", "--publish")
	d.hos(0, "device", "addresses", "dev1", "--use")
	open("")
	d.moves(3)
}

// registerBatch puts a batch on the ledger in which the device is one of three,
// and gives the file with the proofs.
func (d *door) registerBatch(info agent.Info) string {
	t := d.t
	t.Helper()
	leaves := []batch.Leaf{
		{Key: statetest.Key("one of the run").Public(), SealKey: [32]byte{1}},
		{Key: info.Key, SealKey: [32]byte(must(hex.DecodeString(info.SealKey))(t))},
		{Key: statetest.Key("another of the run").Public(), SealKey: [32]byte{2}},
	}
	var hashes []batch.Hash
	for _, l := range leaves {
		hashes = append(hashes, l.Hash())
	}
	tree, vendor := must(batch.NewTree(hashes))(t), must(d.net.Vendor())(t)
	id := vendor.Public().AccountID()
	sequence := must(state.GetVendor(must(d.client.View(d.ctx))(t), id))(t).Sequence
	x := must(tx.New(id, sequence, uint64(time.Now().Add(10*time.Minute).Unix()),
		&tx.RegisterBatch{Root: tree.Root(), Size: tree.Size(), Model: "Run 7"}))(t)
	x.Sign(d.client.Chain(), tx.RoleVendor, vendor)
	must(d.client.ViewAfter(d.ctx, must(d.client.Submit(d.ctx, x))(t)))(t)
	var text strings.Builder
	for i, l := range leaves {
		m := tx.BatchMember{Vendor: id, Root: tree.Root(), Index: uint64(i), Key: l.Key, SealKey: l.SealKey, Path: must(tree.Path(uint64(i)))(t)}
		text.WriteString(m.Line() + "\n")
	}
	file := filepath.Join(t.TempDir(), "proofs.txt")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// runAgent runs the agent of a home without a bus, and gives its pairing code.
func (d *door) runAgent(home string) string {
	t := d.t
	t.Helper()
	args := []string{"run", "--home", home, "--bus", filepath.Join(home, "bus.sock"), "--listen", "/ip4/127.0.0.1/tcp/0"}
	for _, m := range d.net.Mesh() {
		args = append(args, "--node", m)
	}
	cmd := exec.CommandContext(d.ctx, filepath.Join(programs, "hos-agent"), args...)
	out := must(cmd.StdoutPipe())(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines, done := bufio.NewReader(out), make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
	})
	awaitLine(t, lines, "hos-agent ready")
	go func() {
		defer close(done)
		drain(lines)
	}()
	code, err := exec.CommandContext(d.ctx, filepath.Join(programs, "hos-agent"), "code", "--home", home).Output()
	if err != nil {
		t.Fatalf("hos-agent code: %v", err)
	}
	return strings.TrimSpace(string(code))
}
