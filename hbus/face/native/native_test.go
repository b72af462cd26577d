//go:build linux

package native_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/hbus/broker"
	"github.com/hybridos-net/hybridos/hbus/client"
	"github.com/hybridos-net/hybridos/hbus/face/native"
	"github.com/hybridos-net/hybridos/hbus/hbustest"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func dir(t *testing.T) string {
	t.Helper()
	d, err := os.MkdirTemp("", "hbus")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(d) })
	return d
}

func TestListen_Mode(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	for _, mode := range []fs.FileMode{0o600, 0o660} {
		path := filepath.Join(dir(t), "run", "bus.sock")
		l, err := native.Listen(path, mode)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != fs.ModeSocket|mode {
			t.Errorf("socket: %v, %v", info.Mode(), err)
		}
		if info, err = os.Lstat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("directory: %v, %v", info.Mode(), err)
		}
		if _, err := os.Lstat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the name before: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after close: %v", err)
		}
	}
}

func TestListen_Refusals(t *testing.T) {
	d := dir(t)
	file := filepath.Join(d, "file")
	if err := os.WriteFile(file, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(d, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	live := filepath.Join(d, "live")
	l, err := native.Listen(live, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	foreign := filepath.Join(d, "foreign")
	f, err := net.Listen("unix", foreign)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, tc := range []struct {
		path string
		mode fs.FileMode
		want error
	}{
		{file, 0o600, native.ErrNotSocket}, {filepath.Join(open, "s"), 0o600, native.ErrUnsafeDir},
		{live, 0o600, native.ErrInUse}, {foreign, 0o600, native.ErrInUse},
		{filepath.Join(d, strings.Repeat("x", 108)), 0o600, native.ErrPathTooLong},
		{filepath.Join(d, "s"), 0o666, native.ErrMode}, {filepath.Join(file, "s"), 0o600, syscall.ENOTDIR},
	} {
		if l, err := native.Listen(tc.path, tc.mode); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, %v; want %v", tc.path, l, err, tc.want)
		}
	}
	// The live ones still answer, the file is still there.
	for _, p := range []string{live, foreign} {
		c, err := net.Dial("unix", p)
		if err != nil {
			t.Errorf("%s was damaged: %v", p, err)
			continue
		}
		c.Close()
	}
	if got, err := os.ReadFile(file); string(got) != "keep" {
		t.Errorf("file: %q, %v", got, err)
	}
}

// A socket left behind by a process that died is replaced.
func TestListen_Stale(t *testing.T) {
	path := filepath.Join(dir(t), "bus.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	l, err := native.Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	// Whoever took the path since keeps it.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("close took away another's file: %v", err)
	}
}

// raw is a client that speaks bytes.
type raw struct {
	t *testing.T
	net.Conn
}

func dialRaw(t *testing.T, bus *hbustest.Bus) raw {
	t.Helper()
	c, err := net.Dial("unix", bus.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	r := raw{t, c}
	if _, ok := r.read().(*msg.Hello); !ok {
		t.Fatal("no hello")
	}
	return r
}

func (r raw) read() msg.Message {
	r.t.Helper()
	var h [msg.HeaderSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		r.t.Fatalf("read: %v", err)
	}
	body := make([]byte, binary.BigEndian.Uint32(h[:]))
	if _, err := io.ReadFull(r, body); err != nil {
		r.t.Fatalf("read: %v", err)
	}
	m, err := msg.Decode(body)
	if err != nil {
		r.t.Fatalf("%s: %v", body, err)
	}
	return m
}

func (r raw) body(body string) {
	r.t.Helper()
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	if _, err := r.Write(append(b, body...)); err != nil {
		r.t.Fatal(err)
	}
}

func (r raw) auth(app string) {
	r.t.Helper()
	r.body(`{"t":"auth","version":1,"app":"` + app + `"}`)
	if _, ok := r.read().(*msg.Welcome); !ok {
		r.t.Fatal("no welcome")
	}
}

func (r raw) refused(code msg.Code) {
	r.t.Helper()
	m := r.read()
	if e, ok := m.(*msg.Error); !ok || e.Code != code || e.ID != 0 {
		r.t.Errorf("got %#v, want %s", m, code)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil {
		r.t.Error("the connection goes on")
	}
}

func TestServer_BadBytes(t *testing.T) {
	bus := hbustest.Start(t)
	for _, tc := range []struct {
		name, bytes string
		want        msg.Code
	}{
		{"huge length", "\xff\xff\xff\xff", msg.TooLarge},
		{"empty frame", "\x00\x00\x00\x00", msg.Malformed},
		{"not JSON", "\x00\x00\x00\x01x", msg.Malformed},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", msg.TooLarge},
		{"unknown field", "\x00\x00\x00\x19" + `{"t":"ping","id":1,"x":0}`, msg.UnknownField},
		{"event from a client", "\x00\x00\x00\x12" + `{"t":"lost","n":1}` + "\x00\x00\x00\x01x", msg.Unexpected},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := dialRaw(t, bus)
			r.auth("bad")
			r.Write([]byte(tc.bytes))
			r.refused(tc.want)
		})
	}
	r := dialRaw(t, bus)
	r.body(`{"t":"ping","id":1}`)
	r.refused(msg.NotAuthenticated)
	if err := bus.Dial(t, "good").Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestServer_HandshakeTimeout(t *testing.T) {
	bus := hbustest.Start(t, hbustest.Native(func(c *native.Config) { c.Handshake = 20 * time.Millisecond }))
	dialRaw(t, bus).refused(msg.NotAuthenticated)
}

// A frame that never ends, and one that comes byte by byte, hinder nobody.
func TestServer_PartialFrame(t *testing.T) {
	bus := hbustest.Start(t)
	slow := dialRaw(t, bus)
	slow.auth("slow")
	slow.Write([]byte("\x00\x04\x00\x00{"))
	drip := dialRaw(t, bus)
	drip.auth("drip")
	good := bus.Dial(t, "good")
	for _, c := range []byte("\x00\x00\x00\x13" + `{"t":"ping","id":9}`) {
		if err := good.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		drip.Write([]byte{c})
	}
	if m, ok := drip.read().(*msg.Pong); !ok || m.ID != 9 {
		t.Errorf("got %v", m)
	}
}

// A subscriber that stops reading loses events, is told how many, and the
// publisher and others never wait for it.
func TestServer_SlowReader(t *testing.T) {
	bus := hbustest.Start(t)
	slow := dialRaw(t, bus)
	slow.auth("slow")
	slow.body(`{"t":"subscribe","id":1,"pattern":"lock/*"}`)
	slow.read()
	lock := bus.Dial(t, "lock")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	data := json.RawMessage(`"` + strings.Repeat("x", 8<<10) + `"`)
	const total = 300
	for range total {
		if err := lock.Publish(ctx, "lock/state", data); err != nil {
			t.Fatal(err)
		}
	}
	var got, lost uint64
	for got+lost < total {
		switch m := slow.read().(type) {
		case *msg.Event:
			got++
		case *msg.Lost:
			lost += m.N
		default:
			t.Fatalf("got %#v", m)
		}
	}
	if got+lost != total || lost == 0 || got == 0 {
		t.Errorf("%d came, %d lost, of %d", got, lost, total)
	}
	// It is not punished: the next event comes.
	if err := lock.Publish(ctx, "lock/state", nil); err != nil {
		t.Fatal(err)
	}
	if e, ok := slow.read().(*msg.Event); !ok || e.Data != nil {
		t.Errorf("got %#v", e)
	}
}

// A provider that stops reading: calls end with busy or timeout, other
// providers serve on.
func TestServer_HungProvider(t *testing.T) {
	bus := hbustest.Start(t, hbustest.Broker(func(c *broker.Config) { c.Limits.Outstanding = 1000 }))
	hung := dialRaw(t, bus)
	hung.auth("hung")
	hung.body(`{"t":"register","id":1,"endpoint":"hung","method":"hung/x"}`)
	hung.read()
	good := bus.Dial(t, "good")
	if err := good.Register(t.Context(), "good/x", func(_ context.Context, c client.Call) (json.RawMessage, error) {
		return c.Params, nil
	}); err != nil {
		t.Fatal(err)
	}
	caller := bus.Dial(t, "caller")
	params := json.RawMessage(`"` + strings.Repeat("x", 100<<10) + `"`)
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 32)
	for range cap(results) {
		go func() {
			_, err := caller.Call(ctx, "hung", "hung/x", params)
			results <- err
		}()
	}
	if err := <-results; !errors.Is(err, msg.Busy) {
		t.Errorf("got %v", err)
	}
	if _, err := caller.Call(t.Context(), "good", "good/x", params); err != nil {
		t.Errorf("another provider: %v", err)
	}
	cancel()
	for range cap(results) - 1 {
		if err := <-results; !errors.Is(err, msg.Busy) && !errors.Is(err, msg.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	short, stop := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer stop()
	if _, err := caller.Call(short, "hung", "hung/x", nil); !errors.Is(err, msg.Timeout) && !errors.Is(err, msg.Busy) {
		t.Errorf("got %v", err)
	}
}

// A peer that asks and never reads the answers is disconnected, not served from
// memory without end.
func TestServer_NeverReads(t *testing.T) {
	bus := hbustest.Start(t)
	r := dialRaw(t, bus)
	r.auth("greedy")
	ping := binary.BigEndian.AppendUint32(nil, 19)
	chunk := []byte(strings.Repeat(string(append(ping, `{"t":"ping","id":9}`...)), 1000))
	for {
		if _, err := r.Write(chunk); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("still connected")
			}
			return
		}
	}
}

func TestNew_NeedsParts(t *testing.T) {
	if _, err := native.New(native.Config{}); err == nil {
		t.Error("accepted")
	}
}
