// Package cli is the command line of hos-lock.
//
// It holds flags and texts only; deviceos/peripheral/lock does the work.
// Callers use Command, and Hint for an error of it.
//
// What must never change: one ready line on stdout once the lock takes
// commands, logs on stderr.
package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/deviceos/peripheral/lock"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

// Command is the command line.
func Command() *cobra.Command {
	var bus, log string
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
			ready := false
			app, err := lock.New(lock.Config{
				Bus: bus, Actuator: bolt,
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
	return cmd
}

// Hint says what to do about an error of Command.
func Hint(err error) string {
	switch {
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
