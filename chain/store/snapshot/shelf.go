// Package snapshot keeps snapshots of the state tree on disk for nodes that
// join later, and takes them beside the running ledger.
//
// It decides nothing about trust: whoever imports a snapshot compares its root
// with a header that it verified (store.Import does). Callers use Open, then
// Shelf.Run beside the ledger, or Shelf.Take with the ledger stopped.
//
// What must never change: a folder under its final name is whole, a chunk is
// only given out if it is what its manifest says, and taking a snapshot neither
// delays a block nor ends the node.
package snapshot

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/durable"
)

// Config configures Open. Dir and Tree are needed.
type Config struct {
	// Dir is the folder of the snapshots, on the same disk as the tree.
	Dir string
	// Tree is the state.
	Tree *store.Tree
	// Interval: a snapshot after each block whose height it divides; 0: none.
	Interval int64
	// Keep is how many snapshots stay, the newest ones; at least 1.
	Keep int
	// Logger is nil for none.
	Logger *slog.Logger
}

// NotThere: there is no such snapshot, or chunk, or no longer.
var NotThere = errors.New("no such snapshot")

// Shelf is the folder. Its methods may be called concurrently.
type Shelf struct {
	cfg Config
	log *slog.Logger
	due chan int64

	taking sync.Mutex // one at a time

	mu   sync.Mutex
	have []Manifest // ascending height
}

// manifestName is the manifest's file; it is written last.
const manifestName = "manifest"

// unfinished marks the folders of work in progress.
const unfinished = ".tmp"

// Open reads what is there and removes what a crash left. It takes nothing.
func Open(cfg Config) (*Shelf, error) {
	if cfg.Dir == "" || cfg.Tree == nil || cfg.Interval < 0 || cfg.Keep < 1 || cfg.Keep > MaxKept {
		return nil, fmt.Errorf("snapshots: want a folder, a tree, and 1 to %d to keep", MaxKept)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Shelf{cfg: cfg, log: cfg.Logger.With("part", "snapshots"), due: make(chan int64, 1)}
	if err := os.MkdirAll(cfg.Dir, durable.DirMode); err != nil {
		return nil, fmt.Errorf("snapshots: %w", err)
	}
	entries, err := os.ReadDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("snapshots: %w", err)
	}
	for _, e := range entries {
		if err := s.adopt(e.Name()); err != nil {
			return nil, fmt.Errorf("snapshots: %w", err)
		}
	}
	slices.SortFunc(s.have, func(a, b Manifest) int { return cmp.Compare(a.Height, b.Height) })
	return s, s.trim()
}

// adopt takes one folder into the list, or removes it if it is of no use. Other
// names are not ours and stay.
func (s *Shelf) adopt(name string) error {
	path := filepath.Join(s.cfg.Dir, name)
	if strings.HasSuffix(name, unfinished) {
		return os.RemoveAll(path)
	}
	var height int64
	if _, err := fmt.Sscanf(name, "%d", &height); err != nil || name != folder(height) {
		return nil
	}
	raw, err := durable.Read(filepath.Join(path, manifestName), MaxManifestBytes)
	if err == nil {
		var m Manifest
		if m, err = Decode(raw); err == nil && m.Height == height {
			s.have = append(s.have, m)
			return nil
		}
	}
	s.log.Warn("damaged snapshot removed", "height", height, "err", err)
	return os.RemoveAll(path)
}

func folder(height int64) string { return fmt.Sprintf("%020d", height) }

func (s *Shelf) chunkFile(dir string, index int) string {
	return filepath.Join(dir, fmt.Sprintf("chunk-%04d", index))
}

// Committed tells that a block is on disk; it never waits.
func (s *Shelf) Committed(height int64) {
	if s.cfg.Interval == 0 || height%s.cfg.Interval != 0 {
		return
	}
	select { // the newest counts
	case <-s.due:
	default:
	}
	select {
	case s.due <- height:
	default:
	}
}

// Run takes snapshots that are due until ctx ends. One that cannot be taken, as
// on a full disk, is told in the log; the ledger goes on, and so do the older
// ones.
func (s *Shelf) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case height := <-s.due:
			if _, err := s.Take(ctx, height); err != nil && ctx.Err() == nil {
				s.log.Error("no snapshot taken", "height", height, "err", err)
			}
		}
	}
}

