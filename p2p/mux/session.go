package mux

import (
	"context"
	"fmt"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
)

// YamuxID is the protocol id of the multiplexer.
const YamuxID = yamux.ID

// Yamux makes sessions on secured connections; the zero value has the defaults.
type Yamux struct {
	// MaxStreams bounds the streams a peer holds open on one connection.
	MaxStreams int
	// KeepAlive is the silence after which a ping is sent.
	KeepAlive time.Duration
	// WriteTimeout bounds one write on the connection.
	WriteTimeout time.Duration
}

var _ network.Multiplexer = (*Yamux)(nil)

// NewConn starts a session on c; Close on the result ends all its goroutines.
func (y *Yamux) NewConn(c net.Conn, isServer bool, scope network.PeerScope) (network.MuxedConn, error) {
	cfg := *y
	if cfg.MaxStreams <= 0 {
		cfg.MaxStreams = DefaultMaxStreams
	}
	if cfg.KeepAlive <= 0 {
		cfg.KeepAlive = DefaultKeepAlive
	}
	if cfg.WriteTimeout <= 0 {
		cfg.WriteTimeout = DefaultWriteTimeout
	}
	return newSession(cfg, c, isServer, scope), nil
}

// waiter is a connection whose reads can be interrupted between records.
type waiter interface {
	await() error
	interrupt()
	unpoke()
}

// session is one multiplexed connection.
type session struct {
	cfg    Yamux
	conn   net.Conn
	wait   waiter // nil: reads cannot be interrupted, the background pump reads
	server bool
	scope  network.PeerScope

	writing  sync.Mutex
	wbuf     []byte
	deadline time.Time

	pump pump

	mu       sync.Mutex
	streams  map[uint32]*stream
	nextID   uint64
	incoming int
	pending  []*stream // of the peer, not accepted yet; at most MaxStreams

	arrived chan struct{} // cap 1: there may be pending streams
	opening chan struct{} // one per stream not acknowledged by the peer
	control chan header
	heard   atomic.Bool

	dead    chan struct{}
	deadErr error // written before dead is closed
	once    sync.Once
}

func newSession(cfg Yamux, c net.Conn, server bool, scope network.PeerScope) *session {
	s := &session{
		cfg: cfg, conn: c, server: server, scope: scope,
		streams: make(map[uint32]*stream),
		nextID:  1,
		arrived: make(chan struct{}, 1),
		opening: make(chan struct{}, maxOpening),
		control: make(chan header, controlQueue),
		dead:    make(chan struct{}),
	}
	if server {
		s.nextID = 2
	}
	s.wait, _ = c.(waiter)
	s.pump.start(s)
	go s.controlLoop()
	return s
}

// As finds nothing: the session wraps no other.
func (s *session) As(any) bool { return false }

// IsClosed tells whether the connection is dead.
func (s *session) IsClosed() bool {
	select {
	case <-s.dead:
		return true
	default:
		return false
	}
}

// Close ends the connection without a farewell.
func (s *session) Close() error {
	s.kill(fmt.Errorf("%w: %w", network.ErrReset, ErrClosed))
	return nil
}

// CloseWithError tells the peer the code, if its socket takes it, and ends the
// connection.
func (s *session) CloseWithError(code network.ConnErrorCode) error {
	if code != goAwayNormal && !s.IsClosed() && s.writing.TryLock() {
		_ = s.conn.SetWriteDeadline(time.Now().Add(goAwayWait))
		_, _ = s.conn.Write(header{kind: typeGoAway, length: uint32(code)}.append(nil))
		s.writing.Unlock()
	}
	s.kill(&network.ConnError{ErrorCode: code, TransportError: ErrClosed})
	return nil
}

// kill ends the session once; the first cause wins. It never blocks on a write.
func (s *session) kill(cause error) {
	s.once.Do(func() {
		s.deadErr = cause
		close(s.dead)
		_ = s.conn.Close()
		s.pump.stop()
		s.mu.Lock()
		all := s.streams
		s.streams, s.pending = nil, nil
		s.mu.Unlock()
		for _, st := range all {
			st.abort(cause)
		}
	})
}

