package host_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/multiformats/go-multiaddr"

	"github.com/hybridos-net/hybridos/p2p/host"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
)

const echo = "/test/echo/1"

func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func listen(t *testing.T, cfg host.Config) *host.Host {
	t.Helper()
	cfg.Key = p2ptest.Key(t)
	h, err := host.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func TestListen_TCPOnly(t *testing.T) {
	h := p2ptest.Full(t)
	if len(h.Addrs()) == 0 {
		t.Fatal("listens nowhere")
	}
	for _, a := range h.Addrs() {
		if !strings.HasPrefix(a.String(), "/ip4/127.0.0.1/tcp/") {
			t.Errorf("listens on %s", a)
		}
	}
	for _, p := range h.Mux().Protocols() {
		if strings.Contains(string(p), "kad") || strings.Contains(string(p), "hop") {
			t.Errorf("serves %s", p)
		}
	}
}

func TestListen_Refusals(t *testing.T) {
	if _, err := host.Listen(host.Config{}); err == nil {
		t.Error("no key, yet a host")
	}
	for _, cfg := range []host.Config{
		{Addrs: []string{"localhost:1"}}, {Announce: []string{"here"}}, {Addrs: []string{p2ptest.Full(t).Addrs()[0].String()}},
	} {
		cfg.Key = p2ptest.Key(t)
		if h, err := host.Listen(cfg); err == nil {
			_ = h.Close()
			t.Errorf("took %+v", cfg)
		}
	}
}

func TestListen_AnnounceAndDialOnly(t *testing.T) {
	h := listen(t, host.Config{Announce: []string{"/dns4/node.example/tcp/26"}})
	if a := h.Info().Addrs; len(a) != 1 || a[0].String() != "/dns4/node.example/tcp/26" {
		t.Errorf("announces %v", a)
	}
	if a := listen(t, host.Config{DialOnly: true}).Addrs(); len(a) != 0 {
		t.Errorf("dial only, yet listens on %v", a)
	}
}

// policy lets one peer be reached by one other.
type policy struct{ device, owner peer.ID }

func (p *policy) AllowReserve(x peer.ID) bool        { return x == p.device }
func (p *policy) AllowConnect(from, to peer.ID) bool { return from == p.owner && to == p.device }

// TestRelay: only whom the policy names is reached through the relay.
func TestRelay(t *testing.T) {
	device, owner, stranger := listen(t, host.Config{}), listen(t, host.Config{DialOnly: true}), listen(t, host.Config{DialOnly: true})
	relay := listen(t, host.Config{Relay: &policy{device.ID(), owner.ID()}})
	device.SetStreamHandler(echo, func(s network.Stream) {
		_, _ = io.Copy(s, s)
		_ = s.Close()
	})
	for _, h := range []*host.Host{device, owner, stranger} {
		p2ptest.Connect(t, h, relay)
	}
	if _, err := client.Reserve(patience(t), device, relay.Info()); err != nil {
		t.Fatalf("the device is refused: %v", err)
	}
	if _, err := client.Reserve(patience(t), stranger, relay.Info()); err == nil {
		t.Error("a stranger got a reservation")
	}
	way := relay.Addrs()[0].Encapsulate(multiaddr.StringCast("/p2p/" + relay.ID().String() + "/p2p-circuit"))
	to := peer.AddrInfo{ID: device.ID(), Addrs: []multiaddr.Multiaddr{way}}
	if err := stranger.Connect(patience(t), to); err == nil {
		t.Error("a stranger reached the device")
	}
	if err := owner.Connect(patience(t), to); err != nil {
		t.Fatalf("the owner is refused: %v", err)
	}
	s, err := owner.NewStream(network.WithAllowLimitedConn(patience(t), "test"), device.ID(), echo)
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
	if !s.Conn().Stat().Limited {
		t.Error("the relayed connection has no limits")
	}
}

// TestLimits_ConnsPerPeer: identities beyond the cap of connections are refused.
func TestLimits_Conns(t *testing.T) {
	h := listen(t, host.Config{Limits: host.Limits{Conns: 2}})
	good := 0
	for range 5 {
		x := p2ptest.Slim(t)
		if x.Connect(patience(t), h.Info()) != nil {
			continue
		}
		if s, err := x.NewStream(patience(t), h.ID(), "/ipfs/id/1.0.0"); err == nil {
			good++
			_ = s.Reset()
		}
	}
	if good == 0 || good > 2 {
		t.Fatalf("%d of 5 connections live, the cap is 2", good)
	}
}
