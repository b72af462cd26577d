// Package cli is the command line of hos-lock.
//
// It holds flags and texts only; deviceos/peripheral/lock does the work.
// Callers use Command, and Hint for an error of it.
//
// What must never change: one ready line on stdout once the lock takes
// commands, logs on stderr.
package cli

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/deviceos/peripheral/lock"
	"github.com/hybridos-net/hybridos/deviceos/vault"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

// Command is the command line.
func Command() *cobra.Command {
	var bus, log, keyFile string
	cmd := &cobra.Command{
		Use: "hos-lock", Short: "The lock app of a HybridOS device, with a simulated bolt",
		Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := filepath.Abs(log)
			if err != nil {
				return err
			}
			bolt, err := lock.OpenBolt(path, time.Now)
			if err != nil {
				return err
			}
			defer bolt.Close()
			var key ed25519.PrivateKey
			if keyFile != "" {
				if key, err = vault.LoadKey(keyFile); err != nil {
					return err
				}
			}
			ready := false
			app, err := lock.New(lock.Config{
				Bus: bus, Actuator: bolt, Key: key,
				Logger: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)).With("subsystem", "lock"),
				Ready: func() {
					if !ready {
						ready = true
						fmt.Fprintf(cmd.OutOrStdout(), "hos-lock ready bus=%s log=%s\n", bus, path)
					}
				},
			})
			if err != nil {
				return err
			}
			return app.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&bus, "bus", "/run/hbus/bus.sock", "path of the bus socket")
	cmd.Flags().StringVar(&log, "log", "actuations.jsonl", "the bolt's log: one line for each time that it moved")
	cmd.Flags().StringVar(&keyFile, "key", "", "file with the app's key, if hbusd asks for one (--app-key lock=FILE.pub)")
	cmd.AddCommand(keyCommand())
	return cmd
}

func keyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "key FILE", Short: "Make the app's key in FILE and its public half in FILE.pub", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			_, err := vault.CreateKey(args[0], rand.Reader)
			return err
		},
	}
}

// Hint says what to do about an error of Command.
func Hint(err error) string {
	switch {
	case errors.Is(err, msg.AppDenied):
		return "give the key that hbusd knows with --key, or make one with: hos-lock key FILE"
	case errors.Is(err, vault.ErrExists):
		return "give another file; keys are never overwritten"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return "start hbusd first, or give its socket with --bus"
	case errors.Is(err, msg.Exists):
		return "stop the other hos-lock on this bus"
	case errors.Is(err, lock.ErrUnclear):
		return "check the disk and the lock itself, then start again"
	case errors.Is(err, fs.ErrPermission):
		return "run hos-lock as a user who may open the bus socket and the log"
	}
	return "see hos-lock --help"
}
