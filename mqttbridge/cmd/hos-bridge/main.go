// Command hos-bridge is the MQTT bridge of HybridOS, a process of its own. It is
// only the frame: the verbs are in mqttbridge/internal/cli, the bridge is in
// mqttbridge. Its exit codes, 0 and 1, do not change.
package main

import (
	"context"
	"crypto/rand"
	"os"
	"os/signal"
	"syscall"

	"github.com/hybridos-net/hybridos/mqttbridge/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, cli.Config{Random: rand.Reader}, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
