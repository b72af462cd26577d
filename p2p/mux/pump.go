package mux

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// pump is the right to read the connection, and what its holder knows.
//
// The right moves: a stream's reader that finds its buffer empty takes it and
// reads the connection until its own data came (no goroutine switch on the way
// of an answer). When nobody read for a lull, a background goroutine takes it,
// and gives it back as soon as it served a reader. So: whenever the right is
// free, the lull timer is armed or the session is dead.
type pump struct {
	right    sync.Mutex
	holder   atomic.Pointer[stream] // nil: free or the background
	releases atomic.Uint64
	armed    atomic.Bool
	seen     atomic.Uint64 // releases when the timer was armed
	timer    *time.Timer

	// below: only with the right held
	buf   [readBuffer]byte
	head  [headerSize]byte
	headN int
	body  uint32  // bytes of the current data frame still to come
	into  *stream // its stream, nil to discard
	fin   bool    // the frame closes the stream once its body came
	other int     // readers served that are not the holder, in a row
}

// start hands the right to the background, for good if reads cannot be
// interrupted (a reader holding it could not obey its deadline).
func (p *pump) start(s *session) {
	if s.wait == nil {
		p.armed.Store(true)
		p.right.Lock()
		go s.pumpAlways()
		return
	}
	p.armed.Store(true)
	p.timer = time.AfterFunc(time.Hour, s.pumpIdle)
	p.timer.Reset(0) // not before the field is set: pumpIdle uses it
}

// stop ends the timer; the holder of the right notices the closed connection.
func (p *pump) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}

// pass gives the right up and arms the lull timer.
func (p *pump) pass() {
	p.other = 0
	p.holder.Store(nil)
	p.right.Unlock()
	n := p.releases.Add(1)
	if p.armed.CompareAndSwap(false, true) {
		p.seen.Store(n)
		p.timer.Reset(lull)
	}
}

// pumpFor reads the connection for st, the right being held. It returns true
// when st should wait for others: they are the ones being served.
func (s *session) pumpFor(st *stream) bool {
	p := &s.pump
	p.holder.Store(st)
	defer p.pass()
	for !st.ready() {
		if err := s.step(); err != nil && !errors.Is(err, errPoked) {
			_ = s.broken(err)
			return false
		}
		if p.other >= 2 {
			return !st.ready()
		}
	}
	return false
}

// pumpIdle is the lull timer: it reads until a waiting reader was served.
func (s *session) pumpIdle() {
	p := &s.pump
	p.armed.Store(false)
	if s.IsClosed() {
		return
	}
	if n := p.releases.Load(); n != p.seen.Load() {
		if p.armed.CompareAndSwap(false, true) {
			p.seen.Store(n)
			p.timer.Reset(lull)
		}
		return
	}
	if !p.right.TryLock() {
		return // its holder arms the timer when it is done
	}
	for p.other == 0 {
		if err := s.step(); err != nil && !errors.Is(err, errPoked) {
			_ = s.broken(err)
			break
		}
	}
	p.pass()
}

// pumpAlways reads until the connection ends.
func (s *session) pumpAlways() {
	for {
		if err := s.step(); err != nil {
			_ = s.broken(err)
			return
		}
	}
}

// step reads once and handles what came. errPoked: nothing was read.
func (s *session) step() error {
	if s.wait != nil {
		if err := s.wait.await(); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				s.wait.unpoke()
				return errPoked
			}
			return err
		}
	}
	n, err := s.conn.Read(s.pump.buf[:])
	if herr := s.consume(s.pump.buf[:n]); herr != nil {
		return herr
	}
	return err
}

// consume feeds bytes to the frame machine.
func (s *session) consume(b []byte) error {
	p := &s.pump
	if len(b) > 0 {
		s.heard.Store(true)
	}
	for len(b) > 0 {
		if p.body > 0 {
			n := min(len(b), int(p.body))
			p.serve(p.into, b[:n])
			p.body -= uint32(n)
			b = b[n:]
			if p.body == 0 {
				p.endBody()
			}
			continue
		}
		n := copy(p.head[p.headN:], b)
		p.headN += n
		b = b[n:]
		if p.headN < headerSize {
			return nil
		}
		p.headN = 0
		h, err := parseHeader(&p.head)
		if err == nil {
			err = s.handle(h)
		}
		if err != nil {
			s.complain(err)
			return err
		}
	}
	return nil
}

