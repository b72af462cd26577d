// Command hbus calls, listens and lists on the bus of a device.
//
// It is only signals and exit codes: see hbus/internal/cli.
//
// Entry points: main, and cli.Run for everything else.
//
// What must never change: exit codes 0 done, 1 refused or broken, 2 wrong use,
// 3 not found.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/hybridos-net/hybridos/hbus/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
