package slim_test

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/multiformats/go-multiaddr"

	"github.com/hybridos-net/hybridos/p2p/host"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/slim"
)

// guest lets one peer be reached, as long as it is set.
type guest struct{ atomic.Pointer[peer.ID] }

func (g *guest) AllowReserve(p peer.ID) bool     { id := g.Load(); return id != nil && *id == p }
func (g *guest) AllowConnect(_, to peer.ID) bool { return g.AllowReserve(to) }

// TestReserve: a host without a port is reached through the relay that it asked,
// and through no other; a relay that does not take it says so.
func TestReserve(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	device, err := slim.Listen(slim.Config{Key: p2ptest.Key(t), DialOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = device.Close() })
	if len(device.Addrs()) != 0 {
		t.Errorf("tells addresses: %v", device.Addrs())
	}
	serveEcho(device)
	policy := new(guest)
	relay, err := host.Listen(host.Config{Key: p2ptest.Key(t), Relay: policy})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = relay.Close() })
	if _, err := device.Reserve(ctx, relay.ID()); err == nil {
		t.Error("a relay that is not connected took it")
	}
	p2ptest.Connect(t, device, relay)
	if _, err := device.Reserve(ctx, relay.ID()); err == nil {
		t.Error("a relay that does not know it took it")
	}
	id := device.ID()
	policy.Store(&id)
	switch until, err := device.Reserve(ctx, relay.ID()); {
	case err != nil:
		t.Fatal(err)
	case until.Before(time.Now()):
		t.Errorf("reserved until %v", until)
	}

	way := relay.Addrs()[0].Encapsulate(multiaddr.StringCast("/p2p/" + relay.ID().String() + "/p2p-circuit"))
	owner := p2ptest.Full(t)
	octx := network.WithAllowLimitedConn(ctx, "test")
	if err := owner.Connect(octx, peer.AddrInfo{ID: id, Addrs: []multiaddr.Multiaddr{way}}); err != nil {
		t.Fatal(err)
	}
	s, err := owner.NewStream(octx, id, echo)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Write([]byte("open")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(s, got); err != nil || string(got) != "open" {
		t.Fatalf("%q, %v", got, err)
	}
	// The key that Noise has proven is the device's, not the relay's.
	if c := s.Conn(); !c.Stat().Limited || !id.MatchesPublicKey(c.RemotePublicKey()) {
		t.Errorf("limited %v, key of the device %v", c.Stat().Limited, id.MatchesPublicKey(c.RemotePublicKey()))
	}

	// Someone who is connected, but was not asked, brings nobody.
	p2ptest.Connect(t, device, owner)
	stop, err := owner.NewStream(octx, id, proto.ProtoIDv2Stop)
	if err != nil {
		return // refused at once
	}
	if _, err := stop.Read(make([]byte, 1)); err == nil {
		t.Error("a peer that is no relay of the device was heard as one")
	}
}