// serve delivers body bytes and counts readers served beside the holder.
func (p *pump) serve(st *stream, b []byte) {
	if st == nil {
		return
	}
	woke := st.deliver(b)
	switch {
	case st == p.holder.Load():
		p.other = 0
	case woke:
		p.other++
	}
}

// endBody applies the FIN that came with a data frame.
func (p *pump) endBody() {
	if p.fin && p.into != nil {
		p.into.remoteClosed()
	}
	p.fin, p.into = false, nil
}

// complain queues a farewell for a peer that broke the protocol.
func (s *session) complain(err error) {
	if errors.Is(err, ErrProtocol) && s.writing.TryLock() {
		_ = s.conn.SetWriteDeadline(time.Now().Add(goAwayWait))
		_, _ = s.conn.Write(header{kind: typeGoAway, length: goAwayProtocol}.append(nil))
		s.writing.Unlock()
	}
}

// handle acts on one frame header.
func (s *session) handle(h header) error {
	switch h.kind {
	case typePing:
		if h.flags&flagSYN != 0 {
			select {
			case s.control <- header{kind: typePing, flags: flagACK, length: h.length}:
			default: // a flood of pings goes unanswered
			}
		}
		return nil
	case typeGoAway:
		return &network.ConnError{Remote: true, ErrorCode: network.ConnErrorCode(h.length),
			TransportError: fmt.Errorf("mux: peer said goodbye")}
	}
	if h.flags&flagSYN != 0 {
		if err := s.admit(h.stream); err != nil {
			return err
		}
	}
	s.mu.Lock()
	st := s.streams[h.stream]
	s.mu.Unlock()
	if h.kind == typeData {
		s.pump.body, s.pump.into, s.pump.fin = h.length, st, h.flags&flagFIN != 0
	}
	if st == nil {
		return nil // closed here already: the body is discarded
	}
	return s.handleStream(st, h)
}

// handleStream acts on a frame of a known stream.
func (s *session) handleStream(st *stream, h header) error {
	if h.flags&flagACK != 0 {
		st.acknowledged()
	}
	if h.flags&flagRST != 0 {
		code := network.StreamErrorCode(0)
		if h.kind == typeWindow {
			code = network.StreamErrorCode(h.length)
		}
		st.remoteReset(code)
		return nil
	}
	if h.kind == typeWindow {
		if err := st.credit(h.length); err != nil {
			return err
		}
		if h.flags&flagFIN != 0 {
			st.remoteClosed()
		}
		return nil
	}
	if err := st.debit(h.length); err != nil {
		return err
	}
	if h.length == 0 {
		s.pump.endBody()
	}
	return nil
}

// admit takes a stream that the peer opens, or queues its refusal.
func (s *session) admit(id uint32) error {
	if (id%2 == 1) != s.server {
		return errParity
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams == nil {
		return s.deadErr
	}
	if _, ok := s.streams[id]; ok {
		return errDuplicate
	}
	if s.incoming >= s.cfg.MaxStreams {
		return s.refuse(id)
	}
	span, err := s.reserve()
	if err != nil {
		return s.refuse(id)
	}
	st := newStream(s, id, span)
	st.theirs = true
	s.streams[id] = st
	s.incoming++
	s.pending = append(s.pending, st)
	signal(s.arrived)
	return nil
}

// refuse queues a reset for a stream we do not take.
func (s *session) refuse(id uint32) error {
	select {
	case s.control <- header{kind: typeWindow, flags: flagRST, stream: id,
		length: uint32(network.StreamResourceLimitExceeded)}:
		return nil
	default:
		return errFlood
	}
}
