// Package engine runs CometBFT in this process: it builds its configuration in
// code, starts and stops it without leaving a goroutine, and turns what the
// rest of the node needs (light blocks, submitting, new heads) into few plain
// methods.
//
// It knows nothing of the ledger's rules, which reach it as an ABCI
// application. Callers use Start, then Engine.Run.
//
// What must never change: all of CometBFT's stores are those of node/cometdb,
// and a validator never signs without its sign state on disk.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/rpc/core"
	"github.com/cometbft/cometbft/types"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/node/cometdb"
)

// Config configures Start. Genesis, App, Dir and Keys are needed.
type Config struct {
	Genesis *genesis.Doc
	App     App
	// Dir is where CometBFT keeps its stores and its log of consensus messages.
	Dir string
	// Keys are the files made by NewKeys.
	Keys KeyFiles
	// Name is told to peers.
	Name string
	// Listen is host:port of the consensus network; port 0 picks one.
	Listen string
	// External is the address told to peers, if it is another.
	External string
	// Peers are id@host:port of nodes that are dialled for as long as it takes.
	Peers []string
	// RPC is host:port of CometBFT's own RPC on loopback; empty for none.
	RPC string
	// Sync, if not nil, lets a node without blocks begin with a snapshot.
	Sync *Sync
	// Pace, if not 0, is the pause between blocks in place of the usual one, for
	// test networks that need many blocks soon. All validators need the same.
	Pace time.Duration
	// Indexed keeps CometBFT's own index of transactions, for applications that
	// have none of their own: ours has node/index.
	Indexed bool
	// Logger is nil for none.
	Logger *slog.Logger
}

// Engine is a running CometBFT node.
type Engine struct {
	cfg    Config
	parked *parking
	comet  *node.Node
	env    *core.Environment
	stores *stores
	log    *slog.Logger
	addr   string
	sub    types.Subscription
	pubKey []byte

	outcomes *outcomes

	seen seen // what CometBFT tells in its log only

	mu      sync.Mutex
	waiting map[types.TxKey]*waiter
	recent  map[types.TxKey]Outcome
	ring    []types.TxKey // order in which recent was filled
	stats   Stats
	heads   chan int64
	step    chan struct{}
}

// ErrUnfit: blocks, state and keys in the home do not belong together, or the
// blocks are damaged; the cause is wrapped behind it.
var ErrUnfit = errors.New("the blocks of this home do not fit its state")

// ErrHalted: consensus stopped by itself, because this node's state differs from
// the network's or its disk failed; the cause is wrapped behind it.
var ErrHalted = errors.New("consensus stopped")

// subscriber names us on CometBFT's event bus.
const subscriber = "hosd"

// Start opens the stores, replays what a crash left, and binds the listener.
// After an error nothing stays open, except that CometBFT cannot take back the
// goroutines of a node that it refused to build.
func Start(ctx context.Context, cfg Config) (*Engine, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	signer, nodeKey, err := cfg.Keys.load()
	if err != nil {
		return nil, err
	}
	listen, err := freePort(ctx, cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("p2p_listen: %w", err)
	}
	if cfg.RPC != "" {
		if cfg.RPC, err = freePort(ctx, cfg.RPC); err != nil {
			return nil, fmt.Errorf("rpc_listen: %w", err)
		}
	}
	if err := checkDiverged(cfg.Dir); err != nil {
		return nil, err
	}
	settings, err := cfg.settings(listen)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		cfg: cfg, parked: &parking{App: cfg.App}, log: cfg.Logger.With("part", "engine"), stores: newStores(cometdb.NewProvider(cfg.Logger)),
		addr: string(nodeKey.ID()) + "@" + listen, pubKey: signer.Key.PubKey.Bytes(),
		waiting: make(map[types.TxKey]*waiter), recent: make(map[types.TxKey]Outcome), heads: make(chan int64, 1),
		step: make(chan struct{}),
	}
	defer close(e.stores.begun)
	started := make(chan error, 1)
	go func() { started <- e.start(ctx, settings, signer, nodeKey) }()
	select {
	case err = <-started:
	case err = <-e.stores.fault:
		err = fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Engine) start(ctx context.Context, settings *config.Config, signer *privval.FilePV, nodeKey *p2p.NodeKey) error {
	if err := e.prepareSync(settings); err != nil {
		return fmt.Errorf("open node: %w", err)
	}
	if err := e.build(ctx, settings, signer, nodeKey); err != nil {
		return errors.Join(err, e.stores.Close())
	}
	err := e.begin(ctx)
	switch {
	case errors.Is(err, ErrUnfit): // half begun, which CometBFT cannot stop
		e.seen.stopping.Store(true)
		return errors.Join(err, e.stores.Close())
	case err != nil:
		return errors.Join(err, e.stop())
	}
	return nil
}

