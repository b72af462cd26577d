// Command hbusd is the bus daemon of a device.
//
// It is only flags and signals: see hbus/internal/daemon and docs/spec/hbus.md.
//
// Entry points: main, and daemon.Command for the flags.
//
// What must never change: exit code 0 after SIGTERM or SIGINT, 1 on an error.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hybridos-net/hybridos/hbus/internal/daemon"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := daemon.Command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "hbusd: %v\ntry: %s\n", err, daemon.Hint(err))
		os.Exit(1)
	}
}
