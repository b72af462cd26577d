// Command hos-testnet runs a test network of HybridOS on this machine: it is
// only flags and signals, see testnet/internal/cli.
//
// Entry point: main. What must never change: exit code 0 for success, 1 for
// failure, 2 for a command line that is not understood.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/hybridos-net/hybridos/testnet/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := cli.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
