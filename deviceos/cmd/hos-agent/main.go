// Command hos-agent is the agent of a device: the only process that takes
// commands from outside, and the only one that may tell the lock to move.
//
// It is only memory settings, flags and signals: see deviceos/agent. Entry
// points: main, and cli.Command for the flags.
//
// What must never change: exit code 0 after SIGTERM or SIGINT, 1 on an error,
// each error followed by a line that says what to try.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/hybridos-net/hybridos/deviceos/agent/cli"
)

// A device has 32 MB for the agent: rather collect often than grow.
const (
	memoryLimit = 20 << 20
	gcPercent   = 40
)

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := cli.Command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "hos-agent: %v\ntry: %s\n", err, cli.Hint(err))
		os.Exit(1)
	}
}
