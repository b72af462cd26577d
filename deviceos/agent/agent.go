// Package agent is the device's one process that talks to the world: it follows
// the ledger as a light client, takes commands from the mesh, has the gate
// judge them and hands what it lets through to the bus.
//
// It drives no hardware and decides nothing itself: deviceos/gate decides, apps
// on the bus drive. Callers use Init for a new device and Agent.Run.
//
// What must never change: the names of files in a home; that only the slim part
// of the mesh is linked (a device has 32 MB); and that no path leads to the bus
// but through the gate.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/deviceos/clock"
	"github.com/hybridos-net/hybridos/deviceos/gate"
	"github.com/hybridos-net/hybridos/deviceos/peripheral"
	"github.com/hybridos-net/hybridos/deviceos/vault"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/p2p/link"
	"github.com/hybridos-net/hybridos/p2p/mesh"
	"github.com/hybridos-net/hybridos/p2p/mux"
	"github.com/hybridos-net/hybridos/p2p/presence"
	"github.com/hybridos-net/hybridos/p2p/receipts"
	"github.com/hybridos-net/hybridos/p2p/slim"
	"github.com/hybridos-net/hybridos/p2p/topic"
	"github.com/hybridos-net/hybridos/sdk"
)

// Options are what an Agent runs with.
type Options struct {
	Home   *Home
	Config Config
	Ready  func(Run)    // called once when commands are taken; nil: nothing
	Logger *slog.Logger // nil: none
}

// Agent is a device agent.
type Agent struct {
	opts  Options
	nodes []peer.AddrInfo
}

