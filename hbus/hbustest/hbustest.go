// Package hbustest starts a real bus on a temporary socket for tests.
//
// It is not a fake: broker, native face and client are the ones of hbusd.
//
// Use Start, then Bus.Dial or Bus.DialAgent.
//
// What must never change: nothing of it outlives the test.
package hbustest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hybridos-net/hybridos/hbus/broker"
	"github.com/hybridos-net/hybridos/hbus/client"
	"github.com/hybridos-net/hybridos/hbus/face/native"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

// AgentApp is the app name that DialAgent uses.
const AgentApp = "agent"

// Bus is a running bus.
type Bus struct {
	// Path is the socket.
	Path string
	// AgentKey makes a connection the agent's, together with AgentUID.
	AgentKey ed25519.PrivateKey
	// AgentUID is the uid of the test process, unless an option changed it.
	AgentUID uint32
	stop     func()
}

// Option changes the configuration before the bus starts.
type Option func(*broker.Config, *native.Config)

// Broker lets a test change the broker's configuration.
func Broker(f func(*broker.Config)) Option {
	return func(b *broker.Config, _ *native.Config) { f(b) }
}

// Native lets a test change the face's configuration.
func Native(f func(*native.Config)) Option {
	return func(_ *broker.Config, n *native.Config) { f(n) }
}

// Start runs a bus until the test ends. The agent is the test's own uid with
// AgentKey.
func Start(t testing.TB, opts ...Option) *Bus {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatalf("agent key: %v", err)
	}
	bcfg := broker.Config{AgentUID: uint32(os.Getuid()), AgentKey: pub}
	bcfg.Self = msg.Identity{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), PID: uint32(os.Getpid())}
	var ncfg native.Config
	for _, o := range opts {
		o(&bcfg, &ncfg)
	}
	if ncfg.Broker, err = broker.New(bcfg); err != nil {
		t.Fatalf("broker: %v", err)
	}
	path := socketPath(t)
	if ncfg.Listener, err = native.Listen(path, 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	srv, err := native.New(ncfg)
	if err != nil {
		t.Fatalf("native face: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("bus: %v", err)
		}
	})
	t.Cleanup(stop)
	return &Bus{Path: path, AgentKey: key, AgentUID: bcfg.AgentUID, stop: stop}
}

// socketPath is in a directory of its own, made short: a socket's path may have
// about 100 bytes, and t.TempDir contains the test's name.
func socketPath(t testing.TB) string {
	dir, err := os.MkdirTemp("", "hbus")
	if err != nil {
		t.Fatalf("socket directory: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "bus.sock")
}

// Stop ends the bus before the test's end, as a crash of hbusd would.
func (b *Bus) Stop() { b.stop() }

// Dial connects as an app without a key; the connection ends with the test.
func (b *Bus) Dial(t testing.TB, app string) *client.Client {
	t.Helper()
	return b.DialWith(t, client.Options{App: app})
}

// DialAgent connects as the agent.
func (b *Bus) DialAgent(t testing.TB) *client.Client {
	t.Helper()
	return b.DialWith(t, client.Options{App: AgentApp, Key: b.AgentKey})
}

// DialWith connects with the given options.
func (b *Bus) DialWith(t testing.TB, opts client.Options) *client.Client {
	t.Helper()
	c, err := client.Dial(t.Context(), b.Path, opts)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
