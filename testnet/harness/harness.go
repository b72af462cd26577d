// Package harness runs a test network on this machine: real processes of the
// real programs, each with a home of its own below one directory, found again
// by a state file.
//
// It is not the network: it makes homes, starts, kills and asks, and holds no
// rule of anything. Callers use New for a network that does not exist yet and
// Open for one of an earlier invocation, then Network.Up and Network.Down.
//
// What must never change: a process is ended by its own number and only if it
// still is the one that was started, and the names in the state file.
package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/deviceos/agent"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

// Config configures New and Open.
type Config struct {
	// Dir is the directory of the network; needed.
	Dir string
	// Programs is the directory of the programs; needed by New.
	Programs string
	// Manifest is the network; needed by New.
	Manifest manifest.Manifest
	// Tied lets processes end when this one ends, in whatever way. Without it
	// they go on, for a later invocation to find.
	Tied bool
	// Genesis, if not nil, may add to the genesis document before anybody has it,
	// for instance governors.
	Genesis func(*genesis.Doc)
	// Tell is told what happens; nil: nobody is.
	Tell func(format string, args ...any)
}

// Network is a test network. Its methods may be called concurrently, except
// that Up and Down must not overlap.
type Network struct {
	cfg     Config
	crashes chan error

	mu    sync.Mutex
	state *State
	procs map[string]*process
}

// programs are what a network is made of.
var programs = []string{"hosd", "hbusd", "hos-agent", "hos-lock", "hos-bridge", "hos"}

// New makes a network that does not exist yet. Its directory must be empty or
// absent; nothing is started.
func New(cfg Config) (*Network, error) {
	if err := cfg.Manifest.Validate(); err != nil {
		return nil, err
	}
	return create(cfg, nil, programs...)
}

// NewFollower makes a full node that follows a ledger of others, with the same
// care for its process as for those of a network of our own. The manifest is
// not used.
func NewFollower(cfg Config, l Ledger) (*Network, error) {
	if len(l.Peers) == 0 {
		return nil, errors.New("a full node needs a peer to follow")
	}
	cfg.Manifest = manifest.Default()
	return create(cfg, &l, "hosd")
}

func create(cfg Config, follows *Ledger, needs ...string) (*Network, error) {
	var err error
	if cfg.Programs, err = filepath.Abs(cfg.Programs); err != nil {
		return nil, err
	}
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, err
	}
	if err := checkPrograms(cfg.Programs, needs); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(cfg.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if len(entries) > 0 {
		if _, err := loadState(cfg.Dir); !errors.Is(err, ErrNoNetwork) {
			return nil, fmt.Errorf("%s: %w", cfg.Dir, ErrExists)
		}
		return nil, fmt.Errorf("%s: %w", cfg.Dir, ErrNotEmpty)
	}
	s := &State{Version: stateVersion, Manifest: cfg.Manifest, Programs: cfg.Programs, Follows: follows, Processes: make(map[string]Mark)}
	return newNetwork(cfg, s), nil
}

// Open finds a network of an earlier invocation, whether it runs or not.
func Open(cfg Config) (*Network, error) {
	var err error
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, err
	}
	s, err := loadState(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if cfg.Programs == "" {
		cfg.Programs = s.Programs
	}
	s.Programs = cfg.Programs
	n := newNetwork(cfg, s)
	for name, m := range s.Processes {
		n.procs[name] = &process{name: name, mark: m}
	}
	return n, nil
}

func newNetwork(cfg Config, s *State) *Network {
	if cfg.Tell == nil {
		cfg.Tell = func(string, ...any) {}
	}
	return &Network{cfg: cfg, state: s, procs: make(map[string]*process), crashes: make(chan error, 1)}
}

func checkPrograms(dir string, names []string) error {
	for _, p := range names {
		if info, err := os.Stat(filepath.Join(dir, p)); err != nil || info.IsDir() {
			return fmt.Errorf("%w: %s in %s", ErrNoProgram, p, dir)
		}
	}
	return nil
}

// Dir is the network's directory.
func (n *Network) Dir() string { return n.cfg.Dir }

// Programs is the directory of the programs.
func (n *Network) Programs() string { return n.cfg.Programs }

// Logs is the directory of the logs: NAME.log and NAME.out for each process.
func (n *Network) Logs() string { return filepath.Join(n.cfg.Dir, "logs") }

// GenesisFile is the genesis document.
func (n *Network) GenesisFile() string { return filepath.Join(n.cfg.Dir, "genesis.json") }

// Genesis reads the genesis document.
func (n *Network) Genesis() (*genesis.Doc, error) {
	b, err := os.ReadFile(n.GenesisFile())
	if err != nil {
		return nil, err
	}
	return genesis.Parse(b)
}

// State is a copy of what is known about the network.
func (n *Network) State() State {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := *n.state
	s.Nodes, s.Devices = slices.Clone(s.Nodes), slices.Clone(s.Devices)
	s.Processes = make(map[string]Mark)
	for name, p := range n.procs {
		s.Processes[name] = p.mark
	}
	if s.Bridge != nil {
		b := *s.Bridge
		s.Bridge = &b
	}
	return s
}

// Names lists the network's processes in the order in which they start.
func (n *Network) Names() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state.processes()
}

// Mesh lists the nodes' multiaddresses.
func (n *Network) Mesh() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state.mesh()
}

// change alters the state and saves it.
func (n *Network) change(f func(*State) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := f(n.state); err != nil {
		return err
	}
	return n.saveLocked()
}

