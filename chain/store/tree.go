// Package store is the state tree of the ledger: versioned, authenticated, on
// disk.
//
// It does not know what a record means (chain/state does) and it is not for
// light clients, which verify its proofs with chain/proof and need none of its
// libraries. Callers start at Open and Tree.Commit.
//
// What must never change: the tree's hashing (iavl), because old headers commit
// to it; that a committed version survives any crash; that reopening yields
// exactly the last committed version, never a part of a later one; and the
// layout version, which goes up whenever an older program could not read the
// directory.
package store

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/cosmos/iavl"

	"github.com/hybridos-net/hybridos/chain/store/kv"
)

// LayoutVersion is the version of the directory's layout; see
// docs/spec/state-tree.md.
const LayoutVersion = 1

// Keys that begin with these bytes are reserved for the fence.
const (
	lowFence  = 0x00
	highFence = 0xff
)

// layoutName marks a directory as a state tree.
const layoutName = "hybridos/state-tree"

// Config configures Open. Only Dir is required.
type Config struct {
	// Dir is the directory of the tree; it is created if missing.
	Dir string
	// FS is nil for the operating system's file system.
	FS kv.FS
	// CacheBytes is the store's block cache; 0 means kv.DefaultCacheBytes.
	CacheBytes int64
	// MemTableBytes is the store's memtable; 0 means kv.DefaultMemTableBytes.
	MemTableBytes int64
	// NodeCache is the number of decoded nodes kept; 0 means DefaultNodeCache.
	NodeCache int
	// KeepVersions is how many versions stay readable, the last one included;
	// 0 means DefaultKeepVersions, negative means all.
	KeepVersions int64
	// InitialVersion is the number of the first Commit, the chain's initial
	// height; 0 means 1.
	InitialVersion uint64
	// Logger is nil for none.
	Logger *slog.Logger
}

// Tree is an open state tree. Reads (Get, GetAt, ProveAt) may run beside each
// other and beside a Commit; writes belong to one goroutine.
type Tree struct {
	cfg   Config
	db    *kv.DB
	disk  *nodeStore
	keep  int64
	first int64 // oldest version that may still be on disk, 0 if unknown

	mu     sync.RWMutex // the iavl tree is not safe for concurrent use
	tree   *iavl.MutableTree
	dirty  map[string]struct{} // keys written since the last Commit
	broken error               // first failed Commit; memory and disk may differ since then
	closed bool

	importing *Import // under way; the tree is of no other use meanwhile
}

