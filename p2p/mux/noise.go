package mux

import (
	"context"
	"encoding/binary"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
)

// NoiseID is the protocol id of the security half.
const NoiseID = noise.ID

// Noise is libp2p's Noise transport on a connection whose reads can be
// interrupted between records without losing a byte. The cryptography is the
// library's, untouched.
type Noise struct{ inner *noise.Transport }

var _ sec.SecureTransport = (*Noise)(nil)

// NewNoise returns the security half for the transport key. The signature is
// the one that both the upgrader and the root go-libp2p package call.
func NewNoise(id protocol.ID, key crypto.PrivKey, muxers []upgrader.StreamMuxer) (*Noise, error) {
	t, err := noise.New(id, key, muxers)
	if err != nil {
		return nil, err
	}
	return &Noise{inner: t}, nil
}

// ID names the protocol.
func (n *Noise) ID() protocol.ID { return n.inner.ID() }

// SecureInbound runs the handshake as responder.
func (n *Noise) SecureInbound(ctx context.Context, c net.Conn, p peer.ID) (sec.SecureConn, error) {
	rec := &recordConn{Conn: c}
	s, err := n.inner.SecureInbound(ctx, rec, p)
	if err != nil {
		return nil, err
	}
	return &secureConn{SecureConn: s, rec: rec}, nil
}

// SecureOutbound runs the handshake as initiator; p must be the peer's id.
func (n *Noise) SecureOutbound(ctx context.Context, c net.Conn, p peer.ID) (sec.SecureConn, error) {
	rec := &recordConn{Conn: c}
	s, err := n.inner.SecureOutbound(ctx, rec, p)
	if err != nil {
		return nil, err
	}
	return &secureConn{SecureConn: s, rec: rec}, nil
}

// secureConn adds to the library's session the waiting that session lacks.
type secureConn struct {
	sec.SecureConn
	rec  *recordConn
	left int // plaintext of the current record still inside the session
}

// Read returns plaintext; single reader, as the multiplexer guarantees.
func (c *secureConn) Read(p []byte) (int, error) {
	before := c.rec.count
	n, err := c.SecureConn.Read(p)
	if c.rec.count != before {
		c.left = c.rec.last - recordOverhead
	}
	// The session may answer 0 bytes for a record that it had given out whole.
	c.left = max(c.left-n, 0)
	return n, err
}

// await blocks until Read can answer without touching the network. An
// interrupt makes it return a timeout error; it may then be called again.
func (c *secureConn) await() error {
	if c.left > 0 {
		return nil
	}
	return c.rec.await()
}

// interrupt makes a running or the next await return; unpoke undoes it.
func (c *secureConn) interrupt() { _ = c.rec.Conn.SetReadDeadline(time.Unix(1, 0)) }
func (c *secureConn) unpoke()    { _ = c.rec.Conn.SetReadDeadline(time.Time{}) }

// recordConn cuts the incoming bytes at Noise record borders (two length bytes,
// then that many), so that whoever reads through it never holds bytes of the
// next record, and can wait for a whole record first.
type recordConn struct {
	net.Conn
	buf   []byte
	r, w  int
	rest  int    // bytes of the current record not yet handed out
	last  int    // body length of the current record
	count uint64 // records begun
}

// Read hands out bytes of the current record only.
func (c *recordConn) Read(p []byte) (int, error) {
	if c.rest == 0 {
		if err := c.need(2); err != nil {
			return 0, err
		}
		c.last = int(binary.BigEndian.Uint16(c.buf[c.r:]))
		c.rest = 2 + c.last
		c.count++
	}
	if err := c.need(1); err != nil {
		return 0, err
	}
	n := copy(p, c.buf[c.r:min(c.w, c.r+c.rest)])
	c.r += n
	c.rest -= n
	return n, nil
}

// await blocks until the next record is buffered whole.
func (c *recordConn) await() error {
	if c.rest > 0 {
		return nil
	}
	if err := c.need(2); err != nil {
		return err
	}
	return c.need(2 + int(binary.BigEndian.Uint16(c.buf[c.r:])))
}

// need buffers at least n bytes. On error what came so far is kept.
func (c *recordConn) need(n int) error {
	if c.w-c.r >= n {
		return nil
	}
	c.room(n)
	for c.w-c.r < n {
		m, err := c.Conn.Read(c.buf[c.w:])
		c.w += m
		if err != nil && c.w-c.r < n {
			return err
		}
	}
	return nil
}

// room makes the buffer able to hold n unread bytes, n <= maxRecord.
func (c *recordConn) room(n int) {
	if c.r == c.w {
		c.r, c.w = 0, 0
		if len(c.buf) > keepBuffer && n <= readBuffer {
			c.buf = nil
		}
	}
	if len(c.buf)-c.r >= n {
		return
	}
	b := c.buf
	if len(b) < n {
		b = make([]byte, min(maxRecord, max(n, readBuffer)))
	}
	c.w = copy(b, c.buf[c.r:c.w])
	c.r = 0
	c.buf = b
}
