// Package seat bounds the streams that peers hold open at a server, so that
// peers who only sit there cannot keep others out.
//
// It is not a rate limit and reads nothing. A full house gives the seat of the
// peer that holds most, and of those the one that has waited longest for a
// request, to whoever comes next. Entry points: New and House.Enter.
//
// What must never change: a stream whose request is being answered keeps its
// seat; one that does nothing, or sends half a request and stops, does not.
package seat

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Stream is what a house needs of a network.Stream.
type Stream interface {
	// ResetWithError ends both directions and says why.
	ResetWithError(network.StreamErrorCode) error
}

// House holds the seats of one server. All methods are safe for concurrent use.
type House struct {
	most, perPeer int

	mu     sync.Mutex
	seats  map[*Seat]struct{}
	held   map[peer.ID]int
	closed bool
	work   sync.WaitGroup
}

// New makes a house of so many seats, of which one peer may have perPeer.
func New(most, perPeer int) *House {
	return &House{most: most, perPeer: perPeer, seats: map[*Seat]struct{}{}, held: map[peer.ID]int{}}
}

// Seat is one stream's. Its owner calls Busy and Rest around every request, and
// Leave at the end.
type Seat struct {
	house  *House
	stream Stream
	from   peer.ID
	out    bool // has lost its place, guarded by the house

	busy  atomic.Int32
	since atomic.Int64 // Unix nanoseconds of the last change
}

// Enter gives a stream a seat, or ends the stream and returns nil: the peer has
// its share, or the house is full of streams that are all being answered.
func (h *House) Enter(st Stream, from peer.ID) *Seat {
	h.mu.Lock()
	ok := !h.closed && h.held[from] < h.perPeer
	var loser *Seat
	if ok && len(h.seats) >= h.most {
		loser = h.idlest()
		ok = loser != nil
	}
	var s *Seat
	if ok {
		if loser != nil {
			h.free(loser)
		}
		s = &Seat{house: h, stream: st, from: from}
		s.since.Store(time.Now().UnixNano())
		h.seats[s] = struct{}{}
		h.held[from]++
		h.work.Add(1)
	}
	h.mu.Unlock()
	if loser != nil {
		_ = loser.stream.ResetWithError(network.StreamResourceLimitExceeded)
	}
	if !ok {
		_ = st.ResetWithError(network.StreamResourceLimitExceeded)
	}
	return s
}

// idlest finds who has to go. The caller holds mu.
func (h *House) idlest() *Seat {
	var worst *Seat
	for s := range h.seats {
		switch {
		case s.busy.Load() > 0:
		case worst == nil, h.held[s.from] > h.held[worst.from],
			h.held[s.from] == h.held[worst.from] && s.since.Load() < worst.since.Load():
			worst = s
		}
	}
	return worst
}

// free takes a seat from its stream. The caller holds mu.
func (h *House) free(s *Seat) {
	if s.out {
		return
	}
	s.out = true
	delete(h.seats, s)
	if h.held[s.from]--; h.held[s.from] == 0 {
		delete(h.held, s.from)
	}
}

// Busy says that a whole request has come and is being answered.
func (s *Seat) Busy() { s.busy.Add(1) }

// Rest says that it has been answered.
func (s *Seat) Rest() {
	s.since.Store(time.Now().UnixNano())
	s.busy.Add(-1)
}

// Leave gives the seat back.
func (s *Seat) Leave() {
	s.house.mu.Lock()
	s.house.free(s)
	s.house.mu.Unlock()
	s.house.work.Done()
}

// End ends every stream of a peer, also one whose request is being answered.
func (h *House) End(from peer.ID) {
	h.mu.Lock()
	var open []Stream
	for s := range h.seats {
		if s.from == from {
			open = append(open, s.stream)
		}
	}
	h.mu.Unlock()
	for _, st := range open {
		_ = st.ResetWithError(network.StreamGated)
	}
}

// Close ends every stream, lets nobody in any more, and returns when all have
// left.
func (h *House) Close() {
	h.mu.Lock()
	h.closed = true
	open := make([]Stream, 0, len(h.seats))
	for s := range h.seats {
		open = append(open, s.stream)
	}
	h.mu.Unlock()
	for _, st := range open {
		_ = st.ResetWithError(network.StreamShutdown)
	}
	h.work.Wait()
}
