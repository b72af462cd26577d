package engine

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cometbft/cometbft/crypto/ed25519"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/genesis"
)

func keyFiles(dir string) KeyFiles {
	return KeyFiles{
		Consensus: filepath.Join(dir, "consensus.json"),
		SignState: filepath.Join(dir, "sign.json"),
		Node:      filepath.Join(dir, "node.json"),
	}
}

func TestNewKeys(t *testing.T) {
	f := keyFiles(t.TempDir())
	pub, err := NewKeys(f)
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.PubKey()
	if err != nil || !bytes.Equal(pub, again) || len(pub) != 32 {
		t.Errorf("public key %x, read %x, %v", pub, again, err)
	}
	if id, err := f.NodeID(); err != nil || len(id) != 40 {
		t.Errorf("node id %q, %v", id, err)
	}
	before, _ := os.ReadFile(f.Consensus)
	if _, err := NewKeys(f); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second NewKeys: %v", err)
	}
	if after, _ := os.ReadFile(f.Consensus); !bytes.Equal(before, after) {
		t.Error("the key was written over")
	}
	if info, err := os.Stat(f.Consensus); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// A validator without its sign state could sign twice: it does not start.
func TestKeyFiles_MissingOrDamaged(t *testing.T) {
	for _, name := range []string{"consensus.json", "sign.json", "node.json"} {
		for what, damage := range map[string]func(string) error{
			"missing": os.Remove,
			"empty":   func(p string) error { return os.Truncate(p, 0) },
			"cut":     func(p string) error { return os.Truncate(p, 10) },
			"other":   func(p string) error { return os.WriteFile(p, []byte(`{"height": true}`), 0o600) },
		} {
			dir := t.TempDir()
			f := keyFiles(dir)
			if _, err := NewKeys(f); err != nil {
				t.Fatal(err)
			}
			if err := damage(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			if _, err := f.PubKey(); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s %s: %v", name, what, err)
			}
		}
	}
}

func TestSettings(t *testing.T) {
	c := Config{Dir: t.TempDir(), Name: "one", Peers: []string{"a@b:1", "c@d:2"}}
	s, err := c.settings("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	longest := s.Consensus.TimeoutCommit + s.Consensus.CreateEmptyBlocksInterval
	if s.Consensus.TimeoutCommit != 500*time.Millisecond || s.Consensus.CreateEmptyBlocks || longest > 10*time.Second || longest < 5*time.Second {
		t.Errorf("times between blocks: %+v", s.Consensus)
	}
	if s.P2P.LibP2PConfig.Enabled || s.BlockSync.AdaptiveSync || s.StateSync.Enable || s.Instrumentation.Prometheus || s.RPC.ListenAddress != "" {
		t.Error("something is on that has to be off")
	}
	if s.P2P.PersistentPeers != "a@b:1,c@d:2" {
		t.Errorf("peers %q", s.P2P.PersistentPeers)
	}
}

func TestGenesisDoc(t *testing.T) {
	doc := &genesis.Doc{ChainID: "hos-1", Time: 1_700_000_000, Validators: []genesis.Validator{
		{Name: "one", PubKey: ed25519.GenPrivKeyFromSecret([]byte("one")).PubKey().Bytes()},
	}}
	g, err := genesisDoc(doc)
	if err != nil {
		t.Fatal(err)
	}
	if g.ConsensusParams.Block.MaxBytes != abci.MaxBlockBytes || g.ConsensusParams.Evidence.MaxBytes != abci.MaxEvidenceBytes || g.ConsensusParams.Version.App != abci.Version {
		t.Errorf("parameters %+v", g.ConsensusParams)
	}
	if len(g.Validators) != 1 || g.Validators[0].Power != genesis.Power || g.GenesisTime.Unix() != doc.Time {
		t.Errorf("document %+v", g)
	}
}

func TestFreePort(t *testing.T) {
	got, err := freePort(t.Context(), "127.0.0.1:0")
	if err != nil || strings.HasSuffix(got, ":0") {
		t.Errorf("%q, %v", got, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := freePort(t.Context(), l.Addr().String()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("port in use: %v", err)
	}
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	var s seen
	l := logger{slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo})), &s}.With("module", "x")
	l.Debug("hidden")
	l.Info("hidden")
	l.Warn("shown", "a", 1)
	l.Error("shown")
	if s.failure() == nil {
		t.Error("no text before a failure")
	}
	l.Error(consensusFailure, "err", syscall.ENOSPC, "stack", "hidden")
	l.Error(consensusFailure, "err", "second", "stack", "hidden")
	s.stopping.Store(true)
	l.Error("hidden")
	if text := out.String(); strings.Contains(text, "hidden") || strings.Count(text, "shown") != 2 || strings.Count(text, "module=x") != 2 {
		t.Errorf("log:\n%s", text)
	}
	if !errors.Is(s.failure(), syscall.ENOSPC) {
		t.Errorf("cause %v", s.failure())
	}
}
