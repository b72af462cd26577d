// Package cli is the hbus command: call, listen, list, monitor.
//
// It is not a library for programs: that is hbus/client.
//
// Use Run; Command gives the command tree itself.
//
// What must never change: results on stdout (one JSON value a line with
// --json), talk on stderr, every error with a "try:" line, and the exit codes.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/hbus/client"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

// Exit codes.
const (
	ExitDone     = 0
	ExitFailed   = 1
	ExitUsage    = 2
	ExitNotFound = 3
)

const (
	defaultSocket = "/run/hbus/bus.sock"
	socketEnv     = "HBUS_SOCKET"
)

// app is what the flags say.
type app struct {
	socket  string
	name    string
	json    bool
	timeout time.Duration
}

// usage is an error of the one who typed.
type usage struct{ error }

// Run carries out one command line and returns the exit code. The end of ctx
// ends listen and monitor without an error.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := Command()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return ExitDone
	}
	code, hint := explain(err)
	fmt.Fprintf(stderr, "hbus: %v\ntry: %s\n", err, hint)
	return code
}

// explain gives the exit code and the hint of an error.
func explain(err error) (int, string) {
	_, typed := errors.AsType[usage](err)
	switch {
	case errors.Is(err, msg.NotFound):
		return ExitNotFound, "hbus list, to see what is registered"
	case typed, errors.Is(err, msg.BadName), errors.Is(err, msg.Malformed),
		errors.Is(err, msg.DuplicateKey), errors.Is(err, msg.TooDeep), errors.Is(err, msg.TooLarge):
		return ExitUsage, "hbus --help"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return ExitFailed, "start hbusd, or name its socket with --socket or " + socketEnv
	case errors.Is(err, fs.ErrPermission):
		return ExitFailed, "run as the user or group that owns the socket"
	case errors.Is(err, msg.Timeout):
		return ExitFailed, "a longer --timeout; whether the provider acted is unknown"
	case errors.Is(err, msg.Unverified), errors.Is(err, msg.NotAgent):
		return ExitFailed, "send the owner's signed command to the device (hos do)"
	case errors.Is(err, msg.Busy):
		return ExitFailed, "again in a moment"
	case errors.Is(err, msg.AppDenied):
		return ExitFailed, "another name with --app"
	}
	if _, ok := errors.AsType[*msg.Error](err); ok {
		return ExitFailed, "the provider's own documentation, or hbus list"
	}
	return ExitFailed, "hbus --help"
}

// Command is the command tree.
func Command() *cobra.Command {
	a := &app{}
	root := &cobra.Command{
		Use:           "hbus",
		Short:         "Talk to the bus of this device",
		SilenceErrors: true, SilenceUsage: true,
		Args: wrapArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	socket := os.Getenv(socketEnv)
	if socket == "" {
		socket = defaultSocket
	}
	f := root.PersistentFlags()
	f.StringVar(&a.socket, "socket", socket, "path of hbusd's socket (also "+socketEnv+")")
	f.StringVar(&a.name, "app", "hbus-cli", "app name to appear under")
	f.BoolVar(&a.json, "json", false, "one JSON value a line")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage{err} })
	root.AddCommand(a.call(), a.listen(), a.list(), a.monitor())
	return root
}

// wrapArgs makes a wrong number of arguments a usage error.
func wrapArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage{err}
		}
		return nil
	}
}

func (a *app) dial(ctx context.Context) (*client.Client, error) {
	return client.Dial(ctx, a.socket, client.Options{App: a.name})
}

func (a *app) call() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "call ENDPOINT APP/METHOD [PARAMS]",
		Short:   "Call a method and print its result; PARAMS is JSON",
		Example: `  hbus call front lock/status` + "\n" + `  hbus call front lock/light '{"on":true}'`,
		Args:    wrapArgs(cobra.RangeArgs(2, 3)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.timeout <= 0 || a.timeout > msg.MaxDeadline {
				return usage{fmt.Errorf("timeout %v is not in (0, %v]", a.timeout, msg.MaxDeadline)}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), a.timeout)
			defer cancel()
			c, err := a.dial(ctx)
			if err != nil {
				return err
			}
			defer c.Close()
			var params json.RawMessage
			if len(args) == 3 {
				params = json.RawMessage(args[2])
			}
			result, err := c.Call(ctx, args[0], args[1], params)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", result)
			return err
		},
	}
	cmd.Flags().DurationVar(&a.timeout, "timeout", msg.DefaultDeadline, "deadline of the call")
	return cmd
}

func (a *app) list() *cobra.Command {
	return &cobra.Command{
		Use:   "list [ENDPOINT]",
		Short: "List registered methods",
		Args:  wrapArgs(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), msg.DefaultDeadline)
			defer cancel()
			c, err := a.dial(ctx)
			if err != nil {
				return err
			}
			defer c.Close()
			endpoint := ""
			if len(args) == 1 {
				endpoint = args[0]
			}
			entries, err := c.List(ctx, endpoint)
			if err != nil {
				return err
			}
			if endpoint != "" && len(entries) == 0 {
				return msg.Refuse(msg.NotFound, "no endpoint %s", endpoint)
			}
			return a.printEntries(cmd.OutOrStdout(), entries)
		},
	}
}
