package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/p2p/frame"
	"github.com/hybridos-net/hybridos/p2p/internal/seat"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// Handler answers one command. It may be called from several goroutines at once
// and must answer every command, refusals included, within topic.MaxReceipt.
// ctx ends with the server, not with the stream: a sender that hangs up does
// not undo a command that was begun. An empty answer closes the stream.
type Handler func(ctx context.Context, from peer.ID, command []byte) []byte

// Config is what a Server needs; zero limits have the defaults.
type Config struct {
	Host    host.Host // required
	Handler Handler   // required
	// InFlight bounds the commands of one stream being handled at once.
	InFlight int
	// Streams and StreamsPerPeer bound the open command streams. When there are
	// too many, one that only waits makes room.
	Streams, StreamsPerPeer int
	// Idle closes a stream without requests.
	Idle time.Duration
	// Drain is how long a peer may leave its answers unread.
	Drain  time.Duration
	Logger *slog.Logger // nil discards
}

// Server is the device's end.
type Server struct {
	cfg   Config
	house *seat.House
	ready chan struct{}
}

// New checks the configuration; it starts nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Host == nil || cfg.Handler == nil {
		return nil, errors.New("command server: host and handler are required")
	}
	or := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	or(&cfg.InFlight, DefaultInFlight)
	or(&cfg.Streams, DefaultStreams)
	or(&cfg.StreamsPerPeer, DefaultStreamsPerPeer)
	if cfg.Idle <= 0 {
		cfg.Idle = DefaultIdle
	}
	if cfg.Drain <= 0 {
		cfg.Drain = DefaultDrain
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg, house: seat.New(cfg.Streams, cfg.StreamsPerPeer), ready: make(chan struct{})}, nil
}

// Run serves until ctx ends, then closes all streams and returns when every
// handler has returned. A server runs once.
func (s *Server) Run(ctx context.Context) error {
	s.cfg.Host.SetStreamHandler(topic.Command, func(st network.Stream) { s.serve(ctx, st) })
	close(s.ready)
	<-ctx.Done()
	s.cfg.Host.RemoveStreamHandler(topic.Command)
	s.house.Close()
	return nil
}

// Ready is closed when Run serves.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// End closes the streams of a peer whose right has ended. Its commands that were
// begun are carried out; what it sends on a new stream is judged as ever.
func (s *Server) End(from peer.ID) { s.house.End(from) }

// serve runs one stream to its end.
func (s *Server) serve(ctx context.Context, st network.Stream) {
	from := st.Conn().RemotePeer()
	place := s.house.Enter(st, from)
	if place == nil {
		return
	}
	defer place.Leave()
	c := &serving{
		server: s, stream: st, seat: place, from: from,
		in:      frame.NewReader(st, maxRequest),
		out:     frame.NewWriter(st, maxAnswer),
		slots:   make(chan struct{}, s.cfg.InFlight),
		readers: 1,
		over:    make(chan struct{}),
	}
	c.watch = time.AfterFunc(time.Hour, func() { c.takeOver(ctx) })
	c.watch.Stop() // until a command arms it
	c.read(ctx)
	<-c.over
	c.watch.Stop()
	if c.cause != nil {
		s.cfg.Logger.Debug("command stream closed", "peer", c.from, "cause", c.cause)
	}
}

// serving is one stream at the device. At any time one goroutine reads it: the
// reader handles the command itself, and hands reading over when that takes
// longer than a moment. So a quick answer costs no goroutine switch, and a slow
// one holds nobody up.
type serving struct {
	server *Server
	stream network.Stream
	seat   *seat.Seat
	from   peer.ID

	in     *frame.Reader // of the reading goroutine
	last   uint64
	readBy time.Time

	slots chan struct{}

	// turn is odd while the reader handles a command; whoever moves it to even
	// is the reader from then on. The watch looks at it every other moment
	// instead of once per command: a timer per command would wake a thread.
	turn  atomic.Uint64
	seen  atomic.Uint64
	armed atomic.Bool
	watch *time.Timer

	mu      sync.Mutex
	readers int           // goroutines in read
	over    chan struct{} // closed when there is none

	writing sync.Mutex
	out     *frame.Writer
	number  []byte
	drainBy time.Time

	ending sync.Once
	cause  error
}

// read serves requests until the stream ends or reading was handed over.
func (c *serving) read(ctx context.Context) {
	defer c.leave()
	for {
		n, body, err := c.next()
		if err != nil {
			c.end(err)
			return
		}
		c.slots <- struct{}{}
		turn := c.turn.Add(1)
		c.arm(turn)
		err = c.answer(ctx, n, body)
		<-c.slots
		if err != nil {
			c.end(err)
		}
		if !c.turn.CompareAndSwap(turn, turn+1) {
			return
		}
	}
}

// leave ends a goroutine's part in reading.
func (c *serving) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.readers--; c.readers == 0 {
		close(c.over)
	}
}

// arm makes the watch look again after a moment.
func (c *serving) arm(turn uint64) {
	if c.armed.CompareAndSwap(false, true) {
		c.seen.Store(turn)
		c.watch.Reset(handOver)
	}
}

// takeOver is the watch: it goes on reading when one command took longer than a
// moment.
func (c *serving) takeOver(ctx context.Context) {
	c.armed.Store(false)
	turn := c.turn.Load()
	if turn%2 == 0 {
		return // nothing is being handled; the next command arms the watch
	}
	if turn != c.seen.Load() {
		c.arm(turn)
		return
	}
	c.mu.Lock()
	mine := c.turn.CompareAndSwap(turn, turn+1)
	if mine {
		c.readers++ // the handling goroutine still counts, so over is not closed
	}
	c.mu.Unlock()
	if mine {
		c.read(ctx)
	}
}

// next reads one request. The idle deadline moves only when half of it passed:
// a timer per command would cost more than the rest of this function.
func (c *serving) next() (uint64, []byte, error) {
	if now := time.Now(); c.readBy.Sub(now) < c.server.cfg.Idle/2 {
		c.readBy = now.Add(c.server.cfg.Idle)
		_ = c.stream.SetReadDeadline(c.readBy)
	}
	f, err := c.in.Next()
	if err != nil {
		return 0, nil, err
	}
	n, body, err := split(f)
	if err != nil {
		return 0, nil, err
	}
	if len(body) > topic.MaxCommand {
		return 0, nil, frame.TooLarge
	}
	if n <= c.last {
		return 0, nil, fmt.Errorf("%w: %d after %d", BadNumber, n, c.last)
	}
	c.last = n
	return n, body, nil
}

// answer handles a command and writes its receipt.
func (c *serving) answer(ctx context.Context, n uint64, body []byte) error {
	c.seat.Busy()
	defer c.seat.Rest()
	receipt := c.server.cfg.Handler(ctx, c.from, body)
	if len(receipt) == 0 || len(receipt) > topic.MaxReceipt {
		return fmt.Errorf("handler answers %d bytes", len(receipt))
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if now := time.Now(); c.drainBy.Sub(now) < c.server.cfg.Drain/2 {
		c.drainBy = now.Add(c.server.cfg.Drain)
		_ = c.stream.SetWriteDeadline(c.drainBy)
	}
	c.number = appendNumber(c.number[:0], n)
	return c.out.Write(c.number, receipt)
}

// end closes the stream for good; the first cause is the one told. A reset and
// not a close, so that the peer's next write fails instead of vanishing.
func (c *serving) end(cause error) {
	c.ending.Do(func() {
		c.cause = cause
		_ = c.stream.ResetWithError(network.StreamProtocolViolation)
	})
}
