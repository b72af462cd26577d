package bench

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/node"
	"github.com/hybridos-net/hybridos/node/engine"
	"github.com/hybridos-net/hybridos/node/home"
	"github.com/hybridos-net/hybridos/testnet/harness"
	"github.com/hybridos-net/hybridos/testnet/join"
)

const (
	// syncHeight is the snapshot's height, syncAhead how much further the ledger
	// is at least when the fresh node begins.
	syncHeight, syncAhead = 500, 10
	// syncBar is how long a fresh node may take until it serves proofs.
	syncBar = time.Minute
	// syncWait bounds each step of the measurement.
	syncWait = 5 * time.Minute
	// fastPace is the pause between the blocks before.
	fastPace = 10 * time.Millisecond
)

// syncRow is how a fresh node joined.
type syncRow struct {
	Height int64         // of the head that it verified
	Base   int64         // its first block
	Took   time.Duration // from the command to proofs served under that head
}

// syncFigures has four validators make real blocks fast, starts them again as
// plain hosd, and lets a fresh node join by state sync with the command that a
// person would use.
func syncFigures(ctx context.Context, o Options) (row syncRow, err error) {
	dir, err := os.MkdirTemp("", "hos-bench-")
	if err != nil {
		return row, err
	}
	defer os.RemoveAll(dir)
	n, err := highNetwork(ctx, dir, o.Bin)
	if n != nil {
		defer func() { err = errors.Join(err, n.stop()) }()
	}
	if err != nil {
		return row, err
	}
	args, err := n.joinArgs(dir)
	if err != nil {
		return row, err
	}
	ctx, cancel := context.WithTimeout(ctx, syncWait)
	defer cancel()
	begin := time.Now()
	cmd := exec.CommandContext(ctx, filepath.Join(o.Bin, "hos-testnet"), args...)
	raw, err := cmd.Output()
	if err != nil {
		return row, fmt.Errorf("hos-testnet join: %w", err)
	}
	row.Took = time.Since(begin)
	var joined join.Result
	if err := json.Unmarshal(raw, &joined); err != nil {
		return row, fmt.Errorf("hos-testnet join: %w", err)
	}
	net, err := harness.Open(harness.Config{Dir: joined.Dir})
	if err != nil {
		return row, err
	}
	if err := net.Down(context.WithoutCancel(ctx)); err != nil {
		return row, err
	}
	h, err := engine.Inspect(home.Dir(filepath.Join(net.Dir(), harness.FollowerName)).EngineDir())
	row.Height, row.Base = joined.Height, h.Base
	if err == nil && row.Base <= syncHeight {
		err = fmt.Errorf("the node has block %d: it did not begin with a snapshot", row.Base)
	}
	return row, err
}

// joinArgs is the command line with which a person joins the network.
func (n *network) joinArgs(dir string) ([]string, error) {
	file, hash := filepath.Join(dir, "genesis.json"), n.doc.Hash()
	if err := os.WriteFile(file, n.doc.JSON(), 0o600); err != nil {
		return nil, err
	}
	args := []string{
		"join", "--state-sync", "--json", "--keep", "--dir", filepath.Join(dir, "fresh"), "--genesis", file,
		"--genesis-hash", hex.EncodeToString(hash[:]),
	}
	for i := range validators {
		r, err := home.ReadRun(n.home(dir, i))
		if err != nil {
			return nil, err
		}
		args = append(args, "--peer", r.P2P)
		for _, m := range r.Mesh {
			args = append(args, "--node", m)
		}
	}
	return args, nil
}

