// Package node is a validator or full node: the consensus engine and the ledger
// in one process, the mesh host that serves light clients and spreads
// checkpoints, and the HTTP interface.
//
// It holds no rules of the ledger (chain/state) and parses no flags
// (node/cmd/hosd). Callers use New and Node.Run.
//
// What must never change: a node answers only from its own verified chain, and
// it stops, rather than serve on, when its state differs from the network's or
// its disk fails.
package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/snapshot"
	"github.com/hybridos-net/hybridos/node/api"
	"github.com/hybridos-net/hybridos/node/engine"
	"github.com/hybridos-net/hybridos/node/home"
	"github.com/hybridos-net/hybridos/node/index"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/p2p/host"
	"github.com/hybridos-net/hybridos/p2p/mesh"
	"github.com/hybridos-net/hybridos/p2p/mux"
	"github.com/hybridos-net/hybridos/p2p/presence"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// Config configures New. Home, Settings and Genesis are needed.
type Config struct {
	// Home is the directory with the keys; the caller holds its lock.
	Home home.Dir
	// Settings are checked by New.
	Settings home.Config
	// Genesis is the ledger to follow.
	Genesis *genesis.Doc
	// Binary is the SHA-256 of this program: what an upgrade of the ledger names.
	// Without it the node halts at every upgrade.
	Binary [32]byte
	// Ready is called once when every address answers, with the real ports.
	Ready func(home.Run) error
	// InStep is called once when the node has caught up with the network for the
	// first time; before that it takes no transactions.
	InStep func()
	// Pace is that of engine.Config: for test networks only, and no setting.
	Pace time.Duration
	// Logger is nil for none.
	Logger *slog.Logger
}

// Node is a validator or full node.
type Node struct {
	cfg Config
	log *slog.Logger
}