// OpenStream opens a stream. It waits while too many of ours are unanswered.
func (s *session) OpenStream(ctx context.Context) (network.MuxedStream, error) {
	select {
	case <-s.dead:
		return nil, s.deadErr
	case <-ctx.Done():
		return nil, ctx.Err()
	case s.opening <- struct{}{}:
	}
	st, err := s.register()
	if err != nil {
		<-s.opening
		return nil, err
	}
	if err := s.send(header{kind: typeWindow, flags: flagSYN, stream: st.id}, nil); err != nil {
		st.finish()
		return nil, err
	}
	return st, nil
}

// register adds a stream of ours to the table.
func (s *session) register() (*stream, error) {
	span, err := s.reserve()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams == nil {
		release(span)
		return nil, s.deadErr
	}
	if s.nextID > math.MaxUint32 {
		release(span)
		return nil, ErrExhausted
	}
	st := newStream(s, uint32(s.nextID), span)
	st.unacked = true
	s.nextID += 2
	s.streams[st.id] = st
	return st, nil
}

// AcceptStream waits for a stream of the peer and acknowledges it.
func (s *session) AcceptStream() (network.MuxedStream, error) {
	for {
		if st := s.nextPending(); st != nil {
			if err := s.send(header{kind: typeWindow, flags: flagACK, stream: st.id}, nil); err != nil {
				return nil, err
			}
			return st, nil
		}
		select {
		case <-s.dead:
			return nil, s.deadErr
		case <-s.arrived:
		}
	}
}

// nextPending takes the stream that waits longest, nil if there is none.
func (s *session) nextPending() *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) == 0 {
		return nil
	}
	st := s.pending[0]
	s.pending[0] = nil
	if s.pending = s.pending[1:]; len(s.pending) > 0 {
		signal(s.arrived) // for another who accepts
	}
	return st
}

// reserve accounts one stream's window with the resource manager.
func (s *session) reserve() (network.ResourceScopeSpan, error) {
	if s.scope == nil {
		return nil, nil
	}
	span, err := s.scope.BeginSpan()
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	if err := span.ReserveMemory(Window, network.ReservationPriorityAlways); err != nil {
		span.Done()
		return nil, fmt.Errorf("open stream: %w", err)
	}
	return span, nil
}

func release(span network.ResourceScopeSpan) {
	if span != nil {
		span.Done()
	}
}

// send writes one frame on the caller's goroutine, header and body in one
// write, so that it becomes one Noise record and one segment. Never called by
// whoever reads the connection.
func (s *session) send(h header, body []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.write(h, body)
}

// write is send with writing held.
func (s *session) write(h header, body []byte) error {
	if s.IsClosed() {
		return s.deadErr
	}
	now := time.Now()
	if s.deadline.Sub(now) < s.cfg.WriteTimeout/2 {
		s.deadline = now.Add(s.cfg.WriteTimeout)
		if err := s.conn.SetWriteDeadline(s.deadline); err != nil {
			return s.broken(err)
		}
	}
	s.wbuf = append(h.append(s.wbuf[:0]), body...)
	_, err := s.conn.Write(s.wbuf)
	if cap(s.wbuf) > keepBuffer {
		s.wbuf = nil
	}
	if err != nil {
		return s.broken(err)
	}
	return nil
}

// sendSoon writes a frame now if nobody else is writing, and leaves it to the
// control goroutine if somebody is, who may be stuck.
func (s *session) sendSoon(h header) {
	if s.writing.TryLock() {
		_ = s.write(h, nil)
		s.writing.Unlock()
		return
	}
	select {
	case s.control <- h:
	default:
		_ = s.send(h, nil)
	}
}

// broken ends the session after a network error and returns its cause.
func (s *session) broken(err error) error {
	s.kill(fmt.Errorf("%w: %w", network.ErrReset, err))
	return s.deadErr
}

// controlLoop writes what the reader of the connection must not wait for, and
// keeps the connection alive.
func (s *session) controlLoop() {
	tick := time.NewTicker(s.cfg.KeepAlive)
	defer tick.Stop()
	silent, id := 0, uint32(0)
	for {
		select {
		case <-s.dead:
			return
		case h := <-s.control:
			_ = s.send(h, nil)
		case <-tick.C:
			if s.heard.Swap(false) {
				silent = 0
				continue
			}
			if silent++; silent > 2 {
				_ = s.broken(ErrKeepAlive)
				return
			}
			id++
			_ = s.send(header{kind: typePing, flags: flagSYN, length: id}, nil)
		}
	}
}
