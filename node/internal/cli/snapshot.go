package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/snapshot"
	"github.com/hybridos-net/hybridos/node/home"
)

// errNoState: the home holds no block yet.
var errNoState = errors.New("there is no state yet")

func snapshotCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "snapshot", Short: "Take a snapshot of a stopped node's state, for nodes that join", Args: noArgs,
		Long: "Take a snapshot of a stopped node's state. A running node takes one every\n" +
			"snapshot_interval blocks by itself. The node gives it to nodes that join once\n" +
			"the ledger is two blocks further.",
		RunE: func(c *cobra.Command, _ []string) error {
			return runSnapshot(c.Context(), c.OutOrStdout(), dir)
		},
	}
	homeFlag(c, &dir)
	return c
}

func runSnapshot(ctx context.Context, out io.Writer, dir string) (err error) {
	d, tree, end, err := openState(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	cfg, err := d.Config()
	if err != nil {
		return err
	}
	shelf, err := snapshot.Open(snapshot.Config{Dir: d.SnapshotDir(), Tree: tree, Keep: int(cfg.SnapshotKeep)})
	if err != nil {
		return err
	}
	m, err := shelf.Take(ctx, tree.Version())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "height %d\nroot %x\nchunks %d\n", m.Height, m.Root, len(m.Chunks))
	return err
}

// openState opens the state of a home whose hosd does not run; end closes it.
func openState(dir string) (d home.Dir, tree *store.Tree, end func() error, err error) {
	if err := needHome(dir); err != nil {
		return d, nil, nil, err
	}
	d = home.Dir(dir)
	if !d.Exists() {
		return d, nil, nil, hint(fmt.Errorf("%s is not a home", dir), "hosd init --home "+dir)
	}
	lock, err := d.Lock()
	if err != nil {
		return d, nil, nil, err
	}
	if tree, err = store.Open(store.Config{Dir: d.StateDir(), KeepVersions: -1}); err != nil {
		return d, nil, nil, errors.Join(err, lock.Unlock())
	}
	end = func() error { return errors.Join(tree.Close(), lock.Unlock()) }
	if tree.Version() == 0 {
		return d, nil, nil, errors.Join(hint(errNoState, "hosd start --home "+dir), end())
	}
	return d, tree, end, nil
}