// New checks the configuration; it starts nothing.
func New(cfg Config) (*Node, error) {
	if cfg.Genesis == nil || cfg.Home == "" {
		return nil, errors.New("node: home and genesis document are needed")
	}
	if err := errors.Join(cfg.Settings.Validate(), cfg.Genesis.Validate()); err != nil {
		return nil, err
	}
	if cfg.Ready == nil {
		cfg.Ready = func(home.Run) error { return nil }
	}
	if cfg.InStep == nil {
		cfg.InStep = func() {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Node{cfg: cfg, log: cfg.Logger.With("part", "node")}, nil
}

// Run runs the node until ctx ends (nil) or something breaks, and returns when
// everything is closed. Addresses in use, a state of another ledger and faults
// of the disk end it before it answers anybody.
func (n *Node) Run(ctx context.Context) (err error) {
	doors, err := n.openDoors(ctx)
	if err != nil {
		return err
	}
	defer doors.close()
	relay := new(relayed)
	mesh, err := n.listenMesh(relay)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mesh.Close()) }()
	tree, err := store.Open(store.Config{Dir: n.cfg.Home.StateDir(), MemTableBytes: stateMemTable, Logger: n.cfg.Logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	snapshots, err := snapshot.Open(snapshot.Config{
		Dir: n.cfg.Home.SnapshotDir(), Tree: tree, Interval: n.cfg.Settings.SnapshotInterval,
		Keep: int(n.cfg.Settings.SnapshotKeep), Logger: n.cfg.Logger,
	})
	if err != nil {
		return err
	}
	lists, err := index.Open(index.Config{Dir: n.cfg.Home.IndexDir(), Tree: tree, Chain: n.cfg.Genesis.Chain(), Logger: n.cfg.Logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lists.Close()) }()
	app, err := abci.New(abci.Config{
		Genesis: n.cfg.Genesis, Tree: tree, Snapshots: snapshots, Restore: n.cfg.Settings.StateSync,
		KeepBlocks: n.cfg.Settings.KeepBlocks, Binary: n.cfg.Binary, SkipUpgrades: n.cfg.Settings.SkipUpgrades, Logger: n.cfg.Logger,
		Committed: func(c abci.Commit) {
			lists.Committed(c)
			snapshots.Committed(c.Height)
		},
	})
	if err != nil {
		return err
	}
	sync, end, err := n.stateSync(mesh)
	if err != nil {
		return err
	}
	defer end()
	eng, err := engine.Start(ctx, n.engineConfig(app, sync))
	if err != nil {
		return err
	}
	return n.serve(ctx, &ledger{cfg: &n.cfg, app: app, eng: eng, host: mesh}, parts{lists, snapshots, relay}, doors)
}

// parts are what follows the ledger's commits, and whom the relay serves.
type parts struct {
	lists     *index.Index
	snapshots *snapshot.Shelf
	relay     *relayed
}

func (n *Node) listenMesh(relay *relayed) (*host.Host, error) {
	seed, err := n.cfg.Home.TransportSeed()
	if err != nil {
		return nil, err
	}
	k, err := mux.Key(seed)
	if err != nil {
		return nil, err
	}
	// libp2p's error would hide why; a port in use is told plainly.
	probe, err := net.Listen("tcp", n.cfg.Settings.Mesh)
	if err != nil {
		return nil, fmt.Errorf("mesh_listen: %w", err)
	}
	if err := probe.Close(); err != nil {
		return nil, fmt.Errorf("mesh_listen: %w", err)
	}
	addr, err := n.cfg.Settings.MeshAddr()
	if err != nil {
		return nil, err
	}
	cfg := host.Config{Key: k, Addrs: []string{addr}, Announce: n.cfg.Settings.MeshAnnounce}
	if n.cfg.Settings.MeshRelay {
		cfg.Relay = relay
	}
	h, err := host.Listen(cfg)
	if err != nil {
		return nil, fmt.Errorf("mesh_listen: %w", err)
	}
	return h, nil
}

func (n *Node) engineConfig(app *abci.App, sync *engine.Sync) engine.Config {
	s := n.cfg.Settings
	return engine.Config{
		Genesis: n.cfg.Genesis, App: app, Dir: n.cfg.Home.EngineDir(), Keys: KeyFiles(n.cfg.Home), Name: s.Name,
		Listen: s.P2P, External: s.P2PExternal, Peers: s.P2PPeers, RPC: s.RPC, Sync: sync, Pace: n.cfg.Pace, Logger: n.cfg.Logger,
	}
}

// KeyFiles are the consensus keys of a home.
func KeyFiles(d home.Dir) engine.KeyFiles {
	return engine.KeyFiles{Consensus: d.ConsensusKey(), SignState: d.SignState(), Node: d.NodeKey()}
}

// serve wires the parts and runs them until the first of them ends.
func (n *Node) serve(ctx context.Context, l *ledger, p parts, d doors) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g := group{cancel: cancel}
	g.run(ctx, "consensus", l.eng.Run) // also stops it if the wiring fails

	gossip, err := mesh.New(mesh.Config{Host: l.host, Logger: n.cfg.Logger})
	if err != nil {
		return g.end(err)
	}
	points := newCheckpoints(l, l.host.ID(), n.cfg.Genesis, n.log)
	if points.topic, err = gossip.Join(topic.Checkpoint(n.cfg.Genesis.Chain()), topic.MaxCheckpoint, 1, points.judge); err != nil {
		return g.end(err)
	}
	fetcher, err := fetch.NewServer(fetch.ServerConfig{Host: l.host, Backend: l, Logger: n.cfg.Logger})
	if err != nil {
		return g.end(err)
	}
	present, err := presence.New(presence.Config{Host: l.host, Chain: n.cfg.Genesis.Chain(), Admit: l.Knows, Logger: n.cfg.Logger})
	if err != nil {
		return g.end(err)
	}
	p.relay.present.Store(present)
	reach := newDevices(l.host, present)
	present.Watch(ctx, reach.changed)
	server, err := api.New(api.Config{Ledger: l, Devices: reach, Index: p.lists, Phone: d.phone, Logger: n.cfg.Logger})
	if err != nil {
		return g.end(err)
	}
	keep, err := newKeeper(l.host, n.cfg.Settings.MeshPeers, n.log)
	if err != nil {
		return g.end(err)
	}
	g.run(ctx, "catching up", func(ctx context.Context) error { return n.awaitStep(ctx, l) })
	g.run(ctx, "snapshots", p.snapshots.Run)
	g.run(ctx, "index", func(ctx context.Context) error { return p.lists.Run(ctx, kept{l.eng}) })
	g.run(ctx, "gossip", gossip.Run)
	g.run(ctx, "checkpoints", points.run)
	g.run(ctx, "fetch", fetcher.Run)
	g.run(ctx, "mesh peers", keep.run)
	g.run(ctx, "devices", reach.run)
	g.run(ctx, "presence", present.Run)
	g.run(ctx, "http", func(ctx context.Context) error { return server.Run(ctx, d.local) })
	if d.phones != nil {
		g.run(ctx, "http for phones", func(ctx context.Context) error { return server.RunPhone(ctx, d.phones) })
	}
	return g.end(n.cfg.Ready(n.run(l, d)))
}

// awaitStep announces that the node has caught up, and stays until ctx ends.
func (n *Node) awaitStep(ctx context.Context, l *ledger) error {
	select {
	case <-l.eng.InStep():
		n.log.Info("in step with the network", "height", l.app.Height())
		n.cfg.InStep()
	case <-ctx.Done():
	}
	<-ctx.Done()
	return nil
}

// run is what run.json tells.
func (n *Node) run(l *ledger, d doors) home.Run {
	hash := n.cfg.Genesis.Hash()
	r := home.Run{
		PID: os.Getpid(), Name: n.cfg.Settings.Name, ChainID: n.cfg.Genesis.ChainID,
		Genesis: hex.EncodeToString(hash[:]), Validator: hex.EncodeToString(l.eng.PubKey()),
		P2P: l.eng.Addr(), HTTP: "http://" + d.local.Addr().String(), RPC: l.eng.RPC(),
	}
	if d.phones != nil {
		r.Phone = n.cfg.Settings.PhoneOrigin(d.phones.Addr().String())
	}
	for _, a := range l.host.Addrs() {
		r.Mesh = append(r.Mesh, a.String()+"/p2p/"+l.host.ID().String())
	}
	return r
}

// group runs parts side by side; the first that ends, ends all.
type group struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
	once    sync.Once
	err     error
}

func (g *group) run(ctx context.Context, name string, part func(context.Context) error) {
	g.running.Go(func() {
		err := part(ctx)
		switch {
		case ctx.Err() != nil && errors.Is(err, context.Canceled):
			err = nil // it was told to stop while it began
		case err == nil && ctx.Err() == nil:
			err = errors.New("ended by itself")
		}
		if err != nil {
			g.once.Do(func() { g.err = fmt.Errorf("%s: %w", name, err) })
		}
		g.cancel()
	})
}

// end waits for all parts; an error stops them first.
func (g *group) end(err error) error {
	if err != nil {
		g.cancel()
	}
	g.running.Wait()
	return errors.Join(err, g.err)
}
