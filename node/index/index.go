// Package index answers what the state tree cannot: which devices an account
// owns or a vendor made, which grants a key was given or a device is under, which
// transactions named a record, and what the newest blocks were.
//
// It is rows on this node's disk and no authority: it proves nothing, and whoever
// needs a right to be true reads the records themselves, with proofs. Callers use
// Open before the ledger's application starts, hand Index.Committed to it, and
// then Index.Run.
//
// What must never change: the chain never waits for it; each block is written
// whole with its height, or not at all; after each block the lists equal what a
// new index would read from the state of that block; and nothing is kept in
// memory for each record.
package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/node/api"
)

// Config configures Open. Dir, Tree and Chain are needed.
type Config struct {
	// Dir is the directory of the rows; it is created if missing, and made anew
	// if it is damaged or of another version.
	Dir string
	// FS is nil for the operating system's file system.
	FS kv.FS
	// Tree is the open state tree; the index only reads it.
	Tree *store.Tree
	// Chain is the digest of the ledger, for the ids of transactions.
	Chain codec.ChainDigest
	// Logger is nil for none.
	Logger *slog.Logger
}

// Index is the rows. Its methods may be called concurrently, Committed by one
// goroutine only.
type Index struct {
	cfg  Config
	tree *store.Tree
	log  *slog.Logger
	db   *kv.DB
	dir  string        // of db
	wake chan struct{} // holds one

	// Of the goroutine of Run.
	older  bool  // there are no older blocks to be had
	done   int64 // records or blocks since the last line in the log
	before int64 // records taken while building

	mu     sync.Mutex
	head   api.Head // newest committed block
	at     mark     // what the rows are of
	wiping bool     // the rows are of another ledger or unfinished, and are being removed
	queue  []abci.Commit
	queued int           // transactions in queue
	moved  chan struct{} // closed when at or fault changes
	fault  error

	life   sync.RWMutex // held for reading while the store is read from outside
	closed bool

	watching sync.Mutex
	watchers map[*watcher]struct{}
}

type watcher struct {
	f func(api.Head, []key.AccountID)
}

var _ api.Index = (*Index)(nil)

// layout marks a directory as an index.
const layout = "hybridos/index"

// Open opens the rows; nothing is read from the state yet. The head's time is
// not known before the next block.
func Open(cfg Config) (*Index, error) {
	if cfg.Tree == nil || cfg.Dir == "" {
		return nil, errors.New("index: a directory and a state tree are needed")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	x := &Index{
		cfg: cfg, tree: cfg.Tree, log: cfg.Logger.With("part", "index"), wake: make(chan struct{}, 1),
		moved: make(chan struct{}), watchers: make(map[*watcher]struct{}),
	}
	if err := x.open(); err != nil {
		return nil, err
	}
	x.head = api.Head{Height: x.tree.Version()}
	if err := x.begin(); err != nil {
		return nil, errors.Join(err, x.db.Close())
	}
	if x.at.Height == x.head.Height {
		x.head = x.at.head()
	}
	return x, nil
}

// open opens the store, and makes it anew if it cannot be read. There are two
// places for it, since a store that is found damaged keeps its directory locked
// until the process ends.
func (x *Index) open() (err error) {
	here, other := filepath.Join(x.cfg.Dir, "a"), filepath.Join(x.cfg.Dir, "b")
	if !kv.Exists(here, x.cfg.FS) && kv.Exists(other, x.cfg.FS) {
		here, other = other, here
	}
	opts := kv.Options{FS: x.cfg.FS, MemTableBytes: memTable, Layout: layout, LayoutVersion: layoutVersion, Logger: x.cfg.Logger}
	x.db, err = kv.Open(here, opts)
	if errors.Is(err, kv.Corrupt) || errors.Is(err, kv.WrongLayout) {
		x.log.Warn("the index is damaged or of another version and is made anew", "err", err)
		here, other = other, here
		if err = kv.Destroy(here, x.cfg.FS); err == nil {
			x.db, err = kv.Open(here, opts)
		}
	}
	if err == nil {
		err = kv.Destroy(other, x.cfg.FS)
	}
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	x.dir = here
	return nil
}

// begin finds out whether the rows belong to the tree.
func (x *Index) begin() error {
	raw, err := x.db.Get([]byte{rowMark})
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	m, err := decode[mark](raw)
	if err != nil || m == nil || !x.fits(*m) {
		x.wiping = true
		return nil
	}
	x.at = *m
	return nil
}

// fits compares the root of the block that the rows are of with the tree's, so
// that rows of a block that was rolled back, of another ledger or of a state that
// has been replaced are not taken for this one's.
func (x *Index) fits(m mark) bool {
	if m.Height < 1 {
		return false
	}
	root, err := x.tree.HashAt(m.Height)
	return err == nil && string(root) == string(m.Root)
}

// Close releases the directory, after Run has ended; a second call does nothing.
func (x *Index) Close() error {
	x.life.Lock()
	defer x.life.Unlock()
	if x.closed {
		return nil
	}
	x.closed = true
	err := x.db.Close()
	if x.failed() != nil {
		return nil // told in the log; it must not end the node's other parts in an error
	}
	return err
}

// Committed takes note of a block; it is abci.Config.Committed, and waits for
// nothing.
func (x *Index) Committed(c abci.Commit) {
	head := api.Head{Height: c.Height, Time: c.Time.UTC()}
	x.mu.Lock()
	x.head = head
	if x.fault == nil {
		x.enqueue(c)
	}
	x.mu.Unlock()
	x.nudge()
	x.tell(head, nil)
}

// enqueue keeps a block for Run, or none at all: those that are not there are
// read from the disk.
func (x *Index) enqueue(c abci.Commit) {
	if len(x.queue) >= maxQueue || x.queued+len(c.Txs) > maxQueueTxs {
		x.queue, x.queued = nil, 0
		return
	}
	x.queue = append(x.queue, c)
	x.queued += len(c.Txs)
}

func (x *Index) nudge() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// Head implements api.Follower.
func (x *Index) Head() api.Head {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.head
}

// State implements api.Follower.
func (x *Index) State() api.IndexState {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := api.IndexState{Ready: x.ready(), Failed: x.fault != nil}
	if s.Ready {
		s.Height, s.From, s.Filled = x.at.Height, x.at.From, x.older || x.at.From <= 1
	}
	return s
}

// ready reports whether lists can be had; mu is held.
func (x *Index) ready() bool { return x.fault == nil && !x.wiping && x.at.Building == nil }

func (x *Index) failed() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.fault
}

// Await implements api.Follower.
func (x *Index) Await(ctx context.Context, height int64) {
	for {
		x.mu.Lock()
		moved, there := x.moved, x.ready() && x.at.Height >= height || x.fault != nil
		x.mu.Unlock()
		if there {
			return
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}

// set moves the index on, and wakes who waits for it.
func (x *Index) set(change func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	change()
	close(x.moved)
	x.moved = make(chan struct{})
}

// Watch implements api.Follower. Of blocks that had to be skipped the accounts
// are not known, and f gets none.
func (x *Index) Watch(ctx context.Context, f func(api.Head, []key.AccountID)) {
	w := &watcher{f}
	x.watching.Lock()
	x.watchers[w] = struct{}{}
	x.watching.Unlock()
	context.AfterFunc(ctx, func() {
		x.watching.Lock()
		delete(x.watchers, w)
		x.watching.Unlock()
	})
}

func (x *Index) tell(head api.Head, accounts []key.AccountID) {
	x.watching.Lock()
	defer x.watching.Unlock()
	for w := range x.watchers {
		w.f(head, accounts)
	}
}
