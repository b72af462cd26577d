package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/hbus/internal/wire"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func pair(t *testing.T) (a, b *wire.Conn) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.DialUnix("unix", nil, ln.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	d, err := ln.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct {
		to **wire.Conn
		c  *net.UnixConn
	}{{&a, c}, {&b, d}} {
		w, err := wire.New(p.c)
		if err != nil {
			t.Fatal(err)
		}
		*p.to = w
		t.Cleanup(func() { w.Close(nil); w.Wait() })
	}
	return a, b
}

// Frames of all sizes arrive whole and in order, also when the socket's buffer
// is full in between.
func TestConn_Order(t *testing.T) {
	a, b := pair(t)
	const n = 40
	go func() {
		for i := range n {
			data := json.RawMessage(`"` + string(bytes.Repeat([]byte("x"), i*1000)) + `"`)
			if !a.Queue(&msg.Result{ID: uint64(i + 1), Result: data}, wire.Reply) {
				t.Errorf("frame %d refused", i)
			}
			a.Flush()
		}
	}()
	var dec msg.Decoder
	for i := range n {
		body, err := b.Next()
		if err != nil {
			t.Fatal(err)
		}
		m, err := dec.Decode(body)
		if err != nil {
			t.Fatal(err)
		}
		if r := m.(*msg.Result); r.ID != uint64(i+1) || len(r.Result) != i*1000+2 {
			t.Fatalf("frame %d: id %d, %d bytes", i, r.ID, len(r.Result))
		}
	}
	a.Close(nil)
	if _, err := b.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("end: %v", err)
	}
}

// Each class stops at its bound; only control ends the connection.
func TestConn_Bounds(t *testing.T) {
	a, b := pair(t)
	big := &msg.Result{ID: 1, Result: append(append([]byte{'"'}, bytes.Repeat([]byte("x"), 60<<10)...), '"')}
	fill := func(class wire.Class) int {
		n := 0
		for a.Queue(big, class) {
			n++
		}
		return n
	}
	soft := fill(wire.Request)
	if soft*60<<10 > wire.SoftQueue || soft < 8 {
		t.Errorf("%d requests", soft)
	}
	for range 3 {
		if a.Queue(big, wire.Event) {
			t.Error("an event over the bound")
		}
	}
	if n := soft + fill(wire.Reply); n*60<<10 > wire.HardQueue || n < 30 {
		t.Errorf("%d replies", n)
	}
	if !a.Queue(&msg.Ping{ID: 1}, wire.Control) || a.Err() != nil {
		t.Errorf("control: %v", a.Err())
	}
	a.Flush()
	// The notice of loss follows what was queued before.
	var last msg.Message
	for {
		body, err := b.Next()
		if err != nil {
			t.Fatal(err)
		}
		if last, err = msg.Decode(body); err != nil {
			t.Fatal(err)
		}
		if _, ok := last.(*msg.Result); !ok {
			if _, ok := last.(*msg.Ping); !ok {
				break
			}
		}
	}
	if l, ok := last.(*msg.Lost); !ok || l.N != 3 {
		t.Errorf("got %#v", last)
	}
	fill(wire.Control)
	if !errors.Is(a.Err(), wire.ErrOverflow) {
		t.Errorf("overflow: %v", a.Err())
	}
	if a.Queue(&msg.Ping{ID: 1}, wire.Control) {
		t.Error("queued after the end")
	}
}

func TestConn_CutFrame(t *testing.T) {
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, bytes := range []string{"\x00", "\x00\x00\x00\x05ab"} {
		c, err := net.DialUnix("unix", nil, ln.Addr().(*net.UnixAddr))
		if err != nil {
			t.Fatal(err)
		}
		d, err := ln.AcceptUnix()
		if err != nil {
			t.Fatal(err)
		}
		w, err := wire.New(d)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, bytes)
		c.Close()
		if _, err := w.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v", bytes, err)
		}
		w.Close(nil)
	}
}
