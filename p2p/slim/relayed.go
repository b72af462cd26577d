package slim

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/multiformats/go-multiaddr"
)

// relays are the peers through which others may reach this host: those that it
// has asked. A peer that was not asked could else hold connections that come
// from nowhere.
type relays struct {
	host.Host // the slim host; only streams of the relay protocol are taken here

	mu    sync.Mutex
	asked map[peer.ID]struct{}
}

// listen makes the host take, and dial, connections through relays. Noise runs
// inside of them from end to end: a relay carries what it cannot read, and what
// it changes ends the connection.
func (r *relays) listen(net *swarm.Swarm, up transport.Upgrader) error {
	c, err := client.New(r, up)
	if err != nil {
		return err
	}
	if err := net.AddTransport(c); err != nil {
		return err
	}
	if err := net.Listen(multiaddr.StringCast("/p2p-circuit")); err != nil {
		return err
	}
	c.Start()
	return nil
}

// SetStreamHandler implements host.Host for the relay protocol.
func (r *relays) SetStreamHandler(id protocol.ID, handle network.StreamHandler) {
	r.Host.SetStreamHandler(id, func(s network.Stream) {
		r.mu.Lock()
		_, asked := r.asked[s.Conn().RemotePeer()]
		r.mu.Unlock()
		if !asked {
			_ = s.ResetWithError(network.StreamProtocolViolation)
			return
		}
		handle(s)
	})
}

// ask notes that the relay may bring connections from now on.
func (r *relays) ask(relay peer.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[relay] = struct{}{}
}

// Reserve asks a connected relay to let others reach this host through it, and
// tells until when it does, by the relay's word. The reservation also ends with
// the connection. An error means that the relay refused or is none. The relays
// asked are few: those that the caller is configured with.
func (h *Host) Reserve(ctx context.Context, relay peer.ID) (until time.Time, err error) {
	h.relays.ask(relay)
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "reserve"), reserveTimeout)
	defer cancel()
	got, err := client.Reserve(ctx, bounded{h}, peer.AddrInfo{ID: relay})
	if err != nil {
		return time.Time{}, fmt.Errorf("reserve at relay %s: %w", relay, err)
	}
	return got.Expiration, nil
}

// bounded ends its streams with the context that they were opened with: the
// client would wait a minute for a relay that says nothing.
type bounded struct{ host.Host }

// NewStream implements host.Host.
func (b bounded) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	s, err := b.Host.NewStream(ctx, p, ids...)
	if err == nil {
		context.AfterFunc(ctx, func() { _ = s.Reset() })
	}
	return s, err
}

// Addrs are the addresses that somebody can dial; that one may be reached
// through relays is no address.
func (h *Host) Addrs() []multiaddr.Multiaddr {
	return slices.DeleteFunc(h.BlankHost.Addrs(), func(a multiaddr.Multiaddr) bool {
		_, err := a.ValueForProtocol(multiaddr.P_CIRCUIT)
		return err == nil
	})
}
