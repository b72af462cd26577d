package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/node"
	"github.com/hybridos-net/hybridos/node/home"
	"github.com/hybridos-net/hybridos/node/internal/binary"
)

// setting is one value that flag, environment and file can give, in this order.
type setting struct {
	flag, help string
	text       func(*home.Config) *string
	list       func(*home.Config) *[]string
	number     func(*home.Config) *int64
	yes        func(*home.Config) *bool
}

// settings is the one list of them.
var settings = []setting{
	{flag: "name", help: "name told to peers", text: func(c *home.Config) *string { return &c.Name }},
	{flag: "p2p-listen", help: "host:port of the consensus network", text: func(c *home.Config) *string { return &c.P2P }},
	{flag: "p2p-external", help: "host:port told to peers, if it is another", text: func(c *home.Config) *string { return &c.P2PExternal }},
	{flag: "p2p-peers", help: "id@host:port of other nodes, separated by commas", list: func(c *home.Config) *[]string { return &c.P2PPeers }},
	{flag: "mesh-listen", help: "host:port for devices, wallets and nodes", text: func(c *home.Config) *string { return &c.Mesh }},
	{flag: "mesh-announce", help: "multiaddresses told instead, separated by commas", list: func(c *home.Config) *[]string { return &c.MeshAnnounce }},
	{flag: "mesh-peers", help: "multiaddresses of nodes to stay connected to, separated by commas", list: func(c *home.Config) *[]string { return &c.MeshPeers }},
	{flag: "mesh-relay", help: "false: be no relay to devices that wallets cannot dial", yes: func(c *home.Config) *bool { return &c.MeshRelay }},
	{flag: "http-listen", help: "host:port of the HTTP interface, loopback only", text: func(c *home.Config) *string { return &c.HTTP }},
	{flag: "phone-listen", help: "host:port of the page for phones; empty for none", text: func(c *home.Config) *string { return &c.Phone }},
	{flag: "phone-host", help: "names under which phones reach it, separated by commas; none for localhost only", list: func(c *home.Config) *[]string { return &c.PhoneHosts }},
	{flag: "phone-tls-cert", help: "PEM file of the page's certificate, its chain behind it; without one a proxy must speak TLS for names other than localhost", text: func(c *home.Config) *string { return &c.PhoneCert }},
	{flag: "phone-tls-key", help: "PEM file of the certificate's key", text: func(c *home.Config) *string { return &c.PhoneKey }},
	{flag: "rpc-listen", help: "host:port of CometBFT's RPC, loopback only; empty for none", text: func(c *home.Config) *string { return &c.RPC }},
	{flag: "log-level", help: "debug, info, warn or error", text: func(c *home.Config) *string { return &c.LogLevel }},
	{flag: "snapshot-interval", help: "a snapshot of the state for joining nodes every so many blocks; 0 for none", number: func(c *home.Config) *int64 { return &c.SnapshotInterval }},
	{flag: "snapshot-keep", help: "how many snapshots stay", number: func(c *home.Config) *int64 { return &c.SnapshotKeep }},
	{flag: "keep-blocks", help: "how many blocks stay; 0 for all", number: func(c *home.Config) *int64 { return &c.KeepBlocks }},
	{flag: "state-sync", help: "true: a home without blocks begins with a snapshot of its peers, verified through mesh-peers", yes: func(c *home.Config) *bool { return &c.StateSync }},
	{flag: "trust-height", help: "height of a header that you trust, for state-sync on a ledger older than two weeks", number: func(c *home.Config) *int64 { return &c.TrustHeight }},
	{flag: "trust-hash", help: "its hash in hex", text: func(c *home.Config) *string { return &c.TrustHash }},
	{flag: "skip-upgrade", help: "names of upgrades at which this program goes on although it is not theirs, separated by commas; only to execute again, from the beginning, blocks that others have executed", list: func(c *home.Config) *[]string { return &c.SkipUpgrades }},
}

// env is the variable that stands in for the flag.
func (s setting) env() string {
	return "HOSD_" + strings.ToUpper(strings.ReplaceAll(s.flag, "-", "_"))
}

