package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/hybridos-net/hybridos/p2p/frame"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// Link is the sender's end: a stream to one device that is dialled again on the
// next Send after a loss. Safe for concurrent use; Sends are pipelined.
type Link struct {
	host host.Host
	peer peer.ID

	dialing chan struct{} // cap 1, held while dialling

	mu     sync.Mutex
	addrs  []multiaddr.Multiaddr // replaced, never changed
	cur    *calls
	closed bool
	pause  time.Duration // after the last failed dial
	retry  time.Time     // not before
}

// Dial connects to the device at once, so that a wrong address shows early.
func Dial(ctx context.Context, h host.Host, to peer.AddrInfo) (*Link, error) {
	l := &Link{host: h, peer: to.ID, addrs: to.Addrs, dialing: make(chan struct{}, 1)}
	if _, err := l.connect(ctx); err != nil {
		return nil, err
	}
	return l, nil
}

// Found tells where the device was found lately, for when the stream is lost: it
// may have moved. The host's own memory of addresses will not do, since identify
// replaces what stands there by what the device said of itself, perhaps before.
func (l *Link) Found(addrs []multiaddr.Multiaddr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.addrs = addrs
}

// Send sends one signed command and waits for its receipt. On error it wraps
// ErrNotSent, ErrNoAnswer, ErrTooLarge or ErrClosed; see there what to do.
func (l *Link) Send(ctx context.Context, command []byte) ([]byte, error) {
	if len(command) == 0 || len(command) > topic.MaxCommand {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(command), topic.MaxCommand)
	}
	for try := 0; ; try++ {
		c, err := l.connect(ctx)
		if err != nil {
			return nil, err
		}
		receipt, err := c.call(ctx, command)
		// A stream that died unnoticed while idle fails the write: dial once more.
		if errors.Is(err, ErrNotSent) && try == 0 && ctx.Err() == nil && c.isDead() {
			continue
		}
		return receipt, err
	}
}

// Close ends the link; Sends under way return.
func (l *Link) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.cur != nil {
		l.cur.kill(ErrClosed)
	}
	return nil
}

// current is the living stream, nil if there is none.
func (l *Link) current() (*calls, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	if l.cur != nil && !l.cur.isDead() {
		return l.cur, nil
	}
	return nil, nil
}

// connect gives the living stream or dials, one goroutine at a time, waiting
// out the pause after a failure.
func (l *Link) connect(ctx context.Context) (*calls, error) {
	if c, err := l.current(); c != nil || err != nil {
		return c, err
	}
	select {
	case l.dialing <- struct{}{}:
		defer func() { <-l.dialing }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrNotSent, ctx.Err())
	}
	if c, err := l.current(); c != nil || err != nil {
		return c, err
	}
	if err := l.waitOut(ctx); err != nil {
		return nil, err
	}
	dctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	st, err := l.open(dctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil { // else the caller gave up, which says nothing about the device
			l.pause = min(max(2*l.pause, backoffFirst), backoffMost)
			l.retry = time.Now().Add(l.pause)
		}
		return nil, fmt.Errorf("%w: reach device: %w", ErrNotSent, err)
	}
	l.pause = 0
	if l.closed {
		_ = st.Reset()
		return nil, ErrClosed
	}
	l.cur = newCalls(st)
	return l.cur, nil
}

// waitOut waits until the next dial is due.
func (l *Link) waitOut(ctx context.Context) error {
	l.mu.Lock()
	wait := time.Until(l.retry)
	l.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrNotSent, ctx.Err())
	}
}

// open connects and opens the stream.
func (l *Link) open(ctx context.Context) (network.Stream, error) {
	l.mu.Lock()
	to := peer.AddrInfo{ID: l.peer, Addrs: l.addrs}
	l.mu.Unlock()
	// A device behind a relay is reached over a limited connection.
	ctx = network.WithAllowLimitedConn(ctx, "command")
	if err := l.host.Connect(ctx, to); err != nil {
		return nil, err
	}
	st, err := l.host.NewStream(ctx, l.peer, topic.Command)
	if err == nil || ctx.Err() != nil {
		return st, err
	}
	// The connection may have died unnoticed: now that it is noticed, dial.
	if err := l.host.Connect(ctx, to); err != nil {
		return nil, err
	}
	return l.host.NewStream(ctx, l.peer, topic.Command)
}

// calls is one stream and the commands without an answer on it. Whoever waits
// for an answer and finds nobody reading, reads; so a lone caller gets its
// answer on its own goroutine.
type calls struct {
	stream  network.Stream
	places  chan struct{} // one per command without an answer
	reading chan struct{} // cap 1, held by whoever reads
	in      *frame.Reader // with reading held

	writing sync.Mutex
	sent    counter   // under out
	stuck   time.Time // since when nothing could be written, zero if something could
	out     *frame.Writer
	number  []byte
	last    atomic.Uint64 // with writing held to change
	drainBy time.Time

	mu    sync.Mutex
	waits map[uint64]chan []byte

	dead  chan struct{}
	once  sync.Once
	cause error // before dead is closed
}

