package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/testnet/harness"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

func (a *app) down() *cobra.Command {
	var remove bool
	c := &cobra.Command{
		Use: "down", Short: "End the network", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			n, err := a.open()
			if err != nil {
				return err
			}
			return a.runDown(n, remove)
		},
	}
	c.Flags().BoolVar(&remove, "remove", false, "also delete its directory, with all keys in it")
	return c
}

// runDown does not take the command's context: a second ctrl-C must not leave
// half a network behind.
func (a *app) runDown(n *harness.Network, remove bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), downTime)
	defer cancel()
	running := len(n.Running())
	if err := n.Down(ctx); err != nil {
		return err
	}
	a.say("%d processes ended", running)
	if !remove {
		return nil
	}
	a.say("%s is removed", n.Dir())
	return n.Remove()
}

// errUnwell: a process of the network does not run or does not answer.
var errUnwell = errors.New("the network is not well")

func (a *app) status() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show every process of the network", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			n, err := a.open()
			if err != nil {
				return err
			}
			health := n.Health(c.Context())
			if err := a.printHealth(health); err != nil {
				return err
			}
			if slices.ContainsFunc(health, func(h harness.Health) bool { return !h.OK }) {
				return errUnwell
			}
			return nil
		},
	}
}

func (a *app) printHealth(health []harness.Health) error {
	if a.json {
		return a.print(health)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, h := range health {
		state := "ok"
		if !h.OK {
			state = "FAULT"
		}
		if !h.Running {
			state = "down"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", h.Name, state, h.PID, h.What)
	}
	return w.Flush()
}

func (a *app) logs() *cobra.Command {
	return &cobra.Command{
		Use: "logs NAME", Short: "Print the log of a process", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			n, err := a.open()
			if err != nil {
				return err
			}
			if !slices.Contains(n.Names(), args[0]) {
				return fmt.Errorf("%s: %w", args[0], harness.ErrNoProcess)
			}
			f, err := os.Open(filepath.Join(n.Logs(), args[0]+".log"))
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(a.out, f)
			return err
		},
	}
}

func (a *app) start() *cobra.Command {
	return &cobra.Command{
		Use: "start NAME", Short: "Start a process that was killed", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := a.open()
			if err != nil {
				return err
			}
			if err := n.Start(c.Context(), args[0]); err != nil {
				return err
			}
			a.say("%s is ready", args[0])
			return nil
		},
	}
}

func (a *app) kill() *cobra.Command {
	return &cobra.Command{
		Use: "kill NAME", Short: "Kill a process in the middle of what it does (SIGKILL)", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := a.open()
			if err != nil {
				return err
			}
			if err := n.Kill(c.Context(), args[0]); err != nil {
				return err
			}
			a.say("%s is killed", args[0])
			return nil
		},
	}
}

func (a *app) grant() *cobra.Command {
	var device string
	c := &cobra.Command{
		Use: "grant GRANT", Short: "Tell the bridge which grant to use, and start it anew", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := a.open()
			if err != nil {
				return err
			}
			if err := n.GrantBridge(c.Context(), device, args[0]); err != nil {
				return err
			}
			a.say("the bridge uses the grant %s for %s", args[0], device)
			return nil
		},
	}
	c.Flags().StringVar(&device, "device", "dev1", "the lock that the grant is for")
	return c
}

func (a *app) shapes() *cobra.Command {
	return &cobra.Command{
		Use: "shapes", Short: "List the networks that have a name", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			names, what := manifest.Shapes()
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			for i := range names {
				fmt.Fprintf(w, "%s\t%s\n", names[i], what[i])
			}
			return w.Flush()
		},
	}
}
