package wire

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/hybridos-net/hybridos/hbus/msg"
)

// ErrOverflow is the reason of closing a peer that does not read.
var ErrOverflow = errors.New("peer leaves too much unread")

// Class says what happens to a message for which the queue has no room.
type Class int

const (
	// Reply goes up to HardQueue; past it Queue returns false, the caller
	// may queue a Control instead.
	Reply Class = iota
	// Request goes up to SoftQueue; past it Queue returns false.
	Request
	// Event goes up to SoftQueue; past it the event is counted as lost and
	// the peer is told as soon as there is room.
	Event
	// Control goes up to the reserve over HardQueue; past it the connection
	// is closed with ErrOverflow.
	Control
)

// Conn is one framed connection. Next belongs to one goroutine; everything
// else is safe for concurrent use.
type Conn struct {
	c   *net.UnixConn
	raw syscall.RawConn

	buf  []byte // read buffer; buf[r:w] is unread
	r, w int

	mu      sync.Mutex
	out     []byte // frames that wait
	spare   []byte // the other half of the double buffer
	pending int    // bytes a writer has taken out and not yet written
	writing bool   // somebody is in write or drain
	lost    uint64
	room    chan struct{} // somebody waits for room; closed when there may be
	err     error         // why the connection ended
	wg      sync.WaitGroup

	// What try hands to the system call, and back; kept here, and the
	// function made once, so that a write allocates nothing. They belong to
	// whoever set writing.
	tryBuf []byte
	tryN   int
	tryErr error
	tryFn  func(fd uintptr) bool
}

// New wraps an open connection and owns it from then on.
func New(c *net.UnixConn) (*Conn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("framing: %w", err)
	}
	w := &Conn{c: c, raw: raw, buf: make([]byte, minRead)}
	w.tryFn = func(fd uintptr) bool {
		w.tryN, w.tryErr = writeOnce(fd, w.tryBuf)
		return true
	}
	return w, nil
}

// SetReadDeadline bounds Next; the zero time takes the bound away.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.c.SetReadDeadline(t) }

// Ready tells whether Next would return without reading from the socket.
func (c *Conn) Ready() bool {
	if c.w-c.r < msg.HeaderSize {
		return false
	}
	n, err := msg.BodySize(c.buf[c.r:c.w])
	return err != nil || c.w-c.r >= msg.HeaderSize+n
}

// Next returns the body of the next frame. It is valid until the next Next. A
// frame over the cap is an *msg.Error; an end between frames is io.EOF.
func (c *Conn) Next() ([]byte, error) {
	if err := c.fill(msg.HeaderSize); err != nil {
		return nil, err
	}
	n, err := msg.BodySize(c.buf[c.r:c.w])
	if err != nil {
		return nil, err
	}
	if err := c.body(msg.HeaderSize + n); err != nil {
		return nil, err
	}
	frame := c.buf[c.r+msg.HeaderSize : c.r+msg.HeaderSize+n]
	c.r += msg.HeaderSize + n
	return frame, nil
}

// body waits for the whole of a frame that has begun, with a bound only when
// it is not there already: setting one costs more than reading.
func (c *Conn) body(size int) error {
	if c.w-c.r >= size {
		return nil
	}
	if err := c.c.SetReadDeadline(time.Now().Add(BodyTimeout)); err != nil {
		return err
	}
	if err := c.fill(size); err != nil {
		return err
	}
	return c.c.SetReadDeadline(time.Time{})
}