func newCalls(st network.Stream) *calls {
	c := &calls{
		stream: st, places: make(chan struct{}, maxCalls), reading: make(chan struct{}, 1),
		in: frame.NewReader(st, maxAnswer), sent: counter{w: st},
		waits: map[uint64]chan []byte{}, dead: make(chan struct{}),
	}
	c.out = frame.NewWriter(&c.sent, maxRequest)
	return c
}

// counter counts what went through to w.
type counter struct {
	w io.Writer
	n int
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += n
	return n, err
}

func (c *calls) isDead() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
	}
}

// kill ends the stream and all waits.
func (c *calls) kill(cause error) {
	c.once.Do(func() {
		c.cause = cause
		close(c.dead)
		_ = c.stream.Reset()
	})
}

// call sends one command and waits for its answer.
func (c *calls) call(ctx context.Context, command []byte) ([]byte, error) {
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	case <-c.dead:
		return nil, fmt.Errorf("%w: %w", ErrNotSent, c.cause)
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrNotSent, ctx.Err())
	}
	n, mine, err := c.write(ctx, command)
	if err != nil {
		return nil, err
	}
	defer c.forget(n)
	for {
		select {
		case receipt := <-mine:
			return receipt, nil
		default:
		}
		select {
		case receipt := <-mine:
			return receipt, nil
		case c.reading <- struct{}{}:
			receipt, err := c.lead(ctx, n, mine)
			<-c.reading
			if receipt != nil || err != nil {
				return receipt, err
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrNoAnswer, ctx.Err())
		case <-c.dead:
			return c.lastWord(mine)
		}
	}
}

// lastWord prefers an answer that came just before the end.
func (c *calls) lastWord(mine chan []byte) ([]byte, error) {
	select {
	case receipt := <-mine:
		return receipt, nil
	default:
		return nil, fmt.Errorf("%w: %w", ErrNoAnswer, c.cause)
	}
}

// write numbers and sends a command. The peer acts on whole frames only, so a
// failed write means that the command was not received.
func (c *calls) write(ctx context.Context, command []byte) (uint64, chan []byte, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	now := time.Now()
	by := now.Add(DefaultDrain)
	if d, ok := ctx.Deadline(); ok && d.Before(by) {
		by = d
	}
	if by.Before(c.drainBy) || c.drainBy.Sub(now) < DefaultDrain/2 {
		c.drainBy = by
		_ = c.stream.SetWriteDeadline(by)
	}
	n, mine := c.last.Add(1), make(chan []byte, 1)
	c.mu.Lock()
	c.waits[n] = mine
	c.mu.Unlock()
	c.number = appendNumber(c.number[:0], n)
	before := c.sent.n
	err := c.out.Write(c.number, command)
	if err == nil {
		c.stuck = time.Time{}
		return n, mine, nil
	}
	c.forget(n)
	if c.sent.n != before || !errors.Is(err, os.ErrDeadlineExceeded) || c.overdue(now) {
		c.kill(err)
	}
	return 0, nil, fmt.Errorf("%w: %w", ErrNotSent, err)
}

// overdue tells whether the device has read nothing for so long that the stream
// is of no use. Until then a caller whose own time was up before a byte was
// written leaves the stream to the others. The caller holds writing.
func (c *calls) overdue(now time.Time) bool {
	if c.stuck.IsZero() {
		c.stuck = now
	}
	return time.Since(c.stuck) >= DefaultDrain/2
}

// forget drops a wait; a late answer to it is ignored.
func (c *calls) forget(n uint64) {
	c.mu.Lock()
	delete(c.waits, n)
	c.mu.Unlock()
}

// lead reads answers for everybody until its own came.
func (c *calls) lead(ctx context.Context, own uint64, mine chan []byte) ([]byte, error) {
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { _ = c.stream.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	for {
		select {
		case receipt := <-mine:
			return receipt, nil
		case <-c.dead:
			return c.lastWord(mine)
		default:
		}
		f, err := c.in.Next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			_ = c.stream.SetReadDeadline(time.Time{}) // before looking at ctx: no signal is lost
			if ctx.Err() != nil {
				return nil, fmt.Errorf("%w: %w", ErrNoAnswer, ctx.Err())
			}
			continue
		}
		var n uint64
		var receipt []byte
		if err == nil {
			n, receipt, err = split(f)
		}
		if err == nil {
			if n == own {
				return receipt, nil
			}
			err = c.deliver(n, receipt)
		}
		if err != nil {
			c.kill(err)
			return nil, fmt.Errorf("%w: %w", ErrNoAnswer, c.cause)
		}
	}
}

// deliver hands an answer to whoever waits for it.
func (c *calls) deliver(n uint64, receipt []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if mine, ok := c.waits[n]; ok {
		mine <- receipt
		delete(c.waits, n)
		return nil
	}
	if n > c.last.Load() {
		return fmt.Errorf("%w: answer %d was never asked", BadNumber, n)
	}
	return nil
}