func (s setting) set(c *home.Config, v string) (err error) {
	switch {
	case s.text != nil:
		*s.text(c) = v
		return nil
	case s.number != nil:
		if *s.number(c), err = strconv.ParseInt(v, 10, 64); err != nil {
			err = fmt.Errorf("%s: %q is not a number", s.flag, v)
		}
		return err
	case s.yes != nil:
		if *s.yes(c), err = strconv.ParseBool(v); err != nil {
			err = fmt.Errorf("%s: %q is neither true nor false", s.flag, v)
		}
		return err
	}
	*s.list(c) = nil
	for _, item := range strings.Split(v, ",") {
		if item = strings.TrimSpace(item); item != "" {
			*s.list(c) = append(*s.list(c), item)
		}
	}
	return nil
}

func startCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "start", Short: "Run the node until it is told to stop", Args: noArgs,
	}
	homeFlag(c, &dir)
	for _, s := range settings {
		c.Flags().String(s.flag, "", s.help+" ("+s.env()+")")
		if s.yes != nil { // given without a value it means true
			c.Flags().Lookup(s.flag).NoOptDefVal = "true"
		}
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		return runStart(c.Context(), dir, override(c), c.OutOrStdout(), c.ErrOrStderr())
	}
	return c
}

// override gives what puts flags and environment over a configuration.
func override(c *cobra.Command) func(*home.Config) error {
	return func(cfg *home.Config) (err error) {
		for _, s := range settings {
			if v, ok := os.LookupEnv(s.env()); ok {
				err = errors.Join(err, s.set(cfg, v))
			}
			if f := c.Flags().Lookup(s.flag); f.Changed {
				err = errors.Join(err, s.set(cfg, f.Value.String()))
			}
		}
		return err
	}
}

func runStart(ctx context.Context, dir string, over func(*home.Config) error, stdout, stderr io.Writer) (err error) {
	if err := needHome(dir); err != nil {
		return err
	}
	d := home.Dir(dir)
	cfg, err := d.Config()
	if errors.Is(err, fs.ErrNotExist) {
		return hint(fmt.Errorf("%s is not a home: %w", dir, err), "hosd init --home "+dir)
	}
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err != nil {
		return hint(err, "correct the file; hosd start --help lists the names")
	}
	if err := over(&cfg); err != nil {
		return hint(err, "correct the flag or the HOSD_ variable")
	}
	if err := cfg.Validate(); err != nil {
		var setting *home.SettingError
		if errors.As(err, &setting) {
			return hint(err, setting.Try)
		}
		return hint(err, "correct the flag, the HOSD_ variable or "+d.ConfigFile())
	}
	doc, err := readGenesis(d.GenesisFile())
	if err != nil {
		return err
	}
	lock, err := d.Lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if err := d.RemoveRun(); err != nil { // left by a killed process
		return err
	}
	if _, err := node.KeyFiles(d).PubKey(); err != nil {
		return hint(err, keyAdvice)
	}
	if _, err := d.TransportSeed(); err != nil {
		return hint(err, keyAdvice)
	}
	hash, err := binary.Hash()
	if err != nil {
		return err
	}
	n, err := node.New(node.Config{
		Home: d, Settings: cfg, Genesis: doc, Binary: hash, Logger: logger(stderr, cfg.LogLevel),
		Ready: func(r home.Run) error {
			if err := d.WriteRun(r); err != nil {
				return err
			}
			_, err := fmt.Fprintln(stdout, readyLine(r))
			return err
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.RemoveRun()) }()
	return n.Run(ctx)
}

// readyLine is what programs that started the node wait for.
func readyLine(r home.Run) string {
	line := fmt.Sprintf("ready chain=%s http=%s p2p=%s mesh=%s", r.ChainID, r.HTTP, r.P2P, strings.Join(r.Mesh, ","))
	if r.Phone != "" {
		line += " phone=" + r.Phone
	}
	return line
}

// logger writes text lines; the level has been checked.
func logger(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	if l.UnmarshalText([]byte(level)) != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l}))
}
