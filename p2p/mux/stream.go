package mux

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// stream is one stream of a session. One reader and any number of writers may
// use it at a time; Close, Reset and deadlines work from any goroutine.
type stream struct {
	s      *session
	id     uint32
	theirs bool // opened by the peer
	span   network.ResourceScopeSpan

	readable chan struct{} // cap 1: something changed for the reader
	writable chan struct{} // cap 1: something changed for a writer

	mu       sync.Mutex
	buf      []byte
	off      int
	waiting  bool   // a reader found nothing
	allowed  uint32 // what the peer may still send
	consumed uint32 // read by us, not yet given back as credit
	window   uint32 // what we may still send
	readErr  error  // why nothing more will come, after buf
	writeErr error  // why nothing more may be sent
	unacked  bool   // ours and not yet acknowledged
	done     bool   // out of the table
	rdl, wdl deadline
}

var _ network.MuxedStream = (*stream)(nil)

// deadline is one direction's deadline; its timer sets expired.
type deadline struct {
	expired bool
	turn    uint64
	timer   *time.Timer
}

func newStream(s *session, id uint32, span network.ResourceScopeSpan) *stream {
	return &stream{s: s, id: id, span: span, allowed: Window, window: Window,
		readable: make(chan struct{}, 1), writable: make(chan struct{}, 1)}
}

// Read returns what came, waiting for at least one byte. Bytes that arrived
// before the stream or the connection ended are returned first.
func (st *stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		st.mu.Lock()
		if n, give := st.take(p); n > 0 {
			st.mu.Unlock()
			if give > 0 {
				_ = st.s.send(header{kind: typeWindow, stream: st.id, length: give}, nil)
			}
			return n, nil
		}
		if err := st.stopped(); err != nil {
			st.mu.Unlock()
			return 0, err
		}
		st.waiting = true
		st.mu.Unlock()
		if st.s.pump.right.TryLock() && !st.s.pumpFor(st) {
			continue
		}
		<-st.readable
	}
}

// take moves buffered bytes to p; give is credit due to the peer.
func (st *stream) take(p []byte) (n int, give uint32) {
	n = copy(p, st.buf[st.off:])
	if n == 0 {
		return 0, 0
	}
	st.off += n
	if st.off == len(st.buf) {
		st.buf, st.off = st.buf[:0], 0
		if cap(st.buf) > keepBuffer {
			st.buf = nil
		}
	}
	st.waiting = false
	st.consumed += uint32(n)
	if st.consumed >= Window/2 && st.readErr == nil {
		give = st.consumed
		st.allowed += give
		st.consumed = 0
	}
	return n, give
}

