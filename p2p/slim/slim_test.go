package slim_test

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/slim"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Package-wide workers of libraries, not ours to stop.
		goleak.IgnoreTopFunction("github.com/libp2p/go-libp2p/p2p/host/resource-manager.(*resourceManager).background"),
	)
}

const echo = "/test/echo/1"

func serveEcho(h *slim.Host) {
	h.SetStreamHandler(echo, func(s network.Stream) {
		_, _ = io.Copy(s, s)
		_ = s.Close()
	})
}

// TestDeps: the reason for this package. One wrong import costs ten megabytes.
func TestDeps(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".", "../mesh", "../link").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 100 {
		t.Fatalf("only %d packages listed", len(deps))
	}
	for _, d := range deps {
		if d == "github.com/libp2p/go-libp2p" {
			t.Errorf("pulls in the root package %s", d)
		}
		for _, bad := range []string{"github.com/pion/", "quic-go", "webtransport", "go.uber.org/fx", "go.uber.org/dig", "cometbft"} {
			if strings.Contains(d, bad) {
				t.Errorf("pulls in %s", d)
			}
		}
	}
}

func TestListen_Echo(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b func() p2ptest.Host
	}{
		{"slim to slim", func() p2ptest.Host { return p2ptest.Slim(t) }, func() p2ptest.Host { return p2ptest.Slim(t) }},
		{"full to slim", func() p2ptest.Host { return p2ptest.Full(t) }, func() p2ptest.Host { return p2ptest.Slim(t) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := c.a(), c.b().(*slim.Host)
			serveEcho(b)
			p2ptest.Connect(t, a, b)
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			s, err := a.(p2ptest.Opener).NewStream(ctx, b.ID(), echo)
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
		})
	}
}

func TestListen_Refusals(t *testing.T) {
	if _, err := slim.Listen(slim.Config{}); err == nil {
		t.Error("no key, yet a host")
	}
	if _, err := slim.Listen(slim.Config{Key: p2ptest.Key(t), Addrs: []string{"127.0.0.1:80"}}); err == nil {
		t.Error("took an address that is no multiaddress")
	}
	busy := p2ptest.Slim(t)
	if _, err := slim.Listen(slim.Config{Key: p2ptest.Key(t), Addrs: []string{busy.Addrs()[0].String()}}); err == nil {
		t.Error("took a used port")
	}
	h, err := slim.Listen(slim.Config{Key: p2ptest.Key(t), DialOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if len(h.Addrs()) != 0 {
		t.Errorf("dial only, yet listens on %v", h.Addrs())
	}
}

// TestIdentify_Fresh: what is registered right after Listen is told to peers,
// and so are the addresses. Gossip depends on it.
func TestIdentify_Fresh(t *testing.T) {
	for range 20 {
		a, b := p2ptest.Slim(t), p2ptest.Slim(t)
		b.SetStreamHandler(echo, func(s network.Stream) { _ = s.Reset() })
		known, err := a.EventBus().Subscribe([]any{new(event.EvtPeerIdentificationCompleted), new(event.EvtPeerProtocolsUpdated)})
		if err != nil {
			t.Fatal(err)
		}
		p2ptest.Connect(t, a, b)
		for told := false; !told; {
			select {
			case <-known.Out():
				speaks, err := a.Peerstore().SupportsProtocols(b.ID(), echo)
				told = err == nil && len(speaks) == 1
			case <-time.After(10 * time.Second):
				t.Fatal("the peer never learned what we speak")
			}
		}
		_ = known.Close()
		_ = a.Close()
		_ = b.Close()
	}
}

// TestNewStream_NoProtocol: a peer that does not speak it says so at once.
func TestNewStream_NoProtocol(t *testing.T) {
	a, b := p2ptest.Pair(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := a.NewStream(ctx, b.ID(), "/nobody/speaks/this"); err == nil || ctx.Err() != nil {
		t.Fatalf("got %v", err)
	}
}

// TestNewStream_Mute: ctx ends the wait for a peer that never agrees.
func TestNewStream_Mute(t *testing.T) {
	a, b := p2ptest.Pair(t)
	mute := make(chan struct{})
	b.Network().SetStreamHandler(func(s network.Stream) {
		<-mute
		_ = s.Reset()
	})
	defer close(mute)
	ctx, cancel := context.WithCancel(context.Background())
	var once sync.Once
	time.AfterFunc(20*time.Millisecond, func() { once.Do(cancel) })
	_, err := a.NewStream(ctx, b.ID(), echo)
	if !errors.Is(err, context.Canceled) && !errors.Is(err, network.ErrReset) {
		t.Fatalf("got %v", err)
	}
}

// TestLimits_StreamsPerPeer: a peer cannot hold more streams than its share.
func TestLimits_StreamsPerPeer(t *testing.T) {
	b, err := slim.Listen(slim.Config{Key: p2ptest.Key(t), Limits: slim.Limits{StreamsPerPeer: 6}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	serveEcho(b)
	a := p2ptest.Slim(t)
	p2ptest.Connect(t, a, b)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var failed error
	for i := 0; i < 10 && failed == nil; i++ {
		s, err := a.NewStream(ctx, b.ID(), echo)
		if err != nil {
			failed = err
			break
		}
		if _, err := s.Write([]byte{1}); err != nil {
			failed = err
			break
		}
		_, failed = io.ReadFull(s, make([]byte, 1))
	}
	if failed == nil || ctx.Err() != nil {
		t.Fatalf("ten streams of at most six: %v", failed)
	}
}

// TestLimits_Conns: whoever fills the host with connections keeps neither the
// next one out, nor a peer that somebody vouches for, nor the host from
// connecting to others; and there are never more than the cap.
func TestLimits_Conns(t *testing.T) {
	b, err := slim.Listen(slim.Config{Key: p2ptest.Key(t), Limits: slim.Limits{Conns: 6}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	serveEcho(b)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	talk := func(a *slim.Host) error {
		s, err := a.NewStream(ctx, b.ID(), echo)
		if err != nil {
			return err
		}
		if _, err := s.Write([]byte{1}); err != nil {
			return err
		}
		_, err = io.ReadFull(s, make([]byte, 1))
		return err
	}
	var owner *slim.Host
	for i := range 20 {
		a := p2ptest.Slim(t)
		p2ptest.Connect(t, a, b)
		if err := talk(a); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		if i == 0 {
			owner = a
			b.Keep(a.ID())
		}
		if n := len(b.Network().Conns()); n > 6 {
			t.Fatalf("%d connections", n)
		}
	}
	if len(owner.Network().ConnsToPeer(b.ID())) != 1 || talk(owner) != nil {
		t.Error("the peer that was vouched for has lost its connection")
	}
	p2ptest.Connect(t, b, p2ptest.Slim(t))
}
