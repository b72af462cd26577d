// Package cli is the command line of hos-agent: init, batch, run, code, status.
//
// It holds flags and texts only; deviceos/agent does the work. Callers use
// Command, and Hint for an error of it.
//
// What must never change: results go to stdout and talk to stderr; flags win
// over HOS_AGENT_* variables, and those over agent.toml.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/deviceos/agent"
	"github.com/hybridos-net/hybridos/deviceos/vault"
	"github.com/hybridos-net/hybridos/p2p/pairing"
)

// app is what all commands share.
type app struct {
	home string
	json bool
}

// Command is the command line.
func Command() *cobra.Command {
	a := new(app)
	root := &cobra.Command{
		Use: "hos-agent", Short: "The agent of a HybridOS device: checks every command and hands it to the lock",
		SilenceErrors: true, SilenceUsage: true,
	}
	root.PersistentFlags().StringVar(&a.home, "home", os.Getenv("HOS_AGENT_HOME"), "directory of the device (HOS_AGENT_HOME)")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "results and logs in JSON")
	root.AddCommand(a.initCommand(), a.runCommand(), a.codeCommand(), a.statusCommand(), a.batchCommand())
	return root
}

var errNoHomeFlag = errors.New("--home is missing")

func (a *app) initCommand() *cobra.Command {
	cfg := agent.DefaultConfig()
	var genesisPath string
	cmd := &cobra.Command{
		Use: "init", Short: "Make the keys of a new device", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.home == "" {
				return errNoHomeFlag
			}
			doc, err := agent.ReadGenesis(genesisPath)
			if err != nil {
				return fmt.Errorf("genesis document: %w", err)
			}
			info, err := agent.Init(a.home, doc, cfg)
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), info)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "The vendor registers the device with these keys.\n")
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "device   %s\nkey      %s\nseal key %s\nmodel    %s\nledger   %s\n",
				info.Device, info.Key, info.SealKey, info.Model, info.ChainID)
			return err
		},
	}
	cmd.Flags().StringVar(&genesisPath, "genesis", "genesis.json", "genesis document of the ledger that the device will obey")
	cmd.Flags().StringVar(&cfg.Model, "model", cfg.Model, "model name shown at pairing")
	return cmd
}

func (a *app) runCommand() *cobra.Command {
	var flags agent.Config
	cmd := &cobra.Command{
		Use: "run", Short: "Run the agent until it is told to stop", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, cfg, err := a.open()
			if err != nil {
				return err
			}
			override(cmd, &cfg, flags)
			logger, err := a.logger(cmd.ErrOrStderr(), cfg.LogLevel)
			if err != nil {
				return err
			}
			ag, err := agent.New(agent.Options{
				Home: home, Config: cfg, Logger: logger,
				Ready: func(r agent.Run) { a.ready(cmd.OutOrStdout(), r) },
			})
			if err != nil {
				return err
			}
			return ag.Run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&flags.Nodes, "node", nil, "multiaddress of a node, with /p2p/ID (repeatable)")
	f.StringVar(&flags.Bus, "bus", "", "path of the bus socket")
	f.StringArrayVar(&flags.Listen, "listen", nil, "multiaddress to listen on, port 0 for a free one (repeatable)")
	f.Float64Var(&flags.Rate, "commands-per-second", 0, "how many commands a second one key may have executed")
	f.StringVar(&flags.LogLevel, "log-level", "", "debug, info, warn or error")
	return cmd
}

// override puts the flags that were given over file and environment.
func override(cmd *cobra.Command, cfg *agent.Config, flags agent.Config) {
	for name, apply := range map[string]func(){
		"node":                func() { cfg.Nodes = flags.Nodes },
		"bus":                 func() { cfg.Bus = flags.Bus },
		"listen":              func() { cfg.Listen = flags.Listen },
		"commands-per-second": func() { cfg.Rate = flags.Rate },
		"log-level":           func() { cfg.LogLevel = flags.LogLevel },
	} {
		if cmd.Flags().Changed(name) {
			apply()
		}
	}
}

func (a *app) open() (*agent.Home, agent.Config, error) {
	if a.home == "" {
		return nil, agent.Config{}, errNoHomeFlag
	}
	home, err := agent.OpenHome(a.home)
	if err != nil {
		return nil, agent.Config{}, err
	}
	cfg, err := agent.LoadConfig(a.home, os.Getenv)
	return home, cfg, err
}

func (a *app) ready(w io.Writer, r agent.Run) {
	if a.json {
		// The reader of the line may have gone; the agent works without it.
		_ = json.NewEncoder(w).Encode(map[string]any{"ready": true, "pid": r.PID, "device": r.Device, "listen": r.Listen})
		return
	}
	fmt.Fprintf(w, "hos-agent ready device=%s listen=%s\n", r.Device, r.Listen[0])
}

func (a *app) codeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "code", Short: "Show the pairing code; who sees it can own the device", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, _, err := a.open()
			if err != nil {
				return err
			}
			code, err := agent.PairingCode(home)
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), map[string]any{"code": code.String(), "device": code.Device, "addrs": code.Addrs})
			}
			if err := pairing.DrawQR(cmd.ErrOrStderr(), code.String()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), code.String())
			return err
		},
	}
}

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show what the device knows", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, cfg, err := a.open()
			if err != nil {
				return err
			}
			s, err := agent.AskStatus(cmd.Context(), home, cfg.Model)
			if err != nil {
				return err
			}
			if a.json {
				return printJSON(cmd.OutOrStdout(), s)
			}
			owner := "nobody"
			if s.Owner != nil {
				owner = fmt.Sprintf("%s, epoch %d", s.Owner, s.Epoch)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "device   %s (%s)\nledger   %s, height %d\nowner    %s\nreceipts %d\nrunning  %t\n",
				s.Device, s.Model, s.ChainID, s.Height, owner, s.Receipts, s.Running)
			return err
		},
	}
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (a *app) logger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log_level %q: want debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	if a.json {
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return slog.New(slog.NewTextHandler(w, opts)), nil
}

// Hint says what to do about an error of Command.
func Hint(err error) string {
	var store *vault.Error
	switch {
	case errors.Is(err, errNoHomeFlag):
		return "hos-agent --home DIR, or set HOS_AGENT_HOME"
	case errors.Is(err, vault.ErrExists):
		return "give a new directory with --home; keys are never overwritten"
	case errors.Is(err, agent.ErrNoHome):
		return "hos-agent init --home DIR --genesis FILE"
	case errors.Is(err, agent.ErrNotInFile):
		return "give the file that hos vendor batch wrote for the run in which this device is"
	case errors.Is(err, agent.ErrNotRunning):
		return "start it with: hos-agent run --home DIR"
	case errors.As(err, &store) && store.Hint() != "":
		return store.Hint()
	case strings.Contains(err.Error(), syscall.EADDRINUSE.Error()): // the mesh library keeps no cause
		return "give another address with --listen, port 0 for a free one"
	case errors.Is(err, syscall.ENOSPC):
		return "free space on the disk and try again"
	case errors.Is(err, fs.ErrNotExist):
		return "check the path"
	case errors.Is(err, fs.ErrPermission):
		return "run hos-agent as the owner of its home"
	case errors.Is(err, context.DeadlineExceeded):
		return "check that hbusd and hos-agent are running"
	}
	return "see hos-agent --help"
}
