// Package home is the directory of one hosd: where its files stand, how they
// are made, its configuration file, its lock, and run.json, in which a running
// hosd tells its addresses.
//
// It starts nothing and knows no ledger. Callers use Create for a new directory
// and Open for one that a hosd is going to use; harnesses read run.json with
// ReadRun.
//
// What must never change: the names of the files, and that no key file is ever
// written over.
package home

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hybridos-net/hybridos/chain/store/durable"
	"github.com/hybridos-net/hybridos/p2p/mux"
)

// Dir is the root of a home.
type Dir string

// The files of a home.
func (d Dir) join(names ...string) string {
	return filepath.Join(append([]string{string(d)}, names...)...)
}

// ConfigFile is the configuration, made by Create and edited by people.
func (d Dir) ConfigFile() string { return d.join("config.toml") }

// GenesisFile is the genesis document of the ledger.
func (d Dir) GenesisFile() string { return d.join("genesis.json") }

// ConsensusKey is the Ed25519 key that signs blocks.
func (d Dir) ConsensusKey() string { return d.join("keys", "consensus.json") }

// NodeKey names the node in the consensus network.
func (d Dir) NodeKey() string { return d.join("keys", "node.json") }

// TransportKey is the seed of the key that names the node in the mesh.
func (d Dir) TransportKey() string { return d.join("keys", "transport.seed") }

// SignState is what the consensus key signed last.
func (d Dir) SignState() string { return d.join("data", "sign-state.json") }

// StateDir is the state tree.
func (d Dir) StateDir() string { return d.join("data", "state") }

// SnapshotDir is where snapshots of the state are kept for nodes that join.
func (d Dir) SnapshotDir() string { return d.join("data", "snapshots") }

// IndexDir is where lists are kept; it can be removed, and is then made anew.
func (d Dir) IndexDir() string { return d.join("data", "index") }

// EngineDir is where CometBFT keeps blocks and its log.
func (d Dir) EngineDir() string { return d.join("data", "comet") }

// RunFile tells the addresses of the running hosd.
func (d Dir) RunFile() string { return d.join("run.json") }

func (d Dir) lockFile() string { return d.join("lock") }

// Exists reports whether the directory is a home already.
func (d Dir) Exists() bool {
	for _, name := range []string{d.ConfigFile(), d.ConsensusKey(), d.NodeKey(), d.TransportKey(), d.SignState()} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// ErrExists: the directory is a home already; nothing was changed.
var ErrExists = errors.New("is a home already")

// Create makes the directories, the transport key and the configuration file.
// The caller adds the consensus keys. It refuses a directory that is a home.
func Create(root string, cfg Config) (Dir, error) {
	d := Dir(root)
	if err := cfg.Validate(); err != nil {
		return d, err
	}
	if d.Exists() {
		return d, fmt.Errorf("%s %w", root, ErrExists)
	}
	for _, dir := range []string{d.join(), d.join("keys"), d.join("data"), d.EngineDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return d, err
		}
	}
	seed, err := mux.NewSeed(rand.Reader)
	if err != nil {
		return d, err
	}
	if err := durable.Create(d.TransportKey(), seed); err != nil {
		return d, err
	}
	return d, durable.Create(d.ConfigFile(), cfg.encode())
}

// Discard removes what Create and the makers of keys put into the directory,
// and nothing else: what is left of a home that could not be completed, as on a
// full disk, must not stand in the way of the next try.
func (d Dir) Discard() error {
	for _, name := range []string{
		d.ConfigFile(), d.GenesisFile(), d.ConsensusKey(), d.NodeKey(), d.TransportKey(), d.SignState(),
	} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, dir := range []string{d.join("keys"), d.EngineDir(), d.join("data"), d.join()} {
		_ = os.Remove(dir) // fails where something of somebody else's stands in it
	}
	return nil
}

// TransportSeed reads the seed of the mesh key.
func (d Dir) TransportSeed() ([]byte, error) {
	seed, err := os.ReadFile(d.TransportKey())
	if err != nil {
		return nil, err
	}
	if len(seed) != mux.SeedSize {
		return nil, fmt.Errorf("%s: %d bytes, want %d", d.TransportKey(), len(seed), mux.SeedSize)
	}
	return seed, nil
}
