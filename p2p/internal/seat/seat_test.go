package seat

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// stream remembers how it was ended.
type stream struct{ ended network.StreamErrorCode }

func (s *stream) ResetWithError(c network.StreamErrorCode) error {
	s.ended = c
	return nil
}

func enter(t *testing.T, h *House, from peer.ID) (*Seat, *stream) {
	t.Helper()
	st := new(stream)
	s := h.Enter(st, from)
	if (s == nil) != (st.ended != 0) {
		t.Fatalf("seat %v of a stream that ended with %d", s, st.ended)
	}
	return s, st
}

// TestHouse_SittersMakeRoom: a full house of peers who do nothing keeps nobody
// out, and who holds most pays first.
func TestHouse_SittersMakeRoom(t *testing.T) {
	h := New(4, 3)
	_, quiet := enter(t, h, "quiet") // the oldest, but with one seat only
	_, first := enter(t, h, "sitter")
	enter(t, h, "sitter")
	enter(t, h, "sitter")
	if s, _ := enter(t, h, "sitter"); s != nil {
		t.Fatal("more than a peer's share")
	}
	if s, _ := enter(t, h, "owner"); s == nil {
		t.Fatal("kept out by streams that do nothing")
	}
	if first.ended != network.StreamResourceLimitExceeded || quiet.ended != 0 {
		t.Fatalf("the sitter's oldest ended with %d, the quiet peer's with %d", first.ended, quiet.ended)
	}
}

// TestHouse_BusyStay: who is being answered is not thrown out.
func TestHouse_BusyStay(t *testing.T) {
	h := New(2, 2)
	a, sa := enter(t, h, "a")
	b, sb := enter(t, h, "b")
	a.Busy()
	b.Busy()
	if s, _ := enter(t, h, "c"); s != nil {
		t.Fatal("a seat in a house that is busy throughout")
	}
	a.Rest()
	if s, _ := enter(t, h, "c"); s == nil || sa.ended == 0 || sb.ended != 0 {
		t.Fatalf("seat %v; a ended with %d, b with %d", s, sa.ended, sb.ended)
	}
	a.Leave() // once it finds out
	b.Rest()
	b.Leave()
	if len(h.seats) != 1 || len(h.held) != 1 || h.held["c"] != 1 {
		t.Fatalf("%d seats, held %v", len(h.seats), h.held)
	}
}

// TestHouse_End: a peer loses all its streams, the others keep theirs.
func TestHouse_End(t *testing.T) {
	h := New(4, 2)
	_, first := enter(t, h, "a")
	busy, second := enter(t, h, "a")
	busy.Busy()
	_, other := enter(t, h, "b")
	h.End("a")
	if first.ended != network.StreamGated || second.ended != network.StreamGated || other.ended != 0 {
		t.Fatalf("ended with %d and %d, the other with %d", first.ended, second.ended, other.ended)
	}
}

// TestHouse_Close: nobody comes in, and all that are in are ended.
func TestHouse_Close(t *testing.T) {
	h := New(2, 2)
	s, st := enter(t, h, "a")
	done := make(chan struct{})
	go func() { h.Close(); close(done) }()
	s.Leave()
	<-done
	if late, _ := enter(t, h, "b"); late != nil {
		t.Fatal("a seat in a closed house")
	}
	_ = st // ended or left first; both are fine
}
