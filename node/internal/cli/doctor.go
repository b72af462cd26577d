package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/node"
	"github.com/hybridos-net/hybridos/node/engine"
	"github.com/hybridos-net/hybridos/node/home"
)

const (
	// minFree is the space under which a node soon stops: a snapshot, its copy
	// and the log of a store in compaction must fit.
	minFree = 1 << 30
	// maxAge is how old the newest header may look here: heartbeats come every
	// 10 s, and header times lag by up to 20 s.
	maxAge = time.Minute
	// maxAhead is how far it may seem to be in the future: the light clients'
	// drift.
	maxAhead = 10 * time.Second
)

// errIll: the doctor found something.
var errIll = errors.New("something needs attention")

func doctorCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "doctor", Short: "Look a home over and say what to do; mends nothing", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runDoctor(c.Context(), c.OutOrStdout(), dir, time.Now())
		},
	}
	homeFlag(c, &dir)
	return c
}

// doctor collects what is said.
type doctor struct {
	out io.Writer
	ill bool
}

// say prints the outcome of one look.
func (d *doctor) say(what, good string, err error) bool {
	if err == nil {
		fmt.Fprintf(d.out, "ok   %s: %s\n", what, good)
		return true
	}
	d.ill = true
	fmt.Fprintf(d.out, "bad  %s: %v\n", what, err)
	if try := advice(err); try != "" {
		fmt.Fprintf(d.out, "     try: %s\n", try)
	}
	return false
}

func runDoctor(ctx context.Context, out io.Writer, dir string, now time.Time) error {
	if err := needHome(dir); err != nil {
		return err
	}
	h := home.Dir(dir)
	if !h.Exists() {
		return hint(fmt.Errorf("%s is not a home", dir), "hosd init --home "+dir)
	}
	d := &doctor{out: out}
	d.files(h)
	free, err := kv.FreeBytes(dir)
	if err == nil && free < minFree {
		err = hint(fmt.Errorf("%d MiB are free", free>>20), "free space, or move the home to a larger disk")
	}
	d.say("disk", fmt.Sprintf("%d MiB are free", free>>20), err)
	lock, err := h.Lock()
	switch {
	case errors.Is(err, home.ErrLocked):
		d.running(ctx, dir, now)
	case d.say("lock", "hosd does not run here", err):
		d.stopped(h)
		if err := lock.Unlock(); err != nil {
			return err
		}
	}
	if d.ill {
		return hint(errIll, "the lines that begin with bad")
	}
	return nil
}

// files looks at what the operator wrote and must not lose.
func (d *doctor) files(h home.Dir) {
	cfg, err := h.Config()
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		err = hint(err, "correct "+h.ConfigFile()+"; hosd start --help lists the names")
	}
	d.say("config", "well formed", err)
	pub, err := node.KeyFiles(h).PubKey()
	if err == nil {
		_, err = h.TransportSeed()
	}
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		err = hint(err, keyAdvice)
	}
	d.say("keys", fmt.Sprintf("validator key %x", pub), err)
	doc, err := readGenesis(h.GenesisFile())
	if d.say("genesis", "well formed", err) {
		hash := doc.Hash()
		fmt.Fprintf(d.out, "     %s, hash %x\n", doc.ChainID, hash)
	}
}

// keyAdvice is what to do where a key file cannot be read.
const keyAdvice = "bring the file back from your copy; a validator must never start with an older sign-state.json"

// running asks the node that holds the lock.
func (d *doctor) running(ctx context.Context, dir string, now time.Time) {
	run, err := home.ReadRun(dir)
	if err != nil {
		d.say("hosd", "", hint(err, "wait until it is ready, or stop it and start it again"))
		return
	}
	s, err := askStatus(ctx, run.HTTP)
	if err != nil {
		d.say("hosd", "", hint(fmt.Errorf("it runs and does not answer: %w", err), "look into its log"))
		return
	}
	d.say("hosd", fmt.Sprintf("runs at height %d", s.Height), nil)
	if s.Syncing {
		err = hint(errors.New("still catching up"), "wait; if the height does not grow, check p2p_peers, or begin again with --state-sync (peers may have pruned old blocks)")
	}
	d.say("step", "in step with the network", err)
	err = nil
	switch age := now.Sub(s.Time); {
	case s.Syncing:
		return
	case age > maxAge:
		err = hint(fmt.Errorf("the newest header is %s old", age.Round(time.Second)), "check this machine's clock (NTP), its peers, and whether more than two thirds of the validators run")
	case age < -maxAhead:
		err = hint(fmt.Errorf("the newest header is %s ahead of this machine's clock", -age.Round(time.Second)), "set this machine's clock (NTP)")
	}
	d.say("clock", "agrees with the validators", err)
}

// stopped opens the stores of a home that nobody uses.
func (d *doctor) stopped(h home.Dir) {
	if _, err := os.Stat(h.StateDir()); errors.Is(err, fs.ErrNotExist) {
		d.stateless(h)
		return
	}
	tree, err := store.Open(store.Config{Dir: h.StateDir(), KeepVersions: -1})
	if !d.say("state", "opens", err) {
		return
	}
	version := tree.Version()
	if !d.say("state", fmt.Sprintf("at height %d", version), tree.Close()) {
		return
	}
	blocks, err := engine.Inspect(h.EngineDir())
	if err == nil {
		err = fit(h, version, blocks)
	}
	good := fmt.Sprintf("%d to %d", blocks.Base, blocks.Block)
	if blocks.Begun {
		good = fmt.Sprintf("none yet; the state came from outside, and %d is the next", version+1)
	}
	d.say("blocks", good, err)
}

// again is what to do where stores cannot be brought together any more.
const again = "move all of data but sign-state.json away, and start with --state-sync or import a state"

// fit compares the state with what CometBFT's stores hold.
func fit(h home.Dir, version int64, blocks engine.Heights) error {
	switch {
	case version > 0 && blocks.State == 0:
		return hint(fmt.Errorf("the state is at %d, and nothing is known of its blocks", version), again)
	case blocks.State > 0 && blocks.Block == 0 && !blocks.Begun:
		return hint(fmt.Errorf("executed to %d, and no block is there", blocks.State), again)
	case version > blocks.Block && blocks.Block > 0:
		return hint(fmt.Errorf("the state is at %d, and the blocks end at %d", version, blocks.Block), again)
	// State and blocks are not written at once: a crash leaves them one apart.
	case version < blocks.State-1 || version > blocks.State+1:
		return hint(fmt.Errorf("executed to %d, the state is at %d", blocks.State, version),
			"hosd rollback --home "+string(h)+"; if that does not help: "+again)
	}
	return nil
}

// stateless looks at a home without a state.
func (d *doctor) stateless(h home.Dir) {
	blocks, err := engine.Inspect(h.EngineDir())
	switch {
	case err != nil:
		err = hint(err, again)
	case blocks.Begun || blocks.Base > 1:
		err = hint(fmt.Errorf("it is gone, and the blocks to make it from begin at %d", blocks.Base), again)
	case blocks.Block > 0:
		err = hint(errors.New("it is gone"), "hosd start --home "+string(h)+" executes the blocks again, 1 to "+fmt.Sprint(blocks.Block))
	}
	d.say("state", "nothing is executed yet", err)
}