// Open opens the tree at its last committed version, or creates an empty one at
// version 0. Errors are kv errors: Locked, Corrupt, Full, WrongLayout and so on.
func Open(cfg Config) (*Tree, error) {
	if cfg.NodeCache == 0 {
		cfg.NodeCache = DefaultNodeCache
	}
	if cfg.KeepVersions == 0 {
		cfg.KeepVersions = DefaultKeepVersions
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	db, err := kv.Open(cfg.Dir, kv.Options{
		FS: cfg.FS, CacheBytes: cfg.CacheBytes, MemTableBytes: cfg.MemTableBytes,
		Layout: layoutName, LayoutVersion: LayoutVersion, Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	t := &Tree{cfg: cfg, db: db, disk: &nodeStore{db: db}, keep: cfg.KeepVersions, dirty: make(map[string]struct{})}
	t.tree = newIAVL(t.disk, cfg)
	if err := t.load(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// skipFastStorage turns iavl's second, flat copy of the latest values off. It
// saves a look-up per level on a cold read, but doubles what a commit writes;
// the benchmarks in this package show the balance.
const skipFastStorage = true

func newIAVL(disk *nodeStore, cfg Config) *iavl.MutableTree {
	return iavl.NewMutableTree(disk, cfg.NodeCache, skipFastStorage, treeLog{cfg.Logger}, options(cfg)...)
}

func options(cfg Config) []iavl.Option {
	opts := []iavl.Option{
		iavl.SyncOption(true),
		// One batch per version: iavl would flush a large one in parts, and a
		// crash between two parts leaves a version without a root.
		iavl.FlushThresholdOption(math.MaxInt),
		iavl.AsyncPruningOption(false),
	}
	if cfg.InitialVersion > 1 {
		opts = append(opts, iavl.InitialVersionOption(cfg.InitialVersion))
	}
	return opts
}

func (t *Tree) load() (err error) {
	defer t.catch("load the last version", &err)
	if err := t.recoverImport(); err != nil {
		return err
	}
	version, err := t.tree.Load()
	if err != nil {
		return t.fault("load the last version", err)
	}
	if version == 0 {
		return t.fence()
	}
	return nil
}

// fence puts a record at either end of a new tree, below and above every key
// that callers may use. Every absent key then has two neighbours, so that
// absence can be proven from the first version on; and the root is never a
// leaf, which iavl would mistake for a kept version after pruning once the leaf
// has moved down into a larger tree.
func (t *Tree) fence() error {
	for _, key := range [][]byte{{lowFence}, {highFence}} {
		if _, err := t.tree.Set(key, []byte{LayoutVersion}); err != nil {
			return t.fault("begin a tree", err)
		}
	}
	return nil
}

// Version is the last committed version, 0 before the first Commit.
func (t *Tree) Version() int64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return 0
	}
	return t.tree.Version()
}

// Hash is the root of the last committed version; before the first Commit it
// is the SHA-256 of nothing.
func (t *Tree) Hash() []byte {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		return nil
	}
	return bytes.Clone(t.tree.Hash())
}

// WorkingHash is the root that Commit would give now. More writes may follow.
func (t *Tree) WorkingHash() ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(); err != nil {
		return nil, err
	}
	return bytes.Clone(t.tree.WorkingHash()), nil
}

// Get returns a copy of the working value under key, uncommitted writes
// included; nil if absent.
func (t *Tree) Get(key []byte) (value []byte, err error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	if err := t.usable(); err != nil {
		return nil, err
	}
	defer t.catch("read", &err)
	value, err = t.tree.Get(key)
	if err != nil {
		return nil, t.fault("read", err)
	}
	return bytes.Clone(value), nil
}

// Set writes a value of 1 to MaxValueBytes bytes into the working tree. Empty
// values are refused because ics23 cannot prove them.
func (t *Tree) Set(key, value []byte) (err error) {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(value) == 0 || len(value) > MaxValueBytes {
		return refuse(BadValue, "value has %d bytes, not 1 to %d", len(value), MaxValueBytes)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(); err != nil {
		return err
	}
	defer t.catch("write", &err)
	if _, err := t.tree.Set(bytes.Clone(key), bytes.Clone(value)); err != nil {
		return t.fault("write", err)
	}
	t.dirty[string(key)] = struct{}{}
	return nil
}

// Delete removes a key from the working tree; an absent key is no error.
func (t *Tree) Delete(key []byte) (err error) {
	if err := checkKey(key); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(); err != nil {
		return err
	}
	defer t.catch("delete", &err)
	if _, _, err := t.tree.Remove(key); err != nil {
		return t.fault("delete", err)
	}
	t.dirty[string(key)] = struct{}{}
	return nil
}

// Pending lists the keys that were set or deleted since the last Commit, in
// ascending order: what the next Commit may change.
func (t *Tree) Pending() [][]byte {
	t.mu.RLock()
	defer t.mu.RUnlock()
	keys := make([][]byte, 0, len(t.dirty))
	for _, k := range slices.Sorted(maps.Keys(t.dirty)) {
		keys = append(keys, []byte(k))
	}
	return keys
}

// Rollback forgets every write since the last Commit.
func (t *Tree) Rollback() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(); err != nil {
		return err
	}
	t.tree.Rollback()
	clear(t.dirty)
	if t.tree.Version() == 0 {
		return t.fence()
	}
	return nil
}

// Commit makes the working tree the next version and returns when it is on
// disk. Old versions beyond KeepVersions are then removed. After an error the
// tree refuses everything until it is opened again.
func (t *Tree) Commit() (version int64, root []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(); err != nil {
		return 0, nil, err
	}
	defer func() { t.broken = err }()
	defer t.catch("commit", &err)
	root, version, err = t.tree.SaveVersion()
	if err != nil {
		return 0, nil, t.fault("commit", err)
	}
	clear(t.dirty)
	if err := t.prune(version); err != nil {
		return 0, nil, err
	}
	return version, bytes.Clone(root), nil
}

// prune removes the versions that fell out of the window, without waiting for
// the disk: after a crash they are simply removed again.
func (t *Tree) prune(version int64) error {
	if t.keep < 0 || version <= t.keep {
		return nil
	}
	if t.first == 0 {
		t.first = t.oldest(version)
	}
	last := min(version-t.keep, t.first+pruneStep-1)
	if last < t.first {
		return nil
	}
	t.disk.lazy = true
	defer func() { t.disk.lazy = false }()
	if err := t.tree.DeleteVersionsTo(last); err != nil {
		return t.fault("prune", err)
	}
	t.first = last + 1
	return nil
}

// oldest finds the first version on disk; versions are contiguous.
func (t *Tree) oldest(latest int64) int64 {
	low, high := int64(1), latest
	for low < high {
		middle := low + (high-low)/2
		if t.tree.VersionExists(middle) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

// Failed is closed when the store below has stopped on a fault; Err tells it.
// The owner should end the process with that error.
func (t *Tree) Failed() <-chan struct{} { return t.db.Failed() }

// Err is the fault that stopped the store, or nil.
func (t *Tree) Err() error { return t.db.Err() }

// Close releases the directory; uncommitted writes are forgotten. A second call
// does nothing.
func (t *Tree) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	t.closed = true
	return errors.Join(t.tree.Close(), t.db.Close())
}

// usable tells whether the tree may be used at all; mu is held.
func (t *Tree) usable() error {
	switch {
	case t.closed:
		return refuse(Closed, "the tree is closed")
	case t.broken != nil:
		return t.broken
	case t.importing != nil:
		return refuse(Unfinished, "the state is being imported")
	}
	return t.db.Err()
}

func checkKey(key []byte) error {
	if len(key) == 0 || len(key) > MaxKeyBytes {
		return refuse(BadKey, "key has %d bytes, not 1 to %d", len(key), MaxKeyBytes)
	}
	if key[0] == lowFence || key[0] == highFence {
		return refuse(BadKey, "key begins with the reserved byte %#02x", key[0])
	}
	return nil
}