// stopped tells why a read with an empty buffer must not wait; st.mu is held.
func (st *stream) stopped() error {
	if st.readErr != nil {
		return st.readErr
	}
	if st.rdl.expired {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// ready tells whether the reader has anything to do but wait.
func (st *stream) ready() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.off < len(st.buf) || st.stopped() != nil
}

// wake makes a waiting reader look again, also one that reads the connection.
func (st *stream) wake() {
	signal(st.readable)
	if st.s.wait != nil && st.s.pump.holder.Load() == st {
		st.s.wait.interrupt()
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Write sends p, waiting for credit as needed.
func (st *stream) Write(p []byte) (int, error) {
	sent := 0
	for sent < len(p) {
		n, err := st.spend(len(p) - sent)
		if err != nil {
			return sent, err
		}
		h := header{kind: typeData, stream: st.id, length: uint32(n)}
		if err := st.s.send(h, p[sent:sent+n]); err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// spend waits for credit and takes up to n bytes of it, one frame at most.
func (st *stream) spend(n int) (int, error) {
	for {
		st.mu.Lock()
		err := st.writeErr
		if err == nil && st.wdl.expired {
			err = os.ErrDeadlineExceeded
		}
		got := min(n, MaxFrame, int(st.window))
		if err == nil && got > 0 {
			st.window -= uint32(got)
			more := st.window > 0
			st.mu.Unlock()
			if more {
				signal(st.writable) // a second writer may go on
			}
			return got, nil
		}
		st.mu.Unlock()
		if err != nil {
			signal(st.writable)
			return 0, err
		}
		<-st.writable
	}
}

// deliver appends bytes from the peer; true when a reader waited for them.
func (st *stream) deliver(b []byte) bool {
	st.mu.Lock()
	if st.readErr != nil {
		st.mu.Unlock()
		return false
	}
	if st.off > 0 && len(st.buf)+len(b) > cap(st.buf) {
		st.buf = st.buf[:copy(st.buf, st.buf[st.off:])]
		st.off = 0
	}
	st.buf = append(st.buf, b...)
	woke := st.waiting
	st.mu.Unlock()
	signal(st.readable)
	return woke
}

// debit takes a data frame off the peer's credit.
func (st *stream) debit(n uint32) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if n > st.allowed {
		return errWindow
	}
	st.allowed -= n
	return nil
}

// credit adds to what we may send.
func (st *stream) credit(n uint32) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if n > math.MaxInt32-min(st.window, math.MaxInt32) {
		return errCredit
	}
	st.window += n
	if n > 0 {
		signal(st.writable)
	}
	return nil
}

// acknowledged frees the place of a stream of ours among the unanswered.
func (st *stream) acknowledged() {
	st.mu.Lock()
	was := st.unacked
	st.unacked = false
	st.mu.Unlock()
	if was {
		<-st.s.opening
	}
}

// remoteClosed: the peer will send no more.
func (st *stream) remoteClosed() {
	st.end(io.EOF, nil)
}

// remoteReset: the peer wants neither half.
func (st *stream) remoteReset(code network.StreamErrorCode) {
	err := &network.StreamError{Remote: true, ErrorCode: code, TransportError: fmt.Errorf("mux: reset by peer")}
	st.end(err, err)
}

// abort ends both halves because the connection died.
func (st *stream) abort(cause error) { st.end(cause, cause) }

// end closes the halves for which an error is given, the first error wins, and
// takes the stream out of the table when both are closed. It tells which halves
// it closed.
func (st *stream) end(read, write error) (closedRead, closedWrite bool) {
	st.mu.Lock()
	if read != nil && st.readErr == nil {
		st.readErr, closedRead = read, true
	}
	if write != nil && st.writeErr == nil {
		st.writeErr, closedWrite = write, true
	}
	over := st.readErr != nil && st.writeErr != nil
	st.mu.Unlock()
	if closedRead {
		st.wake()
	}
	if closedWrite {
		signal(st.writable)
	}
	if over {
		st.finish()
	}
	return closedRead, closedWrite
}

// finish takes the stream out of the table, once.
func (st *stream) finish() {
	st.mu.Lock()
	if st.done {
		st.mu.Unlock()
		return
	}
	st.done = true
	st.rdl.set(time.Time{}, nil)
	st.wdl.set(time.Time{}, nil)
	st.mu.Unlock()
	s := st.s
	s.mu.Lock()
	if s.streams != nil {
		delete(s.streams, st.id)
		if st.theirs {
			s.incoming--
			// One that was reset before anybody accepted it takes no place.
			s.pending = slices.DeleteFunc(s.pending, func(p *stream) bool { return p == st })
		}
	}
	s.mu.Unlock()
	st.acknowledged()
	release(st.span)
}

// CloseWrite tells the peer that no more will come.
func (st *stream) CloseWrite() error {
	if _, closed := st.end(nil, ErrStreamClosed); !closed {
		return nil
	}
	return st.s.send(header{kind: typeWindow, flags: flagFIN, stream: st.id}, nil)
}

// CloseRead gives up what the peer may still send.
func (st *stream) CloseRead() error {
	st.mu.Lock()
	st.buf, st.off = nil, 0
	st.mu.Unlock()
	st.end(ErrStreamClosed, nil)
	return nil
}

// Close closes both halves and forgets the stream.
func (st *stream) Close() error {
	_ = st.CloseRead()
	return st.CloseWrite()
}

// Reset ends both halves at both ends.
func (st *stream) Reset() error { return st.ResetWithError(0) }

// ResetWithError is Reset with a code for the peer. It does not wait behind a
// writer that is stuck: whoever gives up on a peer must not be held up by it.
func (st *stream) ResetWithError(code network.StreamErrorCode) error {
	err := &network.StreamError{ErrorCode: code, TransportError: ErrStreamClosed}
	st.mu.Lock()
	st.buf, st.off = nil, 0
	st.mu.Unlock()
	if r, w := st.end(err, err); r || w {
		st.s.sendSoon(header{kind: typeWindow, flags: flagRST, stream: st.id, length: uint32(code)})
	}
	return nil
}

// set arms the deadline; wake runs when it passes. The stream's mu is held.
func (d *deadline) set(t time.Time, expire func(turn uint64)) (now bool) {
	d.turn++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.expired = false
	if t.IsZero() {
		return false
	}
	left := time.Until(t)
	if left <= 0 {
		d.expired = true
		return true
	}
	turn := d.turn
	d.timer = time.AfterFunc(left, func() { expire(turn) })
	return false
}

// SetDeadline sets both deadlines.
func (st *stream) SetDeadline(t time.Time) error {
	_ = st.SetReadDeadline(t)
	return st.SetWriteDeadline(t)
}

// SetReadDeadline makes reads fail with os.ErrDeadlineExceeded from t on; the
// zero time means never. What already came can still be read.
func (st *stream) SetReadDeadline(t time.Time) error {
	st.mu.Lock()
	now := !st.done && st.rdl.set(t, func(turn uint64) { st.expire(&st.rdl, turn, st.wake) })
	st.mu.Unlock()
	if now {
		st.wake()
	}
	return nil
}

// SetWriteDeadline bounds the wait for credit; a write that already went to
// the connection is bounded by the session's write timeout.
func (st *stream) SetWriteDeadline(t time.Time) error {
	wake := func() { signal(st.writable) }
	st.mu.Lock()
	now := !st.done && st.wdl.set(t, func(turn uint64) { st.expire(&st.wdl, turn, wake) })
	st.mu.Unlock()
	if now {
		wake()
	}
	return nil
}

// expire marks a deadline as passed unless it was set anew meanwhile.
func (st *stream) expire(d *deadline, turn uint64, wake func()) {
	st.mu.Lock()
	hit := d.turn == turn
	if hit {
		d.expired = true
	}
	st.mu.Unlock()
	if hit {
		wake()
	}
}
