package api

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func (w *world) follower(query string, headers ...string) *reader {
	w.t.Helper()
	c := w.pipes.dial(1)
	text := strings.TrimSuffix(get("/v1/follow"+query), "\r\n")
	for i := 0; i < len(headers); i += 2 {
		text += headers[i] + ": " + headers[i+1] + "\r\n"
	}
	r, err := w.send(c, text+"\r\n")
	if err != nil || r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatalf("%v %v", r, err)
	}
	return &reader{w, c, bufio.NewReader(r.Body)}
}

func started(at string) string {
	return fmt.Sprintf(`id: %s event: start data: {"after":"%s"}`, at, at)
}

func blockEvent(n, txs int) string {
	return fmt.Sprintf(`id: %d.0 event: block data: {"height":%d,"time":"2030-01-01T00:00:%02dZ","hash":"00","txs":%d}`, n, n, n, txs)
}

func txEvent(n, i int) string {
	return fmt.Sprintf(`id: %d.%d event: tx data: {"height":%d,"index":%d,"time":"2030-01-01T00:00:%02dZ","id":"%s","kind":"claim","account":"%s","code":0}`,
		n, i+1, n, i, n, tx.ID{byte(n), byte(i)}, key.AccountID{})
}

func TestFollow_Story(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		lock, bell, other := DeviceSubject(key.DeviceID{1}), DeviceSubject(key.DeviceID{2}), DeviceSubject(key.DeviceID{3})
		w.lists.grow(1, []Subject{lock})
		all := w.follower("")
		all.expect(started("1"))
		r := w.follower("?blocks=1&id=" + lock.String() + "&id=" + bell.String())
		r.expect(started("1"))
		some := w.follower("?id=" + bell.String())
		some.expect(started("1"))

		w.lists.grow(2, []Subject{other}, []Subject{lock, bell}, []Subject{bell})
		r.expect(blockEvent(2, 3), txEvent(2, 1), txEvent(2, 2))
		all.expect(blockEvent(2, 3))
		some.expect(txEvent(2, 1), txEvent(2, 2))
		w.lists.grow(3)
		r.expect(blockEvent(3, 0))
		all.expect(blockEvent(3, 0))
		r.end()
		all.end()

		// A silent stream moves the place to which a reader would come back.
		before := time.Now()
		some.expect("id: 3 :")
		if d := time.Since(before); d != heartbeat {
			t.Errorf("first comment after %s", d)
		}
		some.end()
		if len(w.lists.watchers) != 0 {
			t.Error("still watches after the reader has gone")
		}
	})
}

// Who comes back is told what it missed, from the very event on, and what cannot
// be told any more.
func TestFollow_Resume(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		lock := DeviceSubject(key.DeviceID{1})
		for n := range 5 {
			w.lists.grow(n+1, []Subject{lock}, []Subject{lock})
		}
		r := w.follower("?blocks=1&after=1.0&id="+lock.String(), "Last-Event-ID", "3.1")
		r.expect(started("3.1"), txEvent(3, 1), blockEvent(4, 2), txEvent(4, 0), txEvent(4, 1), blockEvent(5, 2), txEvent(5, 0), txEvent(5, 1))
		r.end()
		r = w.follower("?blocks=1&id=" + lock.String() + "&after=5.0")
		r.expect(started("5.0"), txEvent(5, 0), txEvent(5, 1))
		r.end()
		r = w.follower("?id=" + lock.String() + "&after=4")
		r.expect(started("4"), txEvent(5, 0), txEvent(5, 1))
		r.end()
		w.lists.from = 5
		r = w.follower("?after=2")
		r.expect(started("2"), `id: 4 event: gap data: {"from":5}`, blockEvent(5, 2))
		r.end()
		r = w.follower("?after=9.1") // of a node that is ahead of this one
		r.expect(started("9.1"))
		w.lists.grow(6)
		w.lists.grow(9)
		w.lists.grow(10)
		r.expect(blockEvent(10, 0))
		r.end()
	})
}

// Long gaps come in writes of bounded size, whole and in order.
func TestFollow_ManyAtOnce(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		lock := DeviceSubject(key.DeviceID{1})
		const blocks = 5
		many := make([][]Subject, maxFollowed-1)
		for i := range many {
			many[i] = []Subject{lock}
		}
		for n := range blocks {
			w.lists.grow(n+1, many...)
		}
		r := w.follower("?blocks=1&after=0&id=" + lock.String())
		r.expect(started("0"))
		for n := range blocks {
			r.expect(blockEvent(n+1, len(many)))
			for i := range many {
				r.expect(txEvent(n+1, i))
			}
		}
		r.end()
	})
}

// A slow reader is told so and let go; one that does not read at all is cut off.
func TestFollow_SlowReader(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		w.lists.grow(1)
		r := w.follower("")
		r.expect(started("1"))
		w.lists.grow(2)
		<-time.After(slowTime + 1)
		r.expect(blockEvent(2, 0), `event: end data: {"code":"slow_reader","message":"events were not read in time","try":"connect again with Last-Event-ID"}`)
		if got := r.next(); got != io.EOF.Error() {
			t.Errorf("then %s", got)
		}
		r = w.follower("")
		r.expect(started("2"))
		w.lists.grow(3)
		<-time.After(eventTimeout + 1)
		synctest.Wait()
		if _, err := io.ReadAll(r.conn); err != nil || len(w.lists.watchers) != 0 {
			t.Errorf("still served: %v, %d watchers", err, len(w.lists.watchers))
		}
	})
}

// When the lists are made anew the stream ends, and says why.
func TestFollow_IndexStops(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		w.lists.grow(1)
		r := w.follower("")
		r.expect(started("1"))
		w.lists.mu.Lock()
		w.lists.err = ErrIndexing
		w.lists.mu.Unlock()
		w.lists.tell(headAt(2), nil)
		if got := r.next(); !strings.HasPrefix(got, `event: end data: {"code":"indexing"`) {
			t.Error(got)
		}
		r.end()
	})
}

// The devices of an account are told when lists are there again.
func TestEvents_AfterIndexing(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		owner, lock := key.AccountID{9}, key.DeviceID{1}
		w.lists.block(headAt(1), owner, lock)
		w.lists.err = ErrIndexing
		r := w.events(1, "?account="+owner.String())
		r.expect(head(1))
		w.lists.mu.Lock()
		w.lists.err = nil
		w.lists.mu.Unlock()
		w.lists.tell(headAt(1), nil)
		r.expect(device(lock, false))
		r.end()
	})
}

func FuzzPlace(f *testing.F) {
	for _, s := range []string{"0", "7", "7.0", "7.3", "9223372036854775807.4294967294", "7.4294967295", "-1", "7.", "07"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePlace(text)
		if err != nil {
			return
		}
		if p.String() != text || p.height < 0 || len(p.txs()) != sizeTx {
			t.Errorf("%q reads as %v", text, p)
		}
	})
}
