// Package daemon is what hbusd does: read keys and flags, own the socket, serve
// the bus until it is told to stop.
//
// It is not the bus (hbus/broker, hbus/face/native).
//
// Use Command for the command line, or Run with a Config.
//
// What must never change: one ready line on stdout once clients can connect,
// logs on stderr; a key that cannot be read stops the start.
package daemon

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/hbus/broker"
	"github.com/hybridos-net/hybridos/hbus/face/native"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

// Config is what the flags say.
type Config struct {
	Socket   string
	Mode     string // octal
	AgentUID uint32
	AgentKey string   // file with the agent's public key in hex; empty: no agent
	AppKeys  []string // "name=file" each
	JSON     bool
	Verbose  bool
}

// maxKeyFile bounds a key file: 64 hex digits and a line end, with room for
// spaces.
const maxKeyFile = 256

// Command is the command line of hbusd.
func Command() *cobra.Command {
	var cfg Config
	cmd := &cobra.Command{
		Use:           "hbusd",
		Short:         "The bus daemon: apps register methods and events, others call and subscribe",
		Args:          cobra.NoArgs,
		SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return Run(cmd.Context(), cfg, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Socket, "socket", "/run/hbus/bus.sock", "path of the Unix socket")
	f.StringVar(&cfg.Mode, "mode", "0600", "mode of the socket, 0600 or 0660")
	f.Uint32Var(&cfg.AgentUID, "agent-uid", 0, "uid of the agent, which may mark calls as verified")
	f.StringVar(&cfg.AgentKey, "agent-key", "", "file with the agent's public key in hex; without it nobody may mark calls")
	f.StringArrayVar(&cfg.AppKeys, "app-key", nil, "NAME=FILE: only the holder of this key may be app NAME (repeatable)")
	f.BoolVar(&cfg.JSON, "json", false, "log and ready line in JSON")
	f.BoolVar(&cfg.Verbose, "verbose", false, "log more")
	return cmd
}

// Run serves until ctx ends.
func Run(ctx context.Context, cfg Config, stdout, stderr io.Writer) error {
	log := logger(cfg, stderr)
	mode, err := strconv.ParseUint(cfg.Mode, 8, 32)
	if err != nil {
		return fmt.Errorf("mode %q: %w", cfg.Mode, native.ErrMode)
	}
	bcfg, err := brokerConfig(cfg, log)
	if err != nil {
		return err
	}
	b, err := broker.New(bcfg)
	if err != nil {
		return err
	}
	l, err := native.Listen(cfg.Socket, fs.FileMode(mode))
	if err != nil {
		return err
	}
	srv, err := native.New(native.Config{Broker: b, Listener: l, Logger: log})
	if err != nil {
		l.Close()
		return err
	}
	if err := ready(cfg, stdout); err != nil {
		l.Close()
		return err
	}
	return srv.Run(ctx)
}

func brokerConfig(cfg Config, log *slog.Logger) (broker.Config, error) {
	out := broker.Config{AgentUID: cfg.AgentUID, Logger: log}
	out.Self = msg.Identity{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), PID: uint32(os.Getpid())}
	if cfg.AgentKey != "" {
		key, err := readKey(cfg.AgentKey)
		if err != nil {
			return out, fmt.Errorf("agent key: %w", err)
		}
		out.AgentKey = key
	}
	for _, s := range cfg.AppKeys {
		name, file, ok := strings.Cut(s, "=")
		if !ok {
			return out, fmt.Errorf("app key %q is not NAME=FILE", s)
		}
		key, err := readKey(file)
		if err != nil {
			return out, fmt.Errorf("key of app %s: %w", name, err)
		}
		out.Apps = append(out.Apps, broker.App{Name: name, Key: key})
	}
	return out, nil
}

func readKey(path string) (ed25519.PublicKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%s does not hold an ed25519 public key of %d hex digits", path, 2*ed25519.PublicKeySize)
	}
	return key, nil
}

func logger(cfg Config, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelInfo}
	if cfg.Verbose {
		opts.Level = slog.LevelDebug
	}
	if cfg.JSON {
		return slog.New(slog.NewJSONHandler(w, opts)).With("subsystem", "hbus")
	}
	return slog.New(slog.NewTextHandler(w, opts)).With("subsystem", "hbus")
}

func ready(cfg Config, w io.Writer) error {
	var err error
	if cfg.JSON {
		err = json.NewEncoder(w).Encode(map[string]any{"ready": true, "socket": cfg.Socket, "pid": os.Getpid()})
	} else {
		_, err = fmt.Fprintf(w, "hbusd ready socket=%s\n", cfg.Socket)
	}
	if err != nil {
		return fmt.Errorf("ready line: %w", err)
	}
	return nil
}

// Hint says what to do about an error of Run.
func Hint(err error) string {
	switch {
	case errors.Is(err, native.ErrInUse):
		return "stop the other hbusd, or give another path with --socket"
	case errors.Is(err, native.ErrUnsafeDir):
		return "put the socket in a directory of its own, such as --socket /run/hbus/bus.sock"
	case errors.Is(err, native.ErrNotSocket):
		return "move that file away, or give another path with --socket"
	case errors.Is(err, native.ErrPathTooLong):
		return "give a shorter path with --socket"
	case errors.Is(err, native.ErrMode):
		return "use --mode 0600 or --mode 0660"
	case errors.Is(err, fs.ErrPermission):
		return "give a path you may write with --socket, or run hbusd as its owner"
	}
	return "see hbusd --help"
}
