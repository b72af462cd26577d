// Package abci is the ledger as a CometBFT application: it runs chain/state's
// rules over chain/store's tree, block by block.
//
// It decides nothing of its own about transactions (chain/state does) and knows
// no network. Callers use New and hand the App to CometBFT; App.Prove serves
// light clients.
//
// What must never change: the state after block H is version H of the tree and
// its root stands in header H+1; the codes; and that a block executes to the
// same result on every validator, so that no clock, randomness or map order
// reaches it.
package abci

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cometbft/cometbft/abci/types"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/snapshot"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Config configures New. Logger and Now may be nil.
type Config struct {
	// Genesis is the document that the ledger starts from.
	Genesis *genesis.Doc
	// Tree is the open state tree. The App is its only writer; the caller
	// closes it.
	Tree *store.Tree
	// Now is the clock for admission to the mempool; nil for the system's. No
	// block depends on it.
	Now func() time.Time
	// Committed, if not nil, is called after each block is on disk, also for
	// those that are replayed at the start. The chain waits for it: it must be
	// quick. It may read the tree but not write it.
	Committed func(Commit)
	// Snapshots, if not nil, are offered to peers. The caller runs it and tells
	// it of commits.
	Snapshots *snapshot.Shelf
	// Restore lets CometBFT fill the tree from a peer's snapshot, whatever it
	// holds. CometBFT asks for that only while it has no block.
	Restore bool
	// KeepBlocks is how many blocks CometBFT is told to keep; 0: all.
	KeepBlocks int64
	// Binary is the SHA-256 of this program, for upgrades; zero for none of them.
	Binary [32]byte
	// SkipUpgrades are names of upgrades at which this program goes on, whatever
	// it is.
	SkipUpgrades []string
	// Logger is nil for none.
	Logger *slog.Logger
}

// Commit tells what a committed block changed.
type Commit struct {
	Height int64
	Time   time.Time // of the block's header
	Hash   []byte    // of the header
	// Txs are the block's transactions, in order.
	Txs []Executed
	// Keys are those of the records that the block may have changed, in
	// ascending order, the genesis state's among them for the first block. A
	// written value may equal the old one.
	Keys [][]byte
	// Values are what the block left under Keys, nil where that was deleted or is
	// not at hand. They are shared: they must not be changed.
	Values [][]byte
}

// Executed is a transaction of a block with its outcome. The Tx is shared: it
// must not be changed.
type Executed struct {
	Tx   *tx.Tx // nil: it does not decode
	Code uint32
}

// App is the application. CometBFT's local client calls it under one lock;
// Prove, Height, Refused and Failed are safe beside that.
type App struct {
	types.BaseApplication

	doc   *genesis.Doc
	chain codec.ChainDigest
	tree  *store.Tree
	now   func() time.Time
	log   *slog.Logger
	seen  *verified
	known *decoded
	reads *reads
	told  func(Commit)
	shelf *snapshot.Shelf
	keep  int64

	binary [32]byte
	skip   []string
	plan   atomic.Pointer[state.Upgrade] // that is to come
	halted *UpgradeError                 // nil unless the next block is for another program

	mayRestore bool         // until the first block
	restoring  *restoration // nil: none under way

	check    *state.Overlay // committed state and what stands in the mempool
	decided  *execution     // proposal accepted last, to be executed but once
	lastTime int64          // Unix seconds of the last block since the start
	last     Commit         // of the block that is executed last, without its records
	refused  atomic.Uint64  // proposals of others that were refused

	failOnce sync.Once
	failed   chan struct{}
	fault    error
}

var _ types.Application = (*App)(nil)

