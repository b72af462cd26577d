// Command hos is the owner's command line. The work is in wallet/cli; this file
// only connects it to the process.
package main

import (
	"context"
	"crypto/rand"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/hybridos-net/hybridos/wallet/cli"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.New(cli.Config{
		In:      os.Stdin,
		Out:     os.Stdout,
		Err:     os.Stderr,
		Color:   term.IsTerminal(int(os.Stdout.Fd())),
		Live:    term.IsTerminal(int(os.Stderr.Fd())),
		Getenv:  os.Getenv,
		Now:     time.Now,
		Random:  rand.Reader,
		Console: cli.Terminal(os.Stdin, os.Stderr),
		Dial:    cli.Dial,
	}).Run(ctx, os.Args[1:])
}