// fill reads until size bytes are unread. The buffer doubles with what has
// come, not with what the peer announced.
func (c *Conn) fill(size int) error {
	for c.w-c.r < size {
		if c.r > 0 {
			c.compact()
		}
		if c.w == len(c.buf) {
			c.buf = append(c.buf, make([]byte, len(c.buf))...)
		}
		n, err := c.c.Read(c.buf[c.w:])
		c.w += n
		if err != nil && c.w-c.r < size {
			if errors.Is(err, io.EOF) && c.w > c.r {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

func (c *Conn) compact() {
	n := c.w - c.r
	if n == 0 && len(c.buf) > keepBuffer {
		c.buf = make([]byte, minRead)
	} else {
		copy(c.buf, c.buf[c.r:c.w])
	}
	c.r, c.w = 0, n
}

// Queue encodes m behind what waits already, without writing and without
// waiting; m may be changed afterwards. It tells whether m will be sent.
func (c *Conn) Queue(m msg.Message, class Class) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	before := len(c.out)
	out, err := msg.Append(c.out, m)
	if err != nil {
		if class == Event {
			c.lost++
		}
		return false
	}
	limit := HardQueue
	switch class {
	case Request, Event:
		limit = SoftQueue
	case Control:
		limit += reserve
	}
	if len(out)+c.pending <= limit {
		c.out = out
		return true
	}
	c.out = out[:before]
	switch class {
	case Event:
		c.lost++
	case Control:
		c.fail(ErrOverflow)
	}
	return false
}

// Flush writes what waits as far as the socket takes it at once; the rest is
// written by a goroutine of the connection.
func (c *Conn) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writing || c.err != nil {
		return
	}
	c.writing = true
	for round := 0; c.take(); round++ {
		buf := c.spare
		n, err := 0, error(nil)
		if round < flushRounds {
			c.mu.Unlock()
			n, err = c.try(buf)
			c.mu.Lock()
		}
		if err != nil {
			c.fail(err)
			break
		}
		if c.err != nil {
			break // closed meanwhile: Wait may be over, nothing may start any more
		}
		if n < len(buf) {
			c.wg.Add(1)
			go c.drain(buf[n:])
			return // still writing
		}
	}
	c.writing = false
}

// Room is for a sender that can wait: after Queue said false it gives a channel
// that is closed when it is worth to queue again. nil: there is room, so that
// was not why.
func (c *Conn) Room() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out)+c.pending <= SoftQueue {
		return nil
	}
	if c.room == nil {
		c.room = make(chan struct{})
	}
	return c.room
}

// roomMade wakes those who wait for room. The caller holds mu.
func (c *Conn) roomMade() {
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
}

// take swaps the buffers: what waits is now c.spare, to be written. A notice of
// lost events goes in front of what comes next. The caller holds mu.
func (c *Conn) take() bool {
	c.pending = 0
	c.roomMade()
	if len(c.out) == 0 && c.lost == 0 || c.err != nil {
		if cap(c.spare) > keepBuffer {
			c.spare = nil
		}
		return false
	}
	c.out, c.spare = c.spare[:0], c.out
	if cap(c.out) > keepBuffer {
		c.out = nil
	}
	if c.lost > 0 {
		// A Lost message is far smaller than what a frame may be.
		c.out, _ = msg.Append(c.out, &msg.Lost{N: c.lost})
		c.lost = 0
	}
	c.pending = len(c.spare)
	return true
}

// try writes once without waiting and returns how much went.
func (c *Conn) try(buf []byte) (int, error) {
	if len(buf) == 0 {
		return 0, nil
	}
	c.tryBuf = buf
	err := c.raw.Write(c.tryFn)
	c.tryBuf = nil
	if err != nil {
		return 0, err
	}
	return c.tryN, c.tryErr
}

// drain writes with waiting until nothing is left.
func (c *Conn) drain(buf []byte) {
	defer c.wg.Done()
	for {
		_, err := c.c.Write(buf)
		c.mu.Lock()
		if err != nil {
			c.fail(err)
		}
		if !c.take() {
			c.writing = false
			c.mu.Unlock()
			return
		}
		buf = c.spare
		c.mu.Unlock()
	}
}

// fail ends the connection for good. The caller holds mu.
func (c *Conn) fail(err error) {
	if c.err != nil {
		return
	}
	c.err = err
	c.roomMade()
	c.out, c.spare, c.pending = nil, nil, 0
	c.c.Close()
}

// Close ends the connection with a reason (nil means net.ErrClosed); only the
// first one counts. It does not wait.
func (c *Conn) Close(reason error) {
	if reason == nil {
		reason = net.ErrClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail(reason)
}

// Err is why the connection ended, nil while it is open.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Wait returns when the connection's own goroutine is gone; call it after
// Close.
func (c *Conn) Wait() { c.wg.Wait() }
