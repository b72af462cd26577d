package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hybridos-net/hybridos/chain/key"
)

// reader follows a stream of events.
type reader struct {
	w    *world
	conn net.Conn
	in   *bufio.Reader
}

func (w *world) events(from int, query string) *reader {
	w.t.Helper()
	c := w.pipes.dial(from)
	r, err := w.send(c, get("/v1/events"+query))
	if err != nil || r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/event-stream" {
		w.t.Fatalf("%v %v", r, err)
	}
	return &reader{w, c, bufio.NewReader(r.Body)}
}

// next is the next event on one line.
func (r *reader) next() string {
	r.w.t.Helper()
	var out []string
	for {
		line, err := r.in.ReadString('\n')
		if err != nil {
			return err.Error()
		}
		if line = strings.TrimSpace(line); line == "" {
			return strings.Join(out, " ")
		}
		out = append(out, line)
	}
}

func (r *reader) expect(want ...string) {
	r.w.t.Helper()
	for _, s := range want {
		if got := r.next(); got != s {
			r.w.t.Fatalf("got  %s\nwant %s", got, s)
		}
	}
}

func (r *reader) end() {
	_ = r.conn.Close()
	synctest.Wait()
}

func device(id key.DeviceID, online bool) string {
	return fmt.Sprintf(`event: device data: {"id":"%s","online":%v}`, id, online)
}

func head(n int) string {
	return fmt.Sprintf(`event: head data: {"height":%d,"time":"2030-01-01T00:00:%02dZ"}`, n, n)
}

func headAt(n int) Head {
	return Head{Height: int64(n), Time: time.Date(2030, 1, 1, 0, 0, n, 0, time.UTC)}
}

func TestEvents_Story(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		owner := key.AccountID{9}
		lock, bell, asked := key.DeviceID{1}, key.DeviceID{2}, key.DeviceID{3}
		w.lists.block(headAt(1), owner, lock)
		w.devices.set(lock, true)
		r := w.events(1, "?account="+owner.String()+"&device="+asked.String())
		r.expect(head(1), device(lock, true), device(asked, false))

		w.devices.set(lock, false)
		r.expect(device(lock, false))
		w.devices.set(bell, true) // neither asked for nor owned
		w.devices.set(asked, true)
		r.expect(device(asked, true))

		w.lists.block(headAt(2), key.AccountID{})
		r.expect(head(2))
		w.lists.block(headAt(3), key.AccountID{7}) // somebody else's
		r.expect(head(3))
		w.lists.block(headAt(4), owner, lock, bell)
		r.expect(head(4), device(bell, true), fmt.Sprintf(`event: rights data: {"account":"%s"}`, owner))
		w.devices.set(bell, false)
		r.expect(device(bell, false))
		w.lists.block(headAt(5), owner, lock) // the bell is another's now
		r.expect(head(5), fmt.Sprintf(`event: rights data: {"account":"%s"}`, owner))
		w.devices.set(bell, true)
		w.devices.set(lock, true)
		r.expect(device(lock, true))

		before := time.Now()
		r.expect(":")
		if d := time.Since(before); d != heartbeat {
			t.Errorf("first comment after %s", d)
		}
		r.expect(":", ":", ":") // past every timeout of the server
		w.lists.block(headAt(6), key.AccountID{})
		r.expect(head(6))
		r.end()
		if len(w.devices.watchers) != 0 || len(w.lists.watchers) != 0 {
			t.Error("still watches after the reader has gone")
		}
	})
}

// A node that starts has no head of the index yet and tells the engine's.
func TestEvents_FirstHeadFromStatus(t *testing.T) {
	run(t, &fake{status: Status{Height: 7, Time: headAt(7).Time}}, func(w *world) {
		w.lists.head.Height = 7
		r := w.events(1, "")
		r.expect(head(7))
		r.end()
	})
}

// What happens while nobody reads is told as it stands when it is read.
func TestEvents_BurstIsTold(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		id := key.DeviceID{1}
		w.lists.block(headAt(1), key.AccountID{})
		r := w.events(1, "?device="+id.String())
		r.expect(head(1), device(id, false))
		synctest.Wait()
		w.lists.block(headAt(2), key.AccountID{}) // the writer stands in the pipe with this one
		synctest.Wait()
		for n := 3; n < 50; n++ {
			w.lists.block(headAt(n), key.AccountID{})
			w.devices.set(id, n%2 == 0)
		}
		w.devices.set(id, true)
		r.expect(head(2), head(49), device(id, true))
		r.end()
	})
}

// A reader that stops reading is cut off, and holds nothing.
func TestEvents_SlowReaderIsCutOff(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		w.lists.block(headAt(1), key.AccountID{})
		r := w.events(1, "")
		r.expect(head(1))
		w.lists.block(headAt(2), key.AccountID{})
		<-time.After(eventTimeout + 1)
		synctest.Wait()
		if _, err := io.ReadAll(r.conn); err != nil || len(w.lists.watchers) != 0 {
			t.Errorf("still served: %v, %d watchers", err, len(w.lists.watchers))
		}
	})
}

// When the node stops, readers are let go.
func TestEvents_EndWithTheNode(t *testing.T) {
	run(t, &fake{}, func(w *world) {
		r := w.events(1, "")
		r.next()
		got := make(chan error, 1)
		go func() {
			_, err := io.ReadAll(r.conn)
			got <- err
		}()
		w.events(2, "") // does not read its first event
		start := time.Now()
		w.stop()
		if err := <-got; err != nil || time.Since(start) > stopTimeout+time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		w.stop = func() {}
	})
}