// build makes the node. CometBFT panics where its stores do not fit the
// application or hold rubbish; that is a fault of the disk, not of the program.
func (e *Engine) build(ctx context.Context, settings *config.Config, signer *privval.FilePV, nodeKey *p2p.NodeKey) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrUnfit, r)
		}
	}()
	e.comet, err = node.NewNodeWithContext(ctx, settings, signer, nodeKey,
		proxy.NewLocalClientCreator(e.parked),
		func() (*types.GenesisDoc, error) { return genesisDoc(e.cfg.Genesis) },
		e.stores.Open,
		node.DefaultMetricsProvider(settings.Instrumentation),
		logger{to: e.cfg.Logger.With("part", "comet"), seen: &e.seen},
		e.options()...,
	)
	switch app := e.cfg.App.Err(); {
	case err == nil:
		return nil
	case app != nil:
		return fmt.Errorf("replay blocks: %w", app)
	case errors.Is(err, kv.Locked), errors.Is(err, kv.Full), errors.Is(err, abci.WrongGenesis):
		return fmt.Errorf("open node: %w", err)
	default:
		return fmt.Errorf("%w: %w", ErrUnfit, err)
	}
}

func (e *Engine) options() []node.Option {
	if e.cfg.Sync == nil {
		return nil
	}
	return []node.Option{node.StateProvider(&provider{cfg: *e.cfg.Sync, doc: e.cfg.Genesis, log: e.log})}
}

func (e *Engine) begin(ctx context.Context) (err error) {
	defer func() { // its address book is read here
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrUnfit, r)
		}
	}()
	if id := e.comet.GenesisDoc().ChainID; id != e.cfg.Genesis.ChainID {
		return fmt.Errorf("%s holds ledger %q, the genesis document is of %q: %w", e.cfg.Dir, id, e.cfg.Genesis.ChainID, abci.WrongGenesis)
	}
	if e.env, err = e.comet.ConfigureRPC(); err != nil {
		return fmt.Errorf("set up node: %w", err)
	}
	if err := e.listen(ctx); err != nil {
		return err
	}
	if err := e.openOutcomes(); err != nil {
		return err
	}
	e.loadStats()
	e.parked.running.Store(true)
	if err := e.comet.Start(); err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	return nil
}

// Run follows the chain until ctx ends or the node breaks, then stops it and
// closes its stores. An engine runs once.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if err := e.stores.Watch(ctx); err != nil {
			cancel(err)
		}
	})
	err := e.follow(ctx, &running)
	if err == nil {
		err = cancelled(ctx)
	}
	cancel(nil)
	e.failWaiters()
	stopErr := e.stop()
	if e.stores.sound() && !e.upgrading() {
		running.Wait() // else what waits for a part that the fault ended stays behind
	}
	return errors.Join(err, stopErr)
}

// cancelled gives the cause of the end of ctx, nil if it was asked for.
func cancelled(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// follow handles blocks until ctx ends (nil) or consensus stops.
func (e *Engine) follow(ctx context.Context, running *sync.WaitGroup) error {
	look := time.NewTicker(lookPause)
	defer look.Stop()
	var halted chan struct{} // nil until consensus has begun
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.cfg.App.Failed():
			e.lastWords(ctx)
			return fmt.Errorf("the ledger stopped: %w", e.cfg.App.Err())
		case <-look.C:
			if err := e.seen.unsynced(); err != nil {
				return fmt.Errorf("%w: %w", ErrSync, err)
			}
			if err := e.seen.diverged(); err != nil {
				return e.halt(err)
			}
			if halted == nil && !e.env.ConsensusReactor.WaitSync() {
				halted = make(chan struct{})
				running.Go(func() { e.waitConsensus(halted) })
			}
			if !e.caughtUp() && e.keepsStep() {
				close(e.step)
			}
		case <-halted:
			if err := e.cfg.App.Err(); err != nil {
				return fmt.Errorf("the ledger stopped: %w", err)
			}
			return e.halt(e.seen.failure())
		case msg := <-e.sub.Out():
			if b, ok := msg.Data().(types.EventDataNewBlock); ok {
				if err := e.handle(b); err != nil {
					return err
				}
			}
		case <-e.sub.Canceled():
			if ctx.Err() != nil {
				return nil
			}
			if err := e.listen(ctx); err != nil {
				return err
			}
			e.log.Warn("fell behind the blocks")
		}
	}
}

