// Package cli is the command line of hos-testnet: it reads flags, calls
// testnet/harness, testnet/join and testnet/demo, and tells.
//
// It is not a library for other programs. The entry point is Main.
//
// What must never change: results go to standard output and talk to standard
// error, every error is followed by a "try:" line, and the exit codes.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/testnet/bench"
	"github.com/hybridos-net/hybridos/testnet/demo"
	"github.com/hybridos-net/hybridos/testnet/harness"
	"github.com/hybridos-net/hybridos/testnet/join"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// app is what all commands share.
type app struct {
	dir, programs string
	json          bool
	out, talk     io.Writer
}

// Main runs one command line and gives the exit code.
func Main(ctx context.Context, args []string, out, talk io.Writer) int {
	a := &app{out: out, talk: talk}
	root := &cobra.Command{
		Use: "hos-testnet", Short: "Test networks of HybridOS on this machine",
		SilenceErrors: true, SilenceUsage: true, Args: cobra.NoArgs,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE:              func(*cobra.Command, []string) error { return errors.New("it needs a command") },
	}
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(talk)
	f := root.PersistentFlags()
	f.StringVar(&a.dir, "dir", defaultDir(os.Getenv), "directory of the network (HOS_TESTNET)")
	f.StringVar(&a.programs, "bin-dir", "", "directory of the programs (default: that of hos-testnet)")
	f.BoolVar(&a.json, "json", false, "print JSON")
	root.AddCommand(a.up(), a.down(), a.status(), a.logs(), a.start(), a.kill(), a.grant(), a.join(), a.demo(), a.shapes(), bench.Verb(), bench.PeerVerb(), bench.FastVerb())
	ran := false
	root.PersistentPreRun = func(c *cobra.Command, _ []string) { ran = c != root }
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(talk, "hos-testnet: %v\n", err)
	if !ran {
		fmt.Fprintln(talk, "try: hos-testnet --help")
		return exitUsage
	}
	fmt.Fprintf(talk, "try: %s\n", hint(err))
	return exitError
}

// defaultDir is HOS_TESTNET, else a folder for what programs keep.
func defaultDir(getenv func(string) string) string {
	if d := getenv("HOS_TESTNET"); d != "" {
		return d
	}
	if d := getenv("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "hybridos-testnet")
	}
	if d := getenv("HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, ".local", "state", "hybridos-testnet")
	}
	return "hybridos-testnet"
}

// programDir is where the other programs stand.
func (a *app) programDir() (string, error) {
	if a.programs != "" {
		return a.programs, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return "", err
	}
	return filepath.Dir(self), nil
}

// open finds the network of an earlier invocation.
func (a *app) open() (*harness.Network, error) {
	return harness.Open(harness.Config{Dir: a.dir, Programs: a.programs, Tell: a.say})
}

func (a *app) say(format string, args ...any) { fmt.Fprintf(a.talk, format+"\n", args...) }

func (a *app) print(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// hint says what to do about an error.
func hint(err error) string {
	var crash *harness.CrashError
	switch {
	case errors.As(err, &crash):
		return "read " + crash.Log
	case errors.Is(err, demo.ErrFailed):
		return "read the logs of the network; hos-testnet demo --keep leaves it running"
	case errors.Is(err, harness.ErrNoProgram):
		return "make build, or --bin-dir DIR with all programs in it"
	case errors.Is(err, harness.ErrNoNetwork):
		return "hos-testnet up, or --dir DIR of the network"
	case errors.Is(err, harness.ErrRunning):
		return "hos-testnet status; hos-testnet down"
	case errors.Is(err, harness.ErrExists), errors.Is(err, harness.ErrNotEmpty):
		return "--dir DIR with another directory, or hos-testnet down --remove first"
	case errors.Is(err, harness.ErrIncomplete):
		return "hos-testnet down --remove, then hos-testnet up"
	case errors.Is(err, harness.ErrNoProcess), errors.Is(err, harness.ErrNotRunning):
		return "hos-testnet status lists the names"
	case errors.Is(err, harness.ErrNewer):
		return "use the hos-testnet that made the network, or a later one"
	case errors.Is(err, manifest.ErrInvalid):
		return "correct the value; hos-testnet shapes lists networks that are ready"
	case errors.Is(err, join.ErrPin), errors.Is(err, join.ErrOtherLedger):
		return "get the genesis document again, from somebody who runs the ledger that you mean"
	case errors.Is(err, errJoinNeeds):
		return "hos-testnet up prints a whole line; hos-testnet join --help"
	case errors.Is(err, join.ErrUnreachable), errors.Is(err, join.ErrSlow):
		return "check --node and --peer, and that the network makes blocks"
	case errors.Is(err, context.Canceled):
		return "hos-testnet down --remove, then do it again; nothing runs any more"
	case errors.Is(err, fs.ErrPermission):
		return "choose a directory that you may write, with --dir"
	case errors.Is(err, fs.ErrNotExist):
		return "check the path"
	}
	return "hos-testnet status and hos-testnet logs NAME tell more"
}
