// Package cli is the command line of hos-bridge: it puts the bridge together out
// of its settings.
//
// It is not where anything is decided; each verb is one call. Entry points: Root
// and Main. What must never change: a password comes from standard input or a
// prompt and never from an argument; results go to standard output, talk and
// errors to standard error, each error with a line on what to do.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/store/durable"
	"github.com/hybridos-net/hybridos/mqttbridge"
	"github.com/hybridos-net/hybridos/mqttbridge/account"
	"github.com/hybridos-net/hybridos/mqttbridge/home"
	"github.com/hybridos-net/hybridos/mqttbridge/settings"
)

// Link joins the bridge to the mesh: it gives the Invoker that signs with the
// delegate key, and what is to be called at the end.
type Link func(ctx context.Context, s settings.Settings, delegate *key.Private, log *slog.Logger) (mqttbridge.Invoker, func() error, error)

// Config of the command line.
type Config struct {
	// Link makes the Invoker of run. Without it there is no run verb.
	Link Link
	// Random is the source of keys and salts.
	Random io.Reader
	// Cost is what a new password hash takes; zero is account.DefaultCost.
	Cost account.Cost
}

// Main runs the command line and returns the exit code: 0 for success, 1 for
// failure. In, out and talk are the standard streams.
func Main(ctx context.Context, cfg Config, args []string, in io.Reader, out, talk io.Writer) int {
	root := Root(cfg)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(talk)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(talk, "hos-bridge: %v\ntry: %s\n", err, hint(err))
		return 1
	}
	return 0
}

// Root is the command tree.
func Root(cfg Config) *cobra.Command {
	if cfg.Cost == (account.Cost{}) {
		cfg.Cost = account.DefaultCost()
	}
	root := &cobra.Command{
		Use:           "hos-bridge",
		Short:         "MQTT bridge of HybridOS for legacy clients",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          needsVerb,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	path := root.PersistentFlags().String("config", "bridge.toml", "configuration file")
	root.AddCommand(accountCommand(cfg, path), keyCommand(cfg, path))
	if cfg.Link != nil {
		root.AddCommand(runCommand(cfg, path))
	}
	return root
}

// needsVerb is what a command without a verb does: an exit code of 0 would let a
// script with a typing error go on.
func needsVerb(*cobra.Command, []string) error { return errors.New("name what is to be done") }

func keyCommand(cfg Config, path *string) *cobra.Command {
	parent := &cobra.Command{Use: "key", Short: "the bridge's delegate key", Args: cobra.NoArgs, RunE: needsVerb}
	parent.AddCommand(&cobra.Command{
		Use:   "show",
		Short: "print the delegate's public key, to be given to `hos grant add`",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := settings.Load(*path)
			if err != nil {
				return err
			}
			h, err := home.Open(s.Home, cfg.Random)
			if err != nil {
				return err
			}
			k, err := h.Delegate()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), k.Public())
			return err
		},
	})
	return parent
}

// hint is what to do about an error.
func hint(err error) string {
	switch {
	case errors.Is(err, account.BadMode), errors.Is(err, durable.ErrMode):
		return "chmod 600 the file, after a look at who could read it"
	case errors.Is(err, account.BadPassword):
		return "choose a longer password; it is read from standard input"
	case errors.Is(err, account.Exists):
		return "choose another name, or take the old account out of the accounts file"
	case errors.Is(err, account.BadName):
		return "choose a name like home-assistant"
	case errors.Is(err, account.BadDevices):
		return "--device ID, with an id that stands in the configuration file"
	case errors.Is(err, mqttbridge.ErrNotLoopback):
		return "listen = \"127.0.0.1:1883\", and a TLS terminator in front for other machines"
	case errors.Is(err, syscall.EADDRINUSE):
		return "stop the other program on that address, or choose another for listen in the configuration file"
	case errors.Is(err, syscall.ENOSPC):
		return "free space on the disk and try again"
	case errors.Is(err, fs.ErrNotExist):
		return "--config FILE, and check the paths in that file"
	}
	return "hos-bridge --help"
}
