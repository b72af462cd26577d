package guard

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Conn is a client's connection as the engine sees it: Read gives only bytes of
// accepted packets, and never of more than one packet per call. Deadlines are
// the guard's own; those that the engine sets are ignored, since its keep alive
// arithmetic overflows above 43690 seconds.
type Conn struct {
	net.Conn
	front     *Front
	reader    *bufio.Reader
	validator Validator
	pending   []byte // accepted bytes that the engine has not read yet
	refused   error  // the refusal that ended this connection
	loggedIn  atomic.Bool
	writing   sync.Mutex
	closing   sync.Once
	closeErr  error
}

var _ net.Conn = (*Conn)(nil)

func newConn(front *Front, raw net.Conn) *Conn {
	return &Conn{Conn: raw, front: front, reader: bufio.NewReaderSize(raw, readBuffer)}
}

// LoggedIn tells the guard that this client is authenticated: only then does
// the full packet cap hold.
func (c *Conn) LoggedIn() { c.loggedIn.Store(true) }

// IsLoggedIn says whether LoggedIn was called.
func (c *Conn) IsLoggedIn() bool { return c.loggedIn.Load() }

// Version is the client's protocol level (4 or 5), or 0 before CONNECT.
func (c *Conn) Version() byte { return c.validator.Version }

// Read implements net.Conn. It must not be called by several goroutines.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(c.pending) == 0 {
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.pending)
	c.pending = c.pending[n:]
	return n, nil
}

// fill waits for one packet and accepts or refuses it.
func (c *Conn) fill() error {
	if c.refused != nil {
		return c.refused
	}
	packet, err := c.next()
	if err == nil {
		err = c.validator.Check(packet.raw[0], packet.raw[packet.head:])
	}
	if err != nil {
		c.refused = err
		if refusal := (*Error)(nil); errors.As(err, &refusal) {
			c.tell(refusal.Kind)
			c.front.report(c.RemoteAddr(), refusal)
		}
		return err
	}
	c.pending = packet.raw
	return nil
}

// next reads one packet under the deadlines of the phase.
func (c *Conn) next() (frame, error) {
	limit, late := c.front.cfg.MaxConnectPacket, ConnectTimeout
	if c.loggedIn.Load() {
		limit = c.front.cfg.MaxPacket
	}
	if c.validator.Version != 0 {
		late = KeepAliveTimeout
		if err := c.Conn.SetReadDeadline(c.idleDeadline()); err != nil {
			return frame{}, err
		}
	}
	first, err := c.reader.ReadByte()
	if err != nil {
		return frame{}, timedOut(err, late)
	}
	if c.validator.Version != 0 {
		late = PacketTimeout
		if err := c.Conn.SetReadDeadline(time.Now().Add(c.front.cfg.PacketTimeout)); err != nil {
			return frame{}, err
		}
	} else if first>>4 != typeConnect {
		return frame{}, refuse(FirstNotConnect, "first packet is not CONNECT")
	}
	packet, err := readFrame(c.reader, first, limit)
	return packet, timedOut(err, late)
}

// idleDeadline is one and a half times the keep alive from now (MQTT-3.1.2-22),
// or no deadline when the client asked for none.
func (c *Conn) idleDeadline() time.Time {
	if c.validator.KeepAlive == 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(c.validator.KeepAlive) * time.Second * 3 / 2)
}

func timedOut(err error, kind ErrorKind) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuse(kind, "deadline passed")
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}

// tell lets the client know why it is cut off, where MQTT has a way to say so.
func (c *Conn) tell(kind ErrorKind) {
	switch {
	case kind == UnsupportedProtocol:
		_, _ = c.Write([]byte{0x20, 0x02, 0x00, 0x01})
	case c.validator.Version == 5 && c.loggedIn.Load():
		_, _ = c.Write([]byte{0xE0, 0x02, kind.reason(), 0x00})
	}
}

// Write implements net.Conn under the guard's own deadline.
func (c *Conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.Conn.SetWriteDeadline(time.Now().Add(c.front.cfg.WriteTimeout)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	if err != nil {
		// A half written packet can never be mended.
		_ = c.Close()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		refusal := refuse(SlowReader, "client does not read")
		c.front.report(c.RemoteAddr(), refusal)
		return n, refusal
	}
	return n, err
}

// Close implements net.Conn; it may be called more than once.
func (c *Conn) Close() error {
	c.closing.Do(func() { c.closeErr = c.Conn.Close() })
	return c.closeErr
}

// SetDeadline does nothing: deadlines are the guard's.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing: deadlines are the guard's.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing: deadlines are the guard's.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }
