package api

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hybridos-net/hybridos/chain/key"
)

// place is where a follower stands: all up to it was told. Of a block the block
// itself comes first (n 0), then its transactions (n is index + 1).
type place struct {
	height int64
	n      uint32
}

// whole is the place after everything of a block.
func whole(height int64) place { return place{height, math.MaxUint32} }

func (p place) compare(q place) int {
	switch {
	case p.height != q.height:
		return int(max(-1, min(1, p.height-q.height)))
	case p.n < q.n:
		return -1
	case p.n > q.n:
		return 1
	}
	return 0
}

// String is the id of an event: "HEIGHT.N", or "HEIGHT" after a whole block.
func (p place) String() string {
	if p.n == math.MaxUint32 {
		return strconv.FormatInt(p.height, 10)
	}
	return fmt.Sprintf("%d.%d", p.height, p.n)
}

// parsePlace reads the id of an event.
func parsePlace(s string) (place, error) {
	at, rest, part := strings.Cut(s, ".")
	height, err := strconv.ParseInt(at, 10, 64)
	p := whole(height)
	if part && err == nil {
		var n uint64
		n, err = strconv.ParseUint(rest, 10, 32)
		p.n = uint32(n)
	}
	if err != nil || height < 0 || p.String() != s {
		return place{}, errQuery
	}
	return p, nil
}

// txs is the place as a position in a list of transactions.
func (p place) txs() []byte {
	height, index := p.height, p.n-1
	switch p.n {
	case 0:
		height, index = max(p.height-1, 0), math.MaxUint32
	case math.MaxUint32:
		index = p.n
	}
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(height)), index)
}

// follower is one reader of blocks and transactions. Nothing waits for it in
// memory: it reads on from its place in the index, at its own pace.
type follower struct {
	server   *Server
	blocks   bool
	subjects []Subject
	at       place
	resumed  bool // it was told everything up to at, on another connection
	wake     chan struct{}
}

// follow tells blocks, and transactions that name records, until the reader or
// the node goes.
func (s *Server) follow(w http.ResponseWriter, r *http.Request, _ []byte) {
	if r.Method != http.MethodGet { // as in events
		s.fail(w, errNoPath)
		return
	}
	f, err := s.newFollower(r)
	if err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	_ = f.run(r.Context(), w) // the reader has gone or does not read; it comes back
}

// newFollower reads id, blocks and after; Last-Event-ID, which a browser sends
// when it connects again, is newer than after.
func (s *Server) newFollower(r *http.Request) (*follower, error) {
	q, err := query(r)
	if err != nil {
		return nil, err
	}
	f := &follower{server: s, wake: make(chan struct{}, 1)}
	after := ""
	for name, values := range q {
		switch {
		case name == "id" && len(values) <= maxWatched:
			for _, v := range values {
				subject, err := ParseSubject(v)
				if err != nil {
					return nil, errQuery
				}
				if !slices.Contains(f.subjects, subject) {
					f.subjects = append(f.subjects, subject)
				}
			}
		case name == "blocks" && len(values) == 1 && (values[0] == "0" || values[0] == "1"):
			f.blocks = values[0] == "1"
		case name == "after" && len(values) == 1 && values[0] != "":
			after = values[0]
		default:
			return nil, errQuery
		}
	}
	f.blocks = f.blocks || len(f.subjects) == 0
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		after = last
	}
	if f.resumed = after != ""; f.resumed {
		f.at, err = parsePlace(after)
		return f, err
	}
	state := s.index.State()
	switch {
	case state.Failed:
		return nil, ErrNoIndex
	case !state.Ready:
		return nil, ErrIndexing
	}
	f.at = whole(state.Height)
	return f, nil
}

// run writes events until ctx ends or a write takes too long.
func (f *follower) run(ctx context.Context, w http.ResponseWriter) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f.server.index.Watch(ctx, f.block)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	out := fmt.Appendf(nil, "id: %s\nevent: start\ndata: {\"after\":\"%s\"}\n\n", f.at, f.at)
	for {
		slow, err := send(w, out)
		if err != nil || ctx.Err() != nil {
			return err
		}
		if slow {
			_, err := send(w, f.last(&Error{Code: "slow_reader", Message: "events were not read in time", Try: "connect again with Last-Event-ID"}))
			return err
		}
		if out, err = f.next(); err != nil {
			_, err := send(w, f.last(explain(err)))
			return err
		}
		if len(out) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		case <-beat.C: // keeps the place that a reader would come back to near the present
			out = fmt.Appendf(nil, "id: %s\n:\n\n", f.at)
		}
	}
}

// send writes, and reports whether the reader took long for it.
func send(w http.ResponseWriter, out []byte) (slow bool, err error) {
	if len(out) == 0 {
		return false, nil
	}
	start := time.Now()
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(start.Add(eventTimeout)); err != nil {
		return false, err
	}
	if _, err := w.Write(out); err != nil {
		return false, err
	}
	err = control.Flush()
	return time.Since(start) > slowTime, err
}

// last is the event after which the connection ends.
func (f *follower) last(e *Error) []byte {
	var out bytes.Buffer
	event(&out, "end", e)
	return out.Bytes()
}

// block is called by the index.
func (f *follower) block(Head, []key.AccountID) {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// told is one event with its place.
type told struct {
	at    place
	name  string
	value any
}

// next gives the events after the follower's place, and moves it on.
func (f *follower) next() ([]byte, error) {
	events, end, from, err := f.read()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if f.resumed && f.at.height < from && from > 1 {
		fmt.Fprintf(&out, "id: %s\nevent: gap\ndata: {\"from\":%d}\n\n", whole(from-1), from)
		f.at = whole(from - 1)
	}
	f.resumed = false
	slices.SortFunc(events, func(a, b told) int { return a.at.compare(b.at) })
	for _, e := range events {
		if e.at.compare(f.at) > 0 && e.at.compare(end) <= 0 {
			fmt.Fprintf(&out, "id: %s\n", e.at)
			event(&out, e.name, e.value)
		}
	}
	if end.compare(f.at) > 0 {
		f.at = end
	}
	return out.Bytes(), nil
}

// read gives the events of both lists, and up to where they are all there.
func (f *follower) read() (events []told, end place, from int64, err error) {
	end = whole(math.MaxInt64)
	if f.blocks {
		after := binary.BigEndian.AppendUint64(nil, uint64(f.at.height))
		p, err := f.server.index.Blocks(true, Part{After: after, Limit: maxFollowed})
		if err != nil {
			return nil, end, 0, err
		}
		for _, b := range p.Items {
			events = append(events, told{place{b.Height, 0}, "block", b})
		}
		from, end = p.From, least(end, p.Head, p.Next)
	}
	if len(f.subjects) > 0 {
		p, err := f.server.index.Txs(TxQuery{Subjects: f.subjects, Ascending: true}, Part{After: f.at.txs(), Limit: maxFollowed})
		if err != nil {
			return nil, end, 0, err
		}
		for _, x := range p.Items {
			events = append(events, told{place{x.Height, x.Index + 1}, "tx", x})
		}
		from, end = max(from, p.From), least(end, p.Head, p.Next)
	}
	return events, end, from, nil
}

// least is how far a page and what was read before it reach together.
func least(end place, head Head, next []byte) place {
	p := whole(head.Height)
	if next != nil {
		p = place{height: int64(binary.BigEndian.Uint64(next))}
	}
	if len(next) == sizeTx {
		p.n = binary.BigEndian.Uint32(next[sizeHeight:]) + 1
	}
	if p.compare(end) < 0 {
		return p
	}
	return end
}