// New makes the application over an open tree.
func New(cfg Config) (*App, error) {
	if cfg.Genesis == nil || cfg.Tree == nil {
		return nil, errors.New("abci: genesis document and state tree are needed")
	}
	if err := cfg.Genesis.Validate(); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Committed == nil {
		cfg.Committed = func(Commit) {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	seen, err := newVerified()
	if err != nil {
		return nil, fmt.Errorf("abci: signature cache: %w", err)
	}
	a := &App{
		doc: cfg.Genesis, chain: cfg.Genesis.Chain(), tree: cfg.Tree, seen: seen, known: newDecoded(), reads: newReads(cfg.Tree), told: cfg.Committed,
		shelf: cfg.Snapshots, mayRestore: cfg.Restore, keep: cfg.KeepBlocks, binary: cfg.Binary, skip: cfg.SkipUpgrades,
		now: cfg.Now, log: cfg.Logger.With("part", "abci"), failed: make(chan struct{}),
	}
	if err := a.checkTree(); err != nil {
		return nil, err
	}
	if err := a.halt(); err != nil {
		return nil, err
	}
	a.resetCheck()
	return a, nil
}

// WrongGenesis means that a tree belongs to another ledger than the genesis
// document; use the right document or another directory.
var WrongGenesis = errors.New("the state belongs to another genesis document")

// checkTree refuses a tree of another ledger, before anything is written.
func (a *App) checkTree() error {
	if a.tree.Version() == 0 {
		return nil
	}
	p, err := state.GetParams(a.tree)
	if err != nil {
		return fmt.Errorf("read parameters: %w", err)
	}
	if p.Chain != a.chain {
		return WrongGenesis
	}
	return nil
}

// Info tells CometBFT up to which block the state is on disk; it replays the
// rest.
func (a *App) Info(context.Context, *types.RequestInfo) (*types.ResponseInfo, error) {
	u, err := state.GetUpgrades(a.tree)
	if err != nil {
		return nil, a.fail(fmt.Errorf("read the schedule of upgrades: %w", err))
	}
	r := &types.ResponseInfo{Data: "hybridos", AppVersion: u.Rules(a.tree.Version()), LastBlockHeight: a.tree.Version()}
	if r.LastBlockHeight > 0 {
		r.LastBlockAppHash = a.tree.Hash()
	}
	return r, nil
}

// InitChain writes the genesis state into the working tree. It is committed
// with the first block, so that a crash before that starts again from nothing.
// Header 1 names no root: there is no version 0 that could be proven. CometBFT
// then makes block 2 at once, since it has a root to announce, and light
// clients need not wait for the first heartbeat.
func (a *App) InitChain(_ context.Context, r *types.RequestInitChain) (*types.ResponseInitChain, error) {
	if err := a.checkGenesis(r); err != nil {
		return nil, err
	}
	if err := a.rewind(); err != nil {
		return nil, a.fail(err)
	}
	a.lastTime = a.doc.Time
	a.resetCheck()
	return &types.ResponseInitChain{}, nil
}

// checkGenesis demands that CometBFT starts from the very document that the
// application was made with.
func (a *App) checkGenesis(r *types.RequestInitChain) error {
	doc, err := genesis.Parse(r.AppStateBytes)
	if err != nil {
		return err
	}
	switch {
	case doc.Hash() != a.doc.Hash():
		return WrongGenesis
	case r.ChainId != doc.ChainID:
		return fmt.Errorf("chain id %q, the genesis document says %q", r.ChainId, doc.ChainID)
	case r.InitialHeight != 1:
		return fmt.Errorf("initial height %d, want 1", r.InitialHeight)
	case r.Time.Unix() != doc.Time:
		return fmt.Errorf("genesis time %d, the genesis document says %d", r.Time.Unix(), doc.Time)
	case len(r.Validators) != len(doc.Validators):
		return fmt.Errorf("%d validators, the genesis document has %d", len(r.Validators), len(doc.Validators))
	}
	want := make(map[string]bool, len(doc.Validators))
	for _, v := range doc.Validators {
		want[string(v.PubKey)] = true
	}
	for _, v := range r.Validators {
		if !want[string(v.PubKey.GetEd25519())] || v.Power != genesis.Power {
			return fmt.Errorf("a validator is not in the genesis document, or has another power")
		}
	}
	return nil
}

// rewind makes the working tree equal to the last committed version; before
// the first, to the genesis state.
func (a *App) rewind() error {
	if a.reads.dirty || a.tree.Version() == 0 {
		a.reads.forget()
	}
	if err := a.tree.Rollback(); err != nil {
		return err
	}
	if a.tree.Version() > 0 {
		return nil
	}
	return a.doc.Apply(a.reads)
}

// Chain is the digest of the ledger.
func (a *App) Chain() codec.ChainDigest { return a.chain }

// Height is the last committed height.
func (a *App) Height() int64 { return a.tree.Version() }

// Refused counts the proposals that this node refused since its start. Honest
// proposers make none, so that a rise names a validator that lies or is broken.
func (a *App) Refused() uint64 { return a.refused.Load() }

// Failed is closed when a block could not be executed or committed because of
// a fault of this node; Err tells it. The process should end with it, since
// CometBFT cannot go on.
func (a *App) Failed() <-chan struct{} { return a.failed }

// Err is the fault that closed Failed, or nil.
func (a *App) Err() error {
	select {
	case <-a.failed:
		return a.fault
	default:
		return nil
	}
}

func (a *App) fail(err error) error {
	a.failOnce.Do(func() {
		a.fault = err
		close(a.failed)
	})
	return err
}

// txKey names a transaction in logs, as CometBFT does.
func txKey(b []byte) string { return fmt.Sprintf("%X", sha256.Sum256(b)) }
