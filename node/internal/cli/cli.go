// Package cli is hosd's command line: it reads flags, environment and files,
// and calls node.
//
// It is not a library for other programs. The entry point is Main.
//
// What must never change: results go to standard output and talk to standard
// error; every error ends with a "try:" line where there is something to do and
// a non-zero exit code; nothing is ever written over.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/node/api"
	"github.com/hybridos-net/hybridos/node/engine"
	"github.com/hybridos-net/hybridos/node/home"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
	// exitUpgrade: the next block is for another program, see docs/operator.md.
	exitUpgrade = 3
)

// Main runs one command and gives the exit code.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use: "hosd", Short: "A validator or full node of a HybridOS ledger",
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(initCommand(), startCommand(), genesisCommand(), statusCommand(), validatorCommand(),
		snapshotCommand(), rollbackCommand(), doctorCommand(), exportCommand(), importCommand())
	ran := false
	root.PersistentPreRun = func(*cobra.Command, []string) { ran = true }
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case !ran && advice(err) == "":
		err = &hinted{err, "hosd --help"}
	}
	tell(stderr, err)
	switch {
	case !ran:
		return exitUsage
	case errors.Is(err, abci.UpgradeNeeded):
		return exitUpgrade
	}
	return exitError
}

// hinted is an error with what to do about it.
type hinted struct {
	error
	try string
}

func (h *hinted) Unwrap() error { return h.error }

func hint(err error, try string) error { return &hinted{err, try} }

// tell prints an error and its "try:" line.
func tell(w io.Writer, err error) {
	text, try := err.Error(), advice(err)
	// Some parts below add their advice themselves.
	if before, after, ok := strings.Cut(text, "\ntry: "); ok {
		text = before
		if try == "" {
			try, _, _ = strings.Cut(after, "\n")
		}
	}
	fmt.Fprintf(w, "hosd: %s\n", strings.TrimSpace(text))
	if try != "" {
		fmt.Fprintf(w, "try: %s\n", try)
	}
}

func advice(err error) string {
	var h *hinted
	var disk *kv.Error
	var denied *fs.PathError
	switch {
	case errors.As(err, &h):
		return h.try
	case errors.Is(err, abci.UpgradeNeeded):
		return "put the hosd with that SHA-256 in the place of this one and start it; nothing is lost, and nothing else is to be done"
	case errors.Is(err, home.ErrLocked):
		return "stop the other hosd, or use another --home"
	case errors.Is(err, home.ErrExists):
		return "use another --home, or start the one that is there: hosd start --home DIR"
	case errors.Is(err, home.ErrNotRunning):
		return "hosd start --home DIR"
	case errors.Is(err, abci.WrongGenesis):
		return "put the genesis.json of this home's own ledger back, or use another --home"
	case errors.As(err, &disk):
		return disk.Hint()
	case errors.Is(err, api.ErrCertificate):
		return "set phone_tls_cert and phone_tls_key to PEM files that belong together and name every host of phone_hosts"
	case errors.Is(err, engine.ErrSync):
		return "check p2p_peers, mesh_peers and trust_hash, or start with --state-sync=false to execute every block"
	case errors.Is(err, syscall.ENOSPC):
		return "free space on the disk and start again"
	case errors.Is(err, engine.ErrDiverged):
		return "install the version of hosd that the other operators run, then: hosd rollback --home DIR, then start: the newest block is executed again"
	case errors.Is(err, engine.ErrHalted), errors.Is(err, engine.ErrUnfit):
		return "check the disk and the version of hosd; if both are right, " + again
	case errors.Is(err, syscall.EADDRINUSE):
		return "stop the program that uses this address, or choose another (port 0 takes a free one)"
	case isListen(err):
		return "choose an address of this machine and a port that you may use"
	case errors.Is(err, fs.ErrPermission) && errors.As(err, &denied):
		return "check the owner and the permissions of " + denied.Path
	default:
		return ""
	}
}

func isListen(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "listen"
}

// noArgs is for commands that take flags alone: cobra would call a file's name an
// unknown command.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return hint(fmt.Errorf("%s takes flags only, not %q", c.CommandPath(), args[0]), c.CommandPath()+" --help")
}

// homeFlag adds --home; HOSD_HOME stands in for it.
func homeFlag(c *cobra.Command, into *string) {
	c.Flags().StringVar(into, "home", os.Getenv("HOSD_HOME"), "directory of the node (HOSD_HOME)")
}

func needHome(dir string) error {
	if dir == "" {
		return hint(errors.New("no home directory"), "--home DIR, or set HOSD_HOME")
	}
	return nil
}