// waitConsensus closes halted when consensus has ended, which it does by
// itself only when something is broken. It must have begun.
func (e *Engine) waitConsensus(halted chan<- struct{}) {
	if c, ok := e.env.ConsensusState.(interface{ Wait() }); ok {
		c.Wait()
		close(halted)
	}
}

func (e *Engine) listen(ctx context.Context) (err error) {
	e.sub, err = e.comet.EventBus().Subscribe(ctx, subscriber, types.EventQueryNewBlock, eventBuffer)
	if err != nil {
		return fmt.Errorf("listen to blocks: %w", err)
	}
	return nil
}

// stop ends CometBFT and closes every store.
func (e *Engine) stop() error {
	e.seen.stopping.Store(true)
	var errs []error
	if e.comet.IsRunning() {
		errs = append(errs, e.stopComet())
	} else {
		_ = e.comet.EventBus().Stop() // started by the constructor
	}
	errs = append(errs, e.comet.ProxyApp().Stop(), e.stores.Close())
	return errors.Join(errs...)
}

// stopComet stops CometBFT. After the fault of a store some of its parts may
// have ended in a panic for which others wait, and before an upgrade one may be
// parked: then the process is about to end, and does not wait with them.
func (e *Engine) stopComet() error {
	stopped := make(chan error, 1)
	go func() { stopped <- e.comet.Stop() }()
	var late <-chan time.Time
	if !e.stores.sound() || e.upgrading() {
		late = time.After(maxStop)
	}
	select {
	case err := <-stopped:
		return err
	case <-late:
		return nil
	}
}

// Addr is id@host:port of the consensus network.
func (e *Engine) Addr() string { return e.addr }

// RPC is host:port of CometBFT's RPC, empty if it is off.
func (e *Engine) RPC() string { return e.cfg.RPC }

// PubKey is the Ed25519 key with which this node signs if it is a validator.
func (e *Engine) PubKey() []byte { return e.pubKey }

// InStep is closed when the node has caught up with the network for the first
// time, and has a state that a header vouches for.
func (e *Engine) InStep() <-chan struct{} { return e.step }

func (e *Engine) caughtUp() bool {
	select {
	case <-e.step:
		return true
	default:
		return false
	}
}

// keepsStep compares this node with its peers. That catching up has ended is
// not enough: it ends one block before the newest.
func (e *Engine) keepsStep() bool {
	height := e.env.BlockStore.Height()
	if e.env.ConsensusReactor.WaitSync() || height < 2 {
		return false
	}
	peers := e.comet.Switch().Peers().Copy()
	if len(peers) == 0 && len(e.cfg.Genesis.Validators) > 1 {
		return false
	}
	for _, p := range peers {
		s, ok := p.Get(types.PeerStateKey).(interface{ GetHeight() int64 })
		if ok && s.GetHeight()-1 > height { // it works on the height after its last
			return false
		}
	}
	return true
}

// Heads tells the height of each new block once the node is in step with the
// network. It holds one value: a slow reader sees only the newest.
func (e *Engine) Heads() <-chan int64 { return e.heads }

// openOutcomes opens the store of outcomes beside CometBFT's and takes in what
// a crash or an older program left out.
func (e *Engine) openOutcomes() error {
	store, err := e.stores.Provider.Open(&config.DBContext{ID: outcomesID, Config: e.comet.Config()})
	if err != nil {
		return err
	}
	if e.outcomes, err = openOutcomes(store); err != nil {
		return err
	}
	return e.catchUp(e.env.BlockStore.Height())
}

// outcomesID names the store of outcomes.
const outcomesID = "outcomes"

// storeDir is where CometBFT's stores stand in its directory.
const storeDir = "stores"
