package presence

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/p2p/frame"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var chain = codec.ChainDigest{7}

// meshHost is either kind of host.
type meshHost interface {
	host.Host
	p2ptest.Host
}

// world is a node and what it has told.
type world struct {
	t      *testing.T
	host   meshHost
	server *Server
	events chan change
	stop   func()
	clock  atomic.Int64 // how far the node's clock is off
}

// newWorld starts a node that admits every device, if cfg does not say else.
func newWorld(t *testing.T, h meshHost, cfg Config) *world {
	t.Helper()
	w := &world{t: t, host: h, events: make(chan change, 64)}
	cfg.Host, cfg.Chain = h, chain
	if cfg.Admit == nil {
		cfg.Admit = func(context.Context, key.DeviceID) (bool, error) { return true, nil }
	}
	cfg.Now = func() time.Time { return time.Now().Add(time.Duration(w.clock.Load())) }
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.server = s
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s.Watch(t.Context(), func(d key.DeviceID, online bool) { w.events <- change{d, online} })
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	stopped := false
	w.stop = func() {
		if cancel(); !stopped {
			stopped = true
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(w.stop)
	return w
}

// want waits for the next thing that the node tells.
func (w *world) want(device *key.Private, online bool) {
	w.t.Helper()
	want := change{device.Public().DeviceID(), online}
	select {
	case got := <-w.events:
		if got != want {
			w.t.Fatalf("told %v, want %v", got, want)
		}
	case <-time.After(30 * time.Second):
		w.t.Fatalf("not told of %v", want)
	}
}

// quiet checks that nothing was told.
func (w *world) quiet() {
	w.t.Helper()
	select {
	case got := <-w.events:
		w.t.Fatalf("told %v", got)
	default:
	}
}

// announce announces over a connection.
func (w *world) announce(h meshHost, device *key.Private) error {
	return Announce(w.t.Context(), h, w.host.ID(), chain, device, time.Now())
}

func (w *world) mustAnnounce(h meshHost, device *key.Private) {
	w.t.Helper()
	if err := w.announce(h, device); err != nil {
		w.t.Fatal(err)
	}
}

// leave cuts the connection from the device's side.
func (w *world) leave(h meshHost) {
	w.t.Helper()
	if err := h.Network().ClosePeer(w.host.ID()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) at(device *key.Private) peer.ID {
	p, _ := w.server.Find(device.Public().DeviceID())
	return p
}

// A device is known from its statement until its connection ends, whichever
// kind of host is at which end.
func TestServer_ComesAndGoes(t *testing.T) {
	for name, c := range map[string]struct{ node, device meshHost }{
		"full node, slim device": {p2ptest.Full(t), p2ptest.Slim(t)},
		"slim node, full device": {p2ptest.Slim(t), p2ptest.Full(t)},
		"slim both":              {p2ptest.Slim(t), p2ptest.Slim(t)},
	} {
		t.Run(name, func(t *testing.T) {
			w, device := newWorld(t, c.node, Config{}), secret(t, "device")
			id := device.Public().DeviceID()
			for range 3 {
				p2ptest.Connect(t, c.device, c.node)
				if w.server.Online(id) {
					t.Fatal("online before it said so")
				}
				w.mustAnnounce(c.device, device)
				w.want(device, true)
				if !w.server.Online(id) || w.at(device) != c.device.ID() {
					t.Fatalf("found at %q", w.at(device))
				}
				w.mustAnnounce(c.device, device) // once more changes nothing
				w.quiet()
				w.leave(c.device)
				w.want(device, false)
				if w.server.Online(id) || w.at(device) != "" {
					t.Fatal("known after it left")
				}
			}
			p2ptest.Connect(t, c.device, c.node)
			w.mustAnnounce(c.device, device)
			w.want(device, true)
			w.stop()
			w.want(device, false)
			if w.server.Online(id) {
				t.Error("known when the server has ended")
			}
		})
	}
}

// The host spares devices when it has too many connections.
func TestServer_WorthMoreThanStrangers(t *testing.T) {
	w, h, stranger := newWorld(t, p2ptest.Full(t), Config{}), p2ptest.Slim(t), p2ptest.Slim(t)
	p2ptest.Connect(t, h, w.host)
	p2ptest.Connect(t, stranger, w.host)
	w.mustAnnounce(h, secret(t, "device"))
	worth := func(h meshHost) int {
		if info := w.host.ConnManager().GetTagInfo(h.ID()); info != nil {
			return info.Value
		}
		return 0 // a stranger of whom the node has not heard yet
	}
	if worth(h) < worth(stranger)+connWorth {
		t.Errorf("a device is worth %d, a stranger %d", worth(h), worth(stranger))
	}
}

// The newest connection of a device counts; the end of an older one means
// nothing.
func TestServer_NewestWins(t *testing.T) {
	w, device := newWorld(t, p2ptest.Full(t), Config{}), secret(t, "device")
	first, second := p2ptest.Slim(t), p2ptest.Slim(t)
	for _, h := range []meshHost{first, second} {
		p2ptest.Connect(t, h, w.host)
		w.mustAnnounce(h, device)
		if w.at(device) != h.ID() {
			t.Errorf("found at %q, want %q", w.at(device), h.ID())
		}
	}
	w.want(device, true)
	gone := make(chan struct{})
	once := sync.OnceFunc(func() { close(gone) })
	w.host.Network().Notify(&network.NotifyBundle{DisconnectedF: func(network.Network, network.Conn) { once() }})
	w.leave(first)
	<-gone
	if w.at(device) != second.ID() {
		t.Error("the end of the older connection took the device away")
	}
	w.quiet()
}

// A peer is one device: a second one takes its place.
func TestServer_OneDevicePerPeer(t *testing.T) {
	w, h := newWorld(t, p2ptest.Full(t), Config{Most: 1}), p2ptest.Slim(t)
	first, second := secret(t, "first"), secret(t, "second")
	p2ptest.Connect(t, h, w.host)
	w.mustAnnounce(h, first)
	w.want(first, true)
	w.mustAnnounce(h, second) // also when the node is full
	w.want(first, false)
	w.want(second, true)
	w.leave(h)
	w.want(second, false)
}

func TestServer_Full(t *testing.T) {
	w := newWorld(t, p2ptest.Full(t), Config{Most: 1})
	a, b, first, second := p2ptest.Slim(t), p2ptest.Slim(t), secret(t, "first"), secret(t, "second")
	p2ptest.Connect(t, a, w.host)
	p2ptest.Connect(t, b, w.host)
	w.mustAnnounce(a, first)
	w.want(first, true)
	if err := w.announce(b, second); !errors.Is(err, Full) {
		t.Errorf("over the cap: %v", err)
	}
	w.mustAnnounce(b, first) // a known device may move
	w.quiet()
	w.leave(b)
	w.want(first, false)
	w.mustAnnounce(a, second)
	w.want(second, true)
}

// say sends bytes as a statement and gives the node's answer.
func (w *world) say(h meshHost, raw []byte) error {
	w.t.Helper()
	st, err := h.NewStream(w.t.Context(), w.host.ID(), topic.Presence)
	if err != nil {
		w.t.Fatal(err)
	}
	defer st.Reset()
	_ = st.SetDeadline(time.Now().Add(30 * time.Second))
	if err := frame.NewWriter(st, 1<<20).Write(raw); err != nil {
		return err
	}
	answer, err := frame.NewReader(st, maxAnswer).Next()
	if err != nil {
		return err
	}
	return readAnswer(answer)
}

func TestServer_Refusals(t *testing.T) {
	unknown, open := secret(t, "unknown"), secret(t, "not to be told")
	broken := errors.New("disk")
	w := newWorld(t, p2ptest.Full(t), Config{Admit: func(_ context.Context, id key.DeviceID) (bool, error) {
		if id == open.Public().DeviceID() {
			return false, broken
		}
		return id != unknown.Public().DeviceID(), nil
	}})
	device, now := secret(t, "device"), time.Now()
	other := p2ptest.Slim(t).ID()
	for name, c := range map[string]struct {
		make func(self peer.ID) []byte
		want error
	}{
		"other node": {func(self peer.ID) []byte { return Sign(chain, device, self, other, now).Bytes() }, WrongNode},
		"other peer": {func(peer.ID) []byte { return Sign(chain, device, other, w.host.ID(), now).Bytes() }, WrongPeer},
		"old": {func(self peer.ID) []byte {
			return Sign(chain, device, self, w.host.ID(), now.Add(-MaxSkew-time.Second)).Bytes()
		}, TooOld},
		"future": {func(self peer.ID) []byte {
			return Sign(chain, device, self, w.host.ID(), now.Add(MaxSkew+time.Minute)).Bytes()
		}, TooNew},
		"other ledger": {func(self peer.ID) []byte {
			return Sign(codec.ChainDigest{8}, device, self, w.host.ID(), now).Bytes()
		}, BadSignature},
		"forged": {func(self peer.ID) []byte {
			s := Sign(chain, device, self, w.host.ID(), now)
			s.Sig = Sign(chain, unknown, self, w.host.ID(), now).Sig
			return s.Bytes()
		}, BadSignature},
		"unknown device": {func(self peer.ID) []byte { return Sign(chain, unknown, self, w.host.ID(), now).Bytes() }, UnknownDevice},
		"ledger silent":  {func(self peer.ID) []byte { return Sign(chain, open, self, w.host.ID(), now).Bytes() }, Unavailable},
		"garbage":        {func(peer.ID) []byte { return []byte("garbage") }, BadStatement},
		"not canonical": {func(self peer.ID) []byte {
			raw := Sign(chain, device, self, w.host.ID(), now).Bytes()
			return append([]byte{0xb8, 2}, raw[1:]...)
		}, BadStatement},
		"oversized": {func(peer.ID) []byte { return make([]byte, MaxStatement+1) }, network.ErrReset},
		"huge":      {func(peer.ID) []byte { return make([]byte, 1<<17) }, network.ErrReset},
	} {
		t.Run(name, func(t *testing.T) {
			h := p2ptest.Slim(t)
			p2ptest.Connect(t, h, w.host)
			if err := w.say(h, c.make(h.ID())); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			w.quiet()
			w.mustAnnounce(h, device) // the connection is still good
			w.want(device, true)
			w.leave(h)
			w.want(device, false)
		})
	}
}

// A peer that goes on and on is refused unread, and gets its share again.
func TestServer_RateLimited(t *testing.T) {
	asked := 0
	w := newWorld(t, p2ptest.Full(t), Config{Admit: func(context.Context, key.DeviceID) (bool, error) { asked++; return true, nil }})
	h, device := p2ptest.Slim(t), secret(t, "device")
	other, second := p2ptest.Slim(t), secret(t, "second")
	p2ptest.Connect(t, h, w.host)
	p2ptest.Connect(t, other, w.host)
	for i := 0; ; i++ {
		err := w.announce(h, device)
		if errors.Is(err, RateLimited) {
			break
		}
		if err != nil || i > 1000 {
			t.Fatalf("statement %d: %v", i, err)
		}
	}
	if asked < burst {
		t.Errorf("%d statements taken, want %d", asked, burst)
	}
	w.mustAnnounce(other, second) // nobody else pays for it
	w.clock.Add(int64(refill))
	w.mustAnnounce(h, device)
}

// Whoever leaves while the ledger is asked is not known afterwards.
func TestServer_LeavesMeanwhile(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	w := newWorld(t, p2ptest.Full(t), Config{Admit: func(context.Context, key.DeviceID) (bool, error) {
		asked <- struct{}{}
		<-release
		return true, nil
	}})
	gone := make(chan struct{})
	once := sync.OnceFunc(func() { close(gone) })
	w.host.Network().Notify(&network.NotifyBundle{DisconnectedF: func(network.Network, network.Conn) { once() }})
	h, device := p2ptest.Slim(t), secret(t, "device")
	p2ptest.Connect(t, h, w.host)
	failed := make(chan error, 1)
	go func() { failed <- w.announce(h, device) }()
	<-asked
	w.leave(h)
	<-gone
	close(release)
	if err := <-failed; err == nil {
		t.Error("announced over a dead connection")
	}
	w.stop() // every conversation is over
	for {
		select {
		case c := <-w.events:
			if c.online {
				if c = <-w.events; c.online {
					t.Error("stays known")
				}
			}
			continue
		default:
		}
		break
	}
	if len(w.server.devices)+len(w.server.peers)+len(w.server.meters) != 0 {
		t.Error("something is left of it")
	}
}

// The device never dials for it: a node that it is not connected to is not told.
func TestAnnounce_NoDial(t *testing.T) {
	w, h, device := newWorld(t, p2ptest.Full(t), Config{}), p2ptest.Slim(t), secret(t, "device")
	h.Peerstore().AddAddrs(w.host.ID(), w.host.Addrs(), time.Hour)
	if err := w.announce(h, device); !errors.Is(err, network.ErrNoConn) {
		t.Errorf("not connected: %v", err)
	}
	if len(h.Network().Conns()) > 0 {
		t.Error("dialled")
	}
	w.quiet()
}

// A node that does not answer, or answers nonsense, holds the device up for a
// bounded time and is told as an error.
func TestAnnounce_BadNode(t *testing.T) {
	node, h, device := p2ptest.Full(t), p2ptest.Slim(t), secret(t, "device")
	p2ptest.Connect(t, h, node)
	node.SetStreamHandler(topic.Presence, func(st network.Stream) {
		_ = frame.NewWriter(st, 64).Write([]byte("of course"))
		_ = st.Close()
	})
	if err := Announce(t.Context(), h, node.ID(), chain, device, time.Now()); err == nil {
		t.Error("nonsense is taken for yes")
	}
	heard := make(chan struct{})
	node.SetStreamHandler(topic.Presence, func(st network.Stream) {
		close(heard)
		_, _ = io.Copy(io.Discard, st)
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Announce(ctx, h, node.ID(), chain, device, time.Now()) }()
	<-heard
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cut off: %v", err)
	}
}

func TestNew_Refusals(t *testing.T) {
	if _, err := New(Config{Host: p2ptest.Slim(t)}); err == nil {
		t.Error("without admit")
	}
	if _, err := New(Config{Admit: func(context.Context, key.DeviceID) (bool, error) { return true, nil }}); err == nil {
		t.Error("without host")
	}
}
