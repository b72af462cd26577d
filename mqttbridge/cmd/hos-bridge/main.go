// Command hos-bridge is the MQTT bridge of HybridOS, a process of its own. It is
// only the frame: the verbs are in mqttbridge/internal/cli, the bridge is in
// mqttbridge. Its exit codes, 0 and 1, do not change.
package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/mqttbridge"
	"github.com/hybridos-net/hybridos/mqttbridge/delegate"
	"github.com/hybridos-net/hybridos/mqttbridge/internal/cli"
	"github.com/hybridos-net/hybridos/mqttbridge/settings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, cli.Config{Random: rand.Reader, Link: link}, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func link(_ context.Context, s settings.Settings, k *key.Private, log *slog.Logger) (mqttbridge.Invoker, func() error, error) {
	i, err := delegate.Open(delegate.Config{Settings: s, Key: k, Random: rand.Reader, Logger: log})
	if err != nil {
		return nil, nil, err
	}
	return i, i.Close, nil
}
