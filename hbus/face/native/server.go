//go:build linux

package native

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/hbus/broker"
	"github.com/hybridos-net/hybridos/hbus/internal/cred"
	"github.com/hybridos-net/hybridos/hbus/internal/wire"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

const (
	// DefaultHandshake is how long a peer may take for its auth.
	DefaultHandshake = 5 * time.Second
	// maxBatch bounds how many messages of one peer are carried out before
	// what they cause is sent.
	maxBatch = 64
	// acceptPause is the pause when the process is out of file descriptors.
	acceptPause = 50 * time.Millisecond
)

// Config sets up a Server.
type Config struct {
	Broker   *broker.Broker // needed
	Listener *Listener      // needed; Run closes it
	// Handshake is how long a peer may take for its auth; 0 means
	// DefaultHandshake.
	Handshake time.Duration
	// Logger gets trouble with the socket; nil discards.
	Logger *slog.Logger
}

// Server serves one socket.
type Server struct {
	cfg Config

	mu    sync.Mutex
	conns map[*wire.Conn]struct{}
	down  bool
	wg    sync.WaitGroup
}

// New makes a server; it starts nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Broker == nil || cfg.Listener == nil {
		return nil, errors.New("native face needs a broker and a listener")
	}
	if cfg.Handshake == 0 {
		cfg.Handshake = DefaultHandshake
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg, conns: map[*wire.Conn]struct{}{}}, nil
}

// Run serves until ctx ends, then disconnects everybody and returns nil. Any
// other end is an error.
func (s *Server) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.cfg.Listener.UnixListener.Close() })
	err := s.accept(ctx)
	stop()
	s.mu.Lock()
	s.down = true
	for c := range s.conns {
		c.Close(nil)
	}
	s.mu.Unlock()
	s.wg.Wait()
	s.cfg.Listener.Close()
	return err
}

func (s *Server) accept(ctx context.Context) error {
	for {
		c, err := s.cfg.Listener.AcceptUnix()
		switch {
		case err == nil:
			s.wg.Add(1)
			go func() {
				defer s.wg.Done()
				s.serve(c)
			}()
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept: %w", err)
		default:
			s.cfg.Logger.Error("accept", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
		}
	}
}

// add registers a connection for shutdown; false if that has begun.
func (s *Server) add(c *wire.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.down {
		s.conns[c] = struct{}{}
	}
	return !s.down
}

func (s *Server) serve(uc *net.UnixConn) {
	who, err := cred.Of(uc)
	if err != nil {
		s.cfg.Logger.Error("peer turned away", "err", err)
		uc.Close()
		return
	}
	c, err := wire.New(uc)
	if err != nil {
		s.cfg.Logger.Error("peer turned away", "err", err)
		uc.Close()
		return
	}
	defer c.Wait()
	defer c.Close(nil)
	if !s.add(c) {
		return
	}
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	p := peer{c}
	sess, err := s.cfg.Broker.Attach(p, msg.Identity{UID: who.UID, GID: who.GID, PID: who.PID})
	if err != nil {
		if e, ok := errors.AsType[*msg.Error](err); ok {
			c.Queue(e, wire.Control)
			c.Flush()
		}
		s.cfg.Logger.Warn("peer turned away", "uid", who.UID, "pid", who.PID, "err", err)
		return
	}
	p.Flush()
	s.session(c, sess)
}

// session reads one peer until it ends or is refused.
func (s *Server) session(c *wire.Conn, sess *broker.Session) {
	var t broker.Batch
	var dec msg.Decoder
	c.SetReadDeadline(time.Now().Add(s.cfg.Handshake))
	for n := 1; ; n++ {
		was := sess.Authed()
		if refusal, end := step(c, &dec, sess, &t); end {
			if refusal != nil {
				sess.Refuse(refusal, &t)
			}
			break
		}
		if !was {
			c.SetReadDeadline(time.Time{})
		}
		if n >= maxBatch || !c.Ready() {
			t.Flush()
			n = 0
		}
	}
	t.Flush()
	sess.Detach(&t)
	t.Flush()
}

// step reads and carries out one message. The refusal is nil when the peer just
// went away.
func step(c *wire.Conn, dec *msg.Decoder, sess *broker.Session, t *broker.Batch) (*msg.Error, bool) {
	body, err := c.Next()
	if err == nil {
		var m msg.Message
		if m, err = dec.Decode(body); err == nil {
			refusal := sess.Handle(m, t)
			return refusal, refusal != nil
		}
	}
	if e, ok := errors.AsType[*msg.Error](err); ok {
		return e, true
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if sess.Authed() {
			return msg.Refuse(msg.Malformed, "the frame did not end in time"), true
		}
		return msg.Refuse(msg.NotAuthenticated, "auth did not come in time"), true
	}
	return nil, true
}

// peer lets the broker queue into a connection.
type peer struct{ *wire.Conn }

var _ broker.Peer = peer{}

// Queue implements broker.Peer.
func (p peer) Queue(m msg.Message, class broker.Class) bool {
	return p.Conn.Queue(m, classes[class])
}

var classes = [...]wire.Class{
	broker.Reply: wire.Reply, broker.Request: wire.Request,
	broker.Event: wire.Event, broker.Control: wire.Control,
}
