package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// connected is a network of which only that is asked.
type connected struct {
	network.Network
	not atomic.Bool
}

func (c *connected) Connectedness(peer.ID) network.Connectedness {
	if c.not.Load() {
		return network.NotConnected
	}
	return network.Connected
}
func (c *connected) Notify(network.Notifiee)     {}
func (c *connected) StopNotify(network.Notifiee) {}

// A node that refuses is asked again with growing pauses, at once when the
// device has got its owner, and not any more once it has said yes.
func TestAnnouncer_BackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := new(connected)
		var said atomic.Int64
		var taken atomic.Bool
		a := newAnnouncer(net, []peer.AddrInfo{{ID: "node"}}, slog.New(slog.DiscardHandler), func(context.Context, peer.ID) (time.Duration, error) {
			said.Add(1)
			if taken.Load() {
				return 0, nil
			}
			return 0, errors.New("unknown")
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.run(ctx) }()
		after := func(d time.Duration, want int64) {
			t.Helper()
			if d > 0 {
				<-time.After(d)
			}
			synctest.Wait()
			if got := said.Load(); got != want {
				t.Fatalf("said %d times, want %d", got, want)
			}
		}
		after(0, 1)                // at the start
		after(62*time.Second, 7)   // after 1, 3, 7, 15, 31, 61 s
		after(10*announceMost, 17) // never more often than that
		a.owned()                  // at once
		after(0, 18)
		taken.Store(true)
		after(announceFirst, 19) // the pause is short again
		a.owned()
		after(time.Hour, 19)          // it knows
		poke(a.nodes["node"].changed) // a new connection
		after(0, 20)
		net.not.Store(true)
		poke(a.nodes["node"].changed) // the last one ended
		after(time.Hour, 20)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
