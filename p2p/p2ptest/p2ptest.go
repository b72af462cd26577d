// Package p2ptest makes real mesh hosts on the loopback for tests.
//
// It is not a simulation: the hosts listen on 127.0.0.1 with free ports and
// speak TCP, Noise and yamux. Entry points: Slim and Full; Connect and Pair join
// two hosts.
//
// What must never change: a host made here is closed by the test's cleanup.
package p2ptest

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/hybridos-net/hybridos/p2p/host"
	"github.com/hybridos-net/hybridos/p2p/mux"
	"github.com/hybridos-net/hybridos/p2p/slim"
)

// patience bounds what a helper does on the loopback.
const patience = 20 * time.Second

// Host is what Connect needs of either kind of host.
type Host interface {
	// Connect makes sure that there is a connection.
	Connect(ctx context.Context, to peer.AddrInfo) error
	// Info is the id and the addresses of the host.
	Info() peer.AddrInfo
}

// Key draws a transport key.
func Key(t testing.TB) crypto.PrivKey {
	t.Helper()
	seed, err := mux.NewSeed(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := mux.Key(seed)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Slim is a device's host on a free loopback port.
func Slim(t testing.TB) *slim.Host {
	t.Helper()
	h, err := slim.Listen(slim.Config{Key: Key(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// Full is a node's host on a free loopback port.
func Full(t testing.TB) *host.Host {
	t.Helper()
	h, err := host.Listen(host.Config{Key: Key(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// Connect connects a to b.
func Connect(t testing.TB, a, b Host) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := a.Connect(ctx, b.Info()); err != nil {
		t.Fatal(err)
	}
}

// Pair is two connected slim hosts.
func Pair(t testing.TB) (*slim.Host, *slim.Host) {
	t.Helper()
	a, b := Slim(t), Slim(t)
	Connect(t, a, b)
	return a, b
}

// Opener is a host that opens streams.
type Opener interface {
	// NewStream opens a stream of the first protocol that both speak.
	NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error)
}