// New checks the configuration; it starts nothing.
func New(opts Options) (*Agent, error) {
	if opts.Home == nil {
		return nil, ErrNoHome
	}
	if err := opts.Config.Validate(); err != nil {
		return nil, err
	}
	nodes, err := opts.Config.nodes()
	if err != nil {
		return nil, err
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Ready == nil {
		opts.Ready = func(Run) {}
	}
	return &Agent{opts: opts, nodes: nodes}, nil
}

// parts is everything that a running agent is made of, in the order in which it
// is made.
type parts struct {
	vault  *vault.Vault
	clock  *clock.Clock
	host   *slim.Host
	fetch  *fetch.Client
	light  *light.Client
	bus    *bus
	gate   *gate.Gate
	server *link.Server
	trail  *receipts.Server
	mesh   *mesh.Mesh
	tell   *announcer
	pairer *pairer
	follow *follower
}

// Run serves until ctx ends, or until the disk fails.
func (a *Agent) Run(ctx context.Context) (err error) {
	p := new(parts)
	defer func() { err = errors.Join(err, p.close()) }()
	if err := a.build(p); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, run := range []func(context.Context) error{p.bus.run, p.server.Run, p.trail.Run, p.mesh.Run, p.follow.run, p.tell.run, p.pairer.run} {
		wg.Go(func() {
			if err := run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	select {
	case <-p.server.Ready():
	case <-ctx.Done():
	}
	run := Run{PID: os.Getpid(), Device: a.device(), Listen: addrs(p.host), Bus: a.opts.Config.Bus}
	if err := writeRun(a.opts.Home.Dir, run); err != nil {
		cancel(err)
		return err
	}
	defer func() { err = errors.Join(err, removeRun(a.opts.Home.Dir)) }()
	a.opts.Ready(run)
	select {
	case <-ctx.Done():
	case <-p.vault.Failed():
		cancel(p.vault.Err())
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func (a *Agent) device() key.DeviceID { return a.opts.Home.ID.Device.Public().DeviceID() }

// build makes all parts; those made before an error are closed by the caller.
func (a *Agent) build(p *parts) (err error) {
	home, log := a.opts.Home, a.opts.Logger
	if p.vault, err = vault.Open(filepath.Join(home.Dir, storeDir), vault.Config{}); err != nil {
		return err
	}
	p.clock = clock.New(time.Now, buildTime())
	transport, err := mux.Key(home.ID.Transport.Seed())
	if err != nil {
		return err
	}
	if p.host, err = slim.Listen(slim.Config{Key: transport, Addrs: a.opts.Config.Listen}); err != nil {
		return err
	}
	if p.fetch, err = fetch.NewClient(fetch.ClientConfig{Host: p.host, Nodes: a.nodes, Logger: log.With("subsystem", "fetch")}); err != nil {
		return err
	}
	p.light, err = light.New(light.Config{
		Genesis: home.Genesis, Source: p.fetch, Store: p.vault.Blob(vault.FamilyHead), Now: p.clock.Now,
	})
	if err != nil {
		return err
	}
	p.bus = &bus{path: a.opts.Config.Bus, key: home.ID.Bus, log: log.With("subsystem", "bus"), status: func() Status { return a.status(p) }}
	p.gate, err = gate.Open(gate.Config{
		Chain: home.Genesis.Chain(), Device: home.ID.Device, Vault: p.vault, Clock: p.clock, Ledger: gate.Follow(p.light),
		Actuator: p.bus, Class: peripheral.ClassOf, Floor: peripheral.FloorOf, Resource: peripheral.ResourceOf,
		Limits: limitsFor(a.opts.Config.Rate), Logger: log.With("subsystem", "gate"),
	})
	if err != nil {
		return err
	}
	p.bus.own.gate = p.gate
	return a.buildMesh(p)
}

// buildMesh makes what takes commands, checkpoints and pairings.
func (a *Agent) buildMesh(p *parts) (err error) {
	home, log := a.opts.Home, a.opts.Logger
	p.server, err = link.New(link.Config{
		Host: p.host, Logger: log.With("subsystem", "link"),
		Handler: func(ctx context.Context, from peer.ID, raw []byte) []byte {
			name := from.String()
			receipt := p.gate.Handle(ctx, name, raw)
			if p.gate.Knows(name) {
				p.host.Keep(from)
			}
			return receipt
		},
	})
	if err != nil {
		return err
	}
	p.trail = receipts.New(p.host, trailOf(p.gate))
	if p.mesh, err = mesh.New(mesh.Config{Host: p.host}); err != nil {
		return err
	}
	relays := &reserver{ask: p.host.Reserve, log: log.With("subsystem", "relay")}
	p.tell = newAnnouncer(p.host.Network(), a.nodes, log.With("subsystem", "presence"), func(ctx context.Context, node peer.ID) (time.Duration, error) {
		p.gate.Trust(node.String()) // what it sends will be many people's
		if err := presence.Announce(ctx, p.host, node, home.Genesis.Chain(), home.ID.Device, p.clock.Now()); err != nil {
			return 0, err
		}
		return relays.reserve(ctx, node), nil
	})
	p.pairer = &pairer{
		host: p.host, keep: p.host.Keep, home: home, model: a.opts.Config.Model, chain: home.Genesis.Chain(), vault: p.vault, gate: p.gate,
		light: p.light, clock: p.clock, log: log.With("subsystem", "pairing"), places: &places{most: maxPairings}, owned: p.tell.owned,
	}
	p.follow = &follower{
		client: p.light, host: p.host, nodes: a.nodes,
		moved: func(ctx context.Context) { a.moved(ctx, p) }, log: log.With("subsystem", "follow"), news: make(chan struct{}, 1),
	}
	p.follow.topic, err = p.mesh.Join(topic.Checkpoint(home.Genesis.Chain()), topic.MaxCheckpoint, 0,
		sdk.CheckpointValidator(p.light, home.Genesis.ChainID))
	return err
}

// moved is what follows from a new head.
func (a *Agent) moved(ctx context.Context, p *parts) {
	ctx, cancel := context.WithTimeout(ctx, ask)
	defer cancel()
	p.pairer.late(ctx)
	defer a.sweep(p)
	if _, owned := p.gate.Owner(); !owned {
		return
	}
	if err := p.gate.Refresh(ctx); err != nil {
		a.opts.Logger.Warn("rights not proven under the new head", "error", err)
	}
}

// sweep ends the command streams of peers whose last right has ended. A node of
// the configuration keeps its own: it hands on what many send.
func (a *Agent) sweep(p *parts) {
	for _, name := range p.gate.Sweep() {
		from, err := peer.Decode(name)
		if err != nil || slices.ContainsFunc(a.nodes, func(n peer.AddrInfo) bool { return n.ID == from }) {
			continue
		}
		a.opts.Logger.Info("its right has ended, and its streams with it", "peer", from)
		p.server.End(from)
	}
}

// close releases in reverse order what was made.
func (p *parts) close() error {
	var errs []error
	if p.fetch != nil {
		errs = append(errs, p.fetch.Close())
	}
	if p.host != nil {
		errs = append(errs, p.host.Close())
	}
	if p.vault != nil {
		errs = append(errs, p.vault.Close())
	}
	return errors.Join(errs...)
}

// limitsFor sizes the gate's memory for the rate: every command that may come
// within its life must be remembered.
func limitsFor(rate float64) gate.Limits {
	if rate == 0 {
		return gate.Limits{}
	}
	return gate.Limits{PerKey: rate, PerPeer: 2 * rate, Records: max(int(rate*90), 1024)}
}

func addrs(h *slim.Host) []string {
	var out []string
	for _, a := range h.Addrs() {
		out = append(out, fmt.Sprintf("%s/p2p/%s", a, h.ID()))
	}
	return out
}

// buildTime is when the program's source was committed, as far as the build
// recorded it: no command from before it can be meant for this program.
func buildTime() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}