// highNetwork is four plain validators whose ledger is past syncHeight, with a
// snapshot of that height each.
func highNetwork(ctx context.Context, dir, bin string) (*network, error) {
	makers, err := newMakers(1)
	if err != nil {
		return nil, err
	}
	var peers string
	listens := make(map[string]string)
	n, err := startNetwork(ctx, "sync", dir, filepath.Join(bin, "hosd"), vendorsOf(makers), func(root, listen, all, rpc string) *exec.Cmd {
		listens[root], peers = listen, all
		return exec.Command(filepath.Join(bin, "hos-testnet"), FastVerb().Name(), "--home", root, "--p2p-listen", listen, "--p2p-peers", all, "--rpc-listen", rpc)
	})
	if err != nil {
		return n, err
	}
	loads, err := registrations(n.doc, makers, 0, perVendor)
	if err != nil {
		return n, err
	}
	for _, t := range loads[0] { // so that there is something in the state
		if r, err := n.rpc[0].BroadcastTxSync(ctx, t); err != nil || r.Code != 0 {
			return n, fmt.Errorf("register a device: %v, %w", r, err)
		}
	}
	if err := n.waitFor(ctx, syncHeight+syncAhead, syncWait); err != nil {
		return n, err
	}
	if err := n.stop(); err != nil {
		return nil, err
	}
	n.procs, n.rpc = nil, nil
	hosd := filepath.Join(bin, "hosd")
	for i := range validators {
		root := n.home(dir, i)
		if err := n.start(root, listens[root], peers, func(root, listen, all, rpc string) *exec.Cmd {
			return exec.Command(hosd, "start", "--home", root, "--p2p-listen", listen, "--p2p-peers", all,
				"--rpc-listen", rpc, "--http-listen", "127.0.0.1:0", "--mesh-listen", "127.0.0.1:0")
		}); err != nil {
			return n, err
		}
	}
	return n, n.waitFor(ctx, syncHeight+syncAhead+2, syncWait)
}

func (r *Report) syncTable(b *strings.Builder) {
	s := r.Sync
	b.WriteString("\n## A fresh node\n\nFour `hosd` validators with a snapshot of height 500; `hos-testnet join --state-sync` from nothing: keys, start, state verified against headers that its own light client verified from the genesis document, the blocks since, and a record proven under the head that an independent light client sees.\n\n| figure | value | bar | |\n|---|---|---|---|\n")
	fmt.Fprintf(b, "| head | %d | | |\n| first block of its own | %d | | |\n", s.Height, s.Base)
	fmt.Fprintf(b, "| until it serves proofs | %.1f s | %.0f s | %s |\n", s.Took.Seconds(), syncBar.Seconds(), holds(s.Took <= syncBar))
}

// FastVerb is the hidden verb of hos-testnet that runs a validator which makes
// blocks as fast as it can: the real node but for the pause between blocks.
func FastVerb() *cobra.Command {
	var root, listen, rpc string
	var peers []string
	c := &cobra.Command{
		Use:    "fast-node",
		Short:  "Run a validator without pauses between blocks, for bench and tests",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runFast(c.Context(), home.Dir(root), func(cfg *home.Config) {
				cfg.P2P, cfg.P2PPeers, cfg.RPC, cfg.Mesh, cfg.HTTP = listen, peers, rpc, "127.0.0.1:0", "127.0.0.1:0"
				cfg.SnapshotInterval = syncHeight
			})
		},
	}
	c.Flags().StringVar(&root, "home", "", "home made by hosd init")
	c.Flags().StringVar(&listen, "p2p-listen", "", "host:port of the consensus network")
	c.Flags().StringSliceVar(&peers, "p2p-peers", nil, "id@host:port of the others")
	c.Flags().StringVar(&rpc, "rpc-listen", "", "host:port of CometBFT's RPC")
	return c
}

func runFast(ctx context.Context, dir home.Dir, change func(*home.Config)) (err error) {
	cfg, err := dir.Config()
	if err != nil {
		return err
	}
	change(&cfg)
	raw, err := os.ReadFile(dir.GenesisFile())
	if err != nil {
		return err
	}
	doc, err := genesis.Parse(raw)
	if err != nil {
		return err
	}
	lock, err := dir.Lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	n, err := node.New(node.Config{
		Home: dir, Settings: cfg, Genesis: doc, Pace: fastPace,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	return n.Run(ctx)
}