func (n *Network) saveLocked() error {
	n.state.Processes = make(map[string]Mark)
	for name, p := range n.procs {
		n.state.Processes[name] = p.mark
	}
	return n.state.save(n.cfg.Dir)
}

// Running lists the processes that run.
func (n *Network) Running() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []string
	for _, name := range n.state.processes() {
		if p := n.procs[name]; p != nil && p.alive() {
			out = append(out, name)
		}
	}
	return out
}

// AwaitNone returns when no process of the network runs.
func (n *Network) AwaitNone(ctx context.Context) error {
	for {
		left := n.Running()
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s runs: %w", left[0], ctx.Err())
		case <-time.After(look):
		}
	}
}

// Start starts one process that does not run, and returns when it is ready.
func (n *Network) Start(ctx context.Context, name string) error {
	n.mu.Lock()
	s, ready, err := n.spec(name)
	if err == nil {
		if p := n.procs[name]; p != nil && p.alive() {
			err = fmt.Errorf("%s: %w", name, ErrRunning)
		}
	}
	if err != nil {
		n.mu.Unlock()
		return err
	}
	p, err := start(name, n.cfg.Programs, s, n.Logs(), n.cfg.Tied)
	if err == nil {
		n.procs[name] = p
		err = n.saveLocked() // before it is ready: Down must find it whatever happens
	}
	n.mu.Unlock()
	if p == nil {
		return err
	}
	if err != nil {
		return errors.Join(err, p.stop(ctx, true))
	}
	line, err := p.awaitReady(ctx, s.ready, n.Logs())
	if err != nil {
		return errors.Join(err, p.stop(ctx, true))
	}
	if err := n.change(func(*State) error { return ready(line) }); err != nil {
		return err
	}
	go n.watch(p)
	return n.awaitBus(ctx, name)
}

// awaitBus waits until an agent that says it is ready has also found its bus:
// before that, it answers every command with a failure.
func (n *Network) awaitBus(ctx context.Context, name string) error {
	device, isAgent := strings.CutSuffix(name, "-agent")
	if !isAgent || !slices.Contains(n.Running(), device+"-bus") {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, StartTime)
	defer cancel()
	_, err := n.AwaitDevice(ctx, device, func(s agent.Status) bool { return s.Running })
	return err
}

// watch reports the end of a process that nobody had told to end.
func (n *Network) watch(p *process) {
	<-p.done
	n.mu.Lock()
	asked := p.asked
	n.mu.Unlock()
	if asked {
		return
	}
	select {
	case n.crashes <- p.crash(n.Logs()):
	default:
	}
}

// Crashes gives the first crash of a process that this Network started.
func (n *Network) Crashes() <-chan error { return n.crashes }

// Stop tells a process to end, and kills it if it does not.
func (n *Network) Stop(ctx context.Context, name string) error { return n.end(ctx, name, false) }

// Kill ends a process with SIGKILL, in the middle of whatever it does.
func (n *Network) Kill(ctx context.Context, name string) error { return n.end(ctx, name, true) }

func (n *Network) end(ctx context.Context, name string, hard bool) error {
	n.mu.Lock()
	p := n.procs[name]
	known := slices.Contains(n.state.processes(), name)
	if p != nil {
		p.asked = true
	}
	n.mu.Unlock()
	switch {
	case !known:
		return fmt.Errorf("%s: %w", name, ErrNoProcess)
	case p == nil || !p.alive():
		return fmt.Errorf("%s %w", name, ErrNotRunning)
	}
	if err := p.stop(ctx, hard); err != nil {
		return err
	}
	return n.change(func(*State) error { delete(n.procs, name); return nil })
}

// Down ends every process, the last started first. It ends all that it can and
// reports what it could not.
func (n *Network) Down(ctx context.Context) error {
	names := n.Running()
	slices.Reverse(names)
	// Parts of one kind end side by side; a device's agent before its bus.
	var errs []error
	var mu sync.Mutex
	for _, stage := range stages(names) {
		var wg sync.WaitGroup
		for _, name := range stage {
			wg.Go(func() {
				if err := n.Stop(ctx, name); err != nil && !errors.Is(err, ErrNotRunning) {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
	}
	n.mu.Lock()
	sockets := n.state.Sockets
	n.mu.Unlock()
	if outside(n.cfg.Dir, sockets) {
		errs = append(errs, os.RemoveAll(sockets))
	}
	return errors.Join(errs...)
}

// stages groups names for an orderly end: the bridge, agents and locks, buses,
// nodes.
func stages(names []string) [][]string {
	out := make([][]string, 4)
	for _, name := range names {
		switch {
		case name == bridgeName:
			out[0] = append(out[0], name)
		case strings.HasSuffix(name, "-agent"), strings.HasSuffix(name, "-lock"):
			out[1] = append(out[1], name)
		case strings.HasSuffix(name, "-bus"):
			out[2] = append(out[2], name)
		default:
			out[3] = append(out[3], name)
		}
	}
	return out
}

// Remove deletes the directory of a network that is down, with all keys in it.
func (n *Network) Remove() error {
	if r := n.Running(); len(r) > 0 {
		return fmt.Errorf("%s: %w", r[0], ErrRunning)
	}
	return os.RemoveAll(n.cfg.Dir)
}

// Tail is the end of a process's log.
func (n *Network) Tail(name string) string { return tail(n.Logs(), name) }
