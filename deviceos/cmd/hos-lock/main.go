// Command hos-lock is the lock app of a device, a process of its own on the
// bus, with a simulated bolt.
//
// It is only flags and signals: see deviceos/peripheral/lock. Entry points:
// main, and cli.Command for the flags.
//
// What must never change: exit code 0 after SIGTERM or SIGINT, 1 on an error.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/hybridos-net/hybridos/deviceos/peripheral/lock/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := cli.Command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "hos-lock: %v\ntry: %s\n", err, cli.Hint(err))
		os.Exit(1)
	}
}