// Take makes a snapshot of a committed version and removes the oldest over
// Keep. It reads from a frozen copy, so that commits need not wait.
func (s *Shelf) Take(ctx context.Context, height int64) (m Manifest, err error) {
	s.taking.Lock()
	defer s.taking.Unlock()
	if i := s.find(height); i != nil {
		return *i, nil
	}
	work := filepath.Join(s.cfg.Dir, folder(height)+unfinished)
	if err := os.RemoveAll(work); err != nil {
		return m, fmt.Errorf("snapshot: %w", err)
	}
	if err := os.MkdirAll(work, durable.DirMode); err != nil {
		return m, fmt.Errorf("snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	out := filepath.Join(work, "out")
	if err := os.Mkdir(out, durable.DirMode); err != nil {
		return m, fmt.Errorf("snapshot: %w", err)
	}
	if m, err = s.write(ctx, height, filepath.Join(work, "tree"), out); err != nil {
		return m, fmt.Errorf("snapshot of height %d: %w", height, err)
	}
	if err := os.Rename(out, filepath.Join(s.cfg.Dir, folder(height))); err != nil {
		return m, fmt.Errorf("snapshot: %w", err)
	}
	s.mu.Lock()
	s.have = append(s.have, m)
	slices.SortFunc(s.have, func(a, b Manifest) int { return cmp.Compare(a.Height, b.Height) })
	s.mu.Unlock()
	s.log.Info("snapshot taken", "height", height, "chunks", len(m.Chunks))
	return m, s.trim()
}

// write exports into a folder.
func (s *Shelf) write(ctx context.Context, height int64, copyDir, out string) (m Manifest, err error) {
	frozen, err := s.cfg.Tree.Freeze(copyDir)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, frozen.Close()) }()
	root, err := frozen.HashAt(height)
	if err != nil {
		return m, err
	}
	m = Manifest{Height: height, Root: Hash(root)}
	err = frozen.Export(ctx, height, func(chunk []byte) error {
		if len(m.Chunks) == MaxChunks {
			return fmt.Errorf("the state is over %d MiB", MaxBytes>>20)
		}
		m.Chunks = append(m.Chunks, sha256.Sum256(chunk))
		return durable.Write(s.chunkFile(out, len(m.Chunks)-1), chunk)
	})
	if err != nil {
		return m, err
	}
	return m, durable.Write(filepath.Join(out, manifestName), m.Encode())
}

// trim removes the oldest over Keep.
func (s *Shelf) trim() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.have) > s.cfg.Keep {
		if err := s.remove(0); err != nil {
			return err
		}
	}
	return nil
}

// remove takes the snapshot at i away; mu is held.
func (s *Shelf) remove(i int) error {
	path := filepath.Join(s.cfg.Dir, folder(s.have[i].Height))
	s.have = slices.Delete(s.have, i, i+1)
	// Under its own name a half removed one would pass for whole.
	if err := os.Rename(path, path+unfinished); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return os.RemoveAll(path + unfinished)
}

// List gives the manifests of what is there, by ascending height.
func (s *Shelf) List() []Manifest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.have)
}

func (s *Shelf) find(height int64) *Manifest {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.have {
		if m.Height == height {
			return &m
		}
	}
	return nil
}

// Chunk reads a chunk. One that is not what the manifest says is not given out;
// the whole snapshot is removed.
func (s *Shelf) Chunk(height int64, index uint32) ([]byte, error) {
	m := s.find(height)
	if m == nil || uint64(index) >= uint64(len(m.Chunks)) {
		return nil, fmt.Errorf("%w: height %d, chunk %d", NotThere, height, index)
	}
	b, err := durable.Read(s.chunkFile(filepath.Join(s.cfg.Dir, folder(height)), int(index)), store.MaxChunkBytes)
	if err == nil && m.Check(index, b) {
		return b, nil
	}
	s.log.Warn("damaged snapshot removed", "height", height, "chunk", index, "err", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.have, func(m Manifest) bool { return m.Height == height }); i >= 0 {
		err = errors.Join(err, s.remove(i))
	}
	return nil, errors.Join(fmt.Errorf("%w: height %d is damaged", NotThere, height), err)
}
