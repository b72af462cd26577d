package presence

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/p2p/frame"
	"github.com/hybridos-net/hybridos/p2p/internal/seat"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// Config is what a Server needs.
type Config struct {
	Host  host.Host         // required
	Chain codec.ChainDigest // of the node's ledger
	// Admit tells whether the ledger knows the device; required. An error means
	// that it cannot be told now. It is asked after the signature was checked.
	Admit func(ctx context.Context, device key.DeviceID) (bool, error)
	// Most bounds the devices known at once; 0: DefaultMost.
	Most   int
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil discards
}

// Server knows which devices are connected to a node.
type Server struct {
	cfg   Config
	house *seat.House
	ready chan struct{}
	bound *network.NotifyBundle

	telling sync.Mutex // held around each change and the calls that tell of it

	mu      sync.Mutex
	closed  bool
	devices map[key.DeviceID]network.Conn
	peers   map[peer.ID]key.DeviceID
	meters  map[network.Conn]*meter
	watches map[*watch]struct{}
}

// watch is one listener to changes.
type watch struct {
	f func(key.DeviceID, bool)
}

// meter counts the statements of one connection.
type meter struct {
	spent int
	at    time.Time
}

// New checks the configuration; it starts nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Host == nil || cfg.Admit == nil {
		return nil, errors.New("presence server: host and admit are required")
	}
	if cfg.Most <= 0 {
		cfg.Most = DefaultMost
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg: cfg, house: seat.New(maxStreams, maxStreamsPerPeer), ready: make(chan struct{}),
		devices: map[key.DeviceID]network.Conn{}, peers: map[peer.ID]key.DeviceID{},
		meters: map[network.Conn]*meter{}, watches: map[*watch]struct{}{},
	}
	s.bound = &network.NotifyBundle{DisconnectedF: func(_ network.Network, c network.Conn) { s.gone(c) }}
	return s, nil
}

// Run takes statements until ctx ends; then no device is known any more. A
// server runs once.
func (s *Server) Run(ctx context.Context) error {
	s.cfg.Host.Network().Notify(s.bound)
	s.cfg.Host.SetStreamHandler(topic.Presence, func(st network.Stream) { s.serve(ctx, st) })
	close(s.ready)
	<-ctx.Done()
	s.cfg.Host.RemoveStreamHandler(topic.Presence)
	s.house.Close()
	s.cfg.Host.Network().StopNotify(s.bound)
	s.end()
	return nil
}

// Ready is closed when Run serves.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Find gives the peer that the device is.
func (s *Server) Find(device key.DeviceID) (peer.ID, bool) {
	c, ok := s.Conn(device)
	if !ok {
		return "", false
	}
	return c.RemotePeer(), true
}

// Conn gives the connection over which the device said last that it is here.
func (s *Server) Conn(device key.DeviceID) (network.Conn, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.devices[device]
	return c, ok
}

// Present tells whether the peer has proven to be a device that is here.
func (s *Server) Present(p peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.peers[p]
	return ok
}

// Online tells whether the device is connected.
func (s *Server) Online(device key.DeviceID) bool {
	_, ok := s.Conn(device)
	return ok
}

// Watch returns at once; f is then called on each change, in order and one at a
// time, until ctx ends. f must not block. A change of connection of a device
// that stays is none.
func (s *Server) Watch(ctx context.Context, f func(device key.DeviceID, online bool)) {
	w := &watch{f: func(d key.DeviceID, online bool) {
		if ctx.Err() == nil {
			f(d, online)
		}
	}}
	s.mu.Lock()
	s.watches[w] = struct{}{}
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		delete(s.watches, w)
		s.mu.Unlock()
	})
}

// serve judges the statement of one stream.
func (s *Server) serve(ctx context.Context, st network.Stream) {
	place := s.house.Enter(st, st.Conn().RemotePeer())
	if place == nil {
		return
	}
	defer place.Leave()
	_ = st.SetDeadline(time.Now().Add(talk))
	raw, err := frame.NewReader(st, MaxStatement).Next()
	if err == nil {
		place.Busy()
		defer place.Rest()
		taken := s.take(ctx, st.Conn(), raw)
		if taken != nil {
			s.cfg.Logger.Debug("device not taken", "peer", st.Conn().RemotePeer(), "error", taken)
		}
		var told answer
		var refusal *Error
		if errors.As(taken, &refusal) {
			told.Refused = refusal.Kind.number()
		}
		err = frame.NewWriter(st, maxAnswer).Write(codec.MustMarshal(told))
	}
	if err != nil {
		_ = st.Reset()
		return
	}
	_ = st.Close()
}

