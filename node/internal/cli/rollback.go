package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/node/engine"
)

func rollbackCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "rollback", Short: "Forget the newest executed block of a stopped node, and execute it again", Args: noArgs,
		Long: "Forget the outcome of the newest block of a stopped node, whose state came out\n" +
			"different from the network's, as with a wrong version of hosd. The next start\n" +
			"executes the block again. What was signed stays in sign-state.json.",
		RunE: func(c *cobra.Command, _ []string) error { return runRollback(c.OutOrStdout(), dir) },
	}
	homeFlag(c, &dir)
	return c
}

func runRollback(out io.Writer, dir string) (err error) {
	d, tree, end, err := openState(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if _, err := tree.HashAt(tree.Version() - 1); err != nil {
		return hint(fmt.Errorf("nothing to go back to: %w", err), again)
	}
	// A crash after this line does no harm: the next start, or the next rollback,
	// finds the blocks one ahead of what was executed.
	height, err := engine.Rollback(d.EngineDir())
	if err != nil {
		return hint(fmt.Errorf("the blocks cannot go back: %w", err), "hosd doctor --home "+dir+"; if it names nothing else: "+again)
	}
	if height < tree.Version() {
		if err := tree.Revert(height); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "height %d\nroot %x\n", tree.Version(), tree.Hash())
	return err
}
