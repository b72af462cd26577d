// Package cli is the owner's command line, hos: it asks, shows, signs and
// tells.
//
// It decides nothing about rights: the ledger and the devices do. Data goes to
// standard output, talk to standard error. Callers use New and App.Run.
//
// What must never change: exit codes, the names and versions of JSON schemas,
// and that nothing is signed which has not been shown in words.
package cli

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/light"
)

// Console is a person at a terminal.
type Console interface {
	// Secret asks for a line without showing it.
	Secret(ctx context.Context, prompt string) ([]byte, error)
	// Line asks for a line.
	Line(ctx context.Context, prompt string) (string, error)
}

// Dialer makes the network client of a ledger; it contacts nobody yet.
type Dialer func(doc *genesis.Doc, nodes []string, store light.Store) (Network, error)

// Config is the world that a run sees. All but Console are needed.
type Config struct {
	In      io.Reader
	Out     io.Writer // data
	Err     io.Writer // talk
	Color   bool      // Out is a terminal
	Live    bool      // Err is a terminal
	Getenv  func(string) string
	Now     func() time.Time
	Random  io.Reader // a cryptographic source
	Console Console   // nil: nobody can be asked
	Dial    Dialer
}

// App is the command line. One App serves one run.
type App struct {
	cfg  Config
	opts options
	ran  bool // flags and arguments were understood
}

// options are the flags that every command has.
type options struct {
	home           string
	genesis        string
	nodes          []string
	passphraseFile string
	timeout        time.Duration
	json           bool
	yes            bool
	quiet          bool
}

// New makes a command line that sees the world of cfg.
func New(cfg Config) *App { return &App{cfg: cfg} }

// Run carries out one command line (without the program's name) and gives the
// exit code.
func (a *App) Run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if !a.ran {
		err = usage(err)
	}
	return a.report(err)
}

func (a *App) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "hos",
		Short: "Own devices: pair them, open doors, share and hand them on",
		Long: `hos is the owner's hand: it keeps your key, pairs devices, sends them signed
commands, and lets guests use them for a while.

The first run:
  hos key new              make your key
  hos device pair CODE     become the owner of the device that shows the code
  hos door open            open it

Settings: flag, then environment, then what 'hos init' stored.
  HOS_HOME              folder of keys and names
  HOS_GENESIS           genesis document of the ledger (file)
  HOS_NODE              addresses of nodes to ask, separated by commas
  HOS_PASSPHRASE_FILE   file that holds the passphrase
  HOS_PASSPHRASE        the passphrase itself: others who can read this
                        process's environment can read it; for scripts only
  NO_COLOR              no colours

Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 denied, 5 refused by the
device, 6 no receipt, 7 invalid proof or signature, 8 node unreachable.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			a.ran = true
		},
	}
	root.SetOut(a.cfg.Out)
	root.SetErr(a.cfg.Err)
	root.SetIn(a.cfg.In)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	f := root.PersistentFlags()
	f.StringVar(&a.opts.home, "home", "", "folder of keys and names")
	f.StringVar(&a.opts.genesis, "genesis", "", "genesis document of the ledger")
	f.StringSliceVar(&a.opts.nodes, "node", nil, "address of a node to ask (repeatable)")
	f.StringVar(&a.opts.passphraseFile, "passphrase-file", "", "file that holds the passphrase")
	f.DurationVar(&a.opts.timeout, "timeout", defaultTimeout, "how long to wait for the network")
	f.BoolVar(&a.opts.json, "json", false, "print JSON")
	f.BoolVarP(&a.opts.yes, "yes", "y", false, "do not ask before signing")
	f.BoolVarP(&a.opts.quiet, "quiet", "q", false, "no talk but errors")
	root.AddCommand(
		a.keyCommand(), a.deviceCommand(), a.grantCommand(), a.doCommand(), a.doorCommand(), a.watchCommand(),
		a.transferCommand(), a.vendorCommand(), a.recoverCommand(), a.receiptCommand(), a.statusCommand(), a.initCommand(),
		a.didCommand(), a.govCommand(), a.historyCommand(), a.sealCommand(), a.commandCommand(), a.auditCommand(),
	)
	return root
}

const defaultTimeout = 30 * time.Second

// group is a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return usagef("%q needs a command after it", c.CommandPath())
		}}
	c.AddCommand(children...)
	return c
}