// take checks a statement, cheap things first, and notes the device. Every error
// is an *Error.
func (s *Server) take(ctx context.Context, c network.Conn, raw []byte) error {
	now := s.cfg.Now()
	if !s.allow(c, now) {
		return refuse(RateLimited, "too many statements")
	}
	st, err := Decode(raw)
	if err != nil {
		return err
	}
	if err := st.Verify(s.cfg.Chain, c.RemotePeer(), s.cfg.Host.ID(), now); err != nil {
		return err
	}
	id := st.Body.Device.DeviceID()
	ctx, cancel := context.WithTimeout(ctx, talk)
	defer cancel()
	known, err := s.cfg.Admit(ctx, id)
	switch {
	case err != nil:
		return &Error{Kind: Unavailable, Detail: err.Error(), Cause: err}
	case !known:
		return refuse(UnknownDevice, "the ledger has no device %s", id)
	}
	if err := s.note(id, c); err != nil {
		return err
	}
	// Strangers who open connections until some have to be closed do not cut off
	// the devices. The host forgets it with the peer's last connection.
	s.cfg.Host.ConnManager().TagPeer(c.RemotePeer(), connTag, connWorth)
	// Who left while we looked was told of before it was noted.
	if c.IsClosed() {
		s.gone(c)
	}
	return nil
}

// allow takes one of the connection's tokens.
func (s *Server) allow(c network.Conn, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.meters[c]
	if m == nil {
		if c.IsClosed() { // nobody would forget it
			return false
		}
		m = &meter{at: now}
		s.meters[c] = m
	}
	if n := int(now.Sub(m.at) / refill); n > 0 {
		m.spent, m.at = max(m.spent-n, 0), m.at.Add(time.Duration(n)*refill)
	}
	if m.spent >= burst {
		return false
	}
	m.spent++
	return true
}

// change is a device that came or went.
type change struct {
	device key.DeviceID
	online bool
}

// update makes a change and tells of it.
func (s *Server) update(f func() ([]change, error)) error {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.mu.Lock()
	changes, err := f()
	told := make([]*watch, 0, len(s.watches))
	for w := range s.watches {
		told = append(told, w)
	}
	s.mu.Unlock()
	for _, c := range changes {
		for _, w := range told {
			w.f(c.device, c.online)
		}
	}
	return err
}

// note enters a device: the newest connection of a device counts, and a peer is
// one device.
func (s *Server) note(id key.DeviceID, c network.Conn) error {
	return s.update(func() ([]change, error) {
		old, known := s.devices[id]
		before, other := s.peers[c.RemotePeer()]
		other = other && before != id
		switch {
		case s.closed:
			return nil, refuse(Unavailable, "the node stops")
		case !known && !other && len(s.devices) >= s.cfg.Most:
			return nil, refuse(Full, "%d devices", len(s.devices))
		}
		var changes []change
		if other {
			s.drop(before)
			changes = append(changes, change{before, false})
		}
		if known {
			delete(s.peers, old.RemotePeer())
		} else {
			changes = append(changes, change{id, true})
		}
		s.devices[id], s.peers[c.RemotePeer()] = c, id
		return changes, nil
	})
}

// drop forgets a device. The caller holds mu.
func (s *Server) drop(id key.DeviceID) {
	delete(s.peers, s.devices[id].RemotePeer())
	delete(s.devices, id)
}

// gone forgets what hung on a connection.
func (s *Server) gone(c network.Conn) {
	_ = s.update(func() ([]change, error) {
		delete(s.meters, c)
		id, ok := s.peers[c.RemotePeer()]
		if !ok || s.devices[id] != c {
			return nil, nil
		}
		s.drop(id)
		return []change{{id, false}}, nil
	})
}

// end forgets everything.
func (s *Server) end() {
	_ = s.update(func() ([]change, error) {
		s.closed = true
		var changes []change
		for id := range s.devices {
			changes = append(changes, change{id, false})
			s.drop(id)
		}
		clear(s.meters)
		return changes, nil
	})
}
