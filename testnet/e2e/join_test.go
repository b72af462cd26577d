package e2e

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/testnet/harness"
	"github.com/hybridos-net/hybridos/testnet/join"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

// TestJoin lets a full node of somebody else join a running network, with the
// real command line.
func TestJoin(t *testing.T) {
	n, ctx := up(t, manifest.Manifest{Name: "join-test", Validators: 2, LogLevel: "info"})
	s := n.State()
	dir := filepath.Join(t.TempDir(), "joined")
	args := []string{"join", "--json", "--genesis", n.GenesisFile(), "--node", s.Nodes[0].Mesh[0], "--peer", s.Nodes[0].P2P, "--timeout", "2m"}
	var r join.Result
	check(t, json.Unmarshal([]byte(testnet(t, ctx, 0, append(args, "--dir", dir, "--genesis-hash", s.GenesisHash, "--keep")...)), &r))
	if r.Genesis != s.GenesisHash || r.Height < 2 {
		t.Errorf("joined %+v", r)
	}
	joined := must(harness.Open(harness.Config{Dir: dir}))(t)
	t.Cleanup(func() {
		if err := joined.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	// The new node serves what it has verified, and follows.
	head := must(n.AwaitHead(ctx, r.Height))(t)
	got := must(n.AwaitHead(ctx, head.Height, r.Mesh...))(t)
	if got.Height == head.Height && hex.EncodeToString(got.Hash) != hex.EncodeToString(head.Hash) {
		t.Errorf("block %d is %x at the new node, %x at the others", got.Height, got.Hash, head.Hash)
	}
	testnet(t, ctx, 0, "status", "--dir", dir)
	testnet(t, ctx, 0, "down", "--dir", dir)
	noneOf(t, joined.State().Processes)

	if out := testnet(t, ctx, 1, append(args, "--dir", dir)...); !strings.Contains(out, harness.ErrExists.Error()) {
		t.Errorf("joining into a directory in use: %s", out)
	}
	other := filepath.Join(t.TempDir(), "other")
	if out := testnet(t, ctx, 1, append(args, "--dir", other, "--genesis-hash", strings.Repeat("0", 64))...); !strings.Contains(out, join.ErrPin.Error()) {
		t.Errorf("another pin: %s", out)
	}
	if _, err := os.Stat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused pin left %s: %v", other, err)
	}
	otherGenesis(t, ctx, n)
}

// otherGenesis joins with the document of a ledger of the same name whose
// validators are others: the nodes are refused before anything is started.
func otherGenesis(t *testing.T, ctx context.Context, n *harness.Network) {
	t.Helper()
	doc := must(n.Genesis())(t)
	doc.Validators[0].PubKey = append([]byte(nil), doc.Validators[0].PubKey...)
	doc.Validators[0].PubKey[0] ^= 1
	doc.Validators[1].PubKey = append([]byte(nil), doc.Validators[1].PubKey...)
	doc.Validators[1].PubKey[0] ^= 1
	dir := filepath.Join(t.TempDir(), "stranger")
	_, _, err := join.Run(ctx, join.Config{
		Genesis: doc, Nodes: n.Mesh(), Peers: []string{n.State().Nodes[0].P2P}, Dir: dir, Programs: programs, Tell: t.Logf,
	})
	if !errors.Is(err, join.ErrOtherLedger) {
		t.Errorf("another genesis document: %v, want %v", err, join.ErrOtherLedger)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused ledger left %s: %v", dir, err)
	}
	if errors.Is(err, light.NoHead) {
		t.Error("nothing was asked")
	}
	down, cancel := context.WithCancel(ctx)
	cancel()
	_, _, err = join.Run(down, join.Config{
		Genesis: must(n.Genesis())(t), Nodes: []string{"/ip4/127.0.0.1/tcp/1/p2p/" + strings.Split(n.Mesh()[0], "/p2p/")[1]},
		Peers: []string{n.State().Nodes[0].P2P}, Dir: dir, Programs: programs,
	})
	if !errors.Is(err, join.ErrUnreachable) {
		t.Errorf("nodes that do not answer: %v, want %v", err, join.ErrUnreachable)
	}
}
