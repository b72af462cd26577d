package guard

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served is a running front on a loopback port.
type served struct {
	addr    string
	refused chan *Error
}

func serve(t *testing.T, cfg Config, handle func(*Conn) error) served {
	t.Helper()
	s := served{refused: make(chan *Error, 1024)}
	cfg.Refused = func(_ net.Addr, why *Error) { s.refused <- why }
	front, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- front.Run(ctx, l, handle) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		if len(front.conns) != 0 || len(front.byHost) != 0 {
			t.Errorf("connections still counted: %v %v", front.conns, front.byHost)
		}
	})
	return s
}

func (s served) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func (s served) wantRefusal(t *testing.T, kind ErrorKind) {
	t.Helper()
	select {
	case got := <-s.refused:
		if !errors.Is(got, kind) {
			t.Fatalf("got %v, want %v", got, kind)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("no refusal, want %v", kind)
	}
}

// drain reads what the guard lets through, as an engine would, after login.
func drain(c *Conn) error {
	c.LoggedIn()
	_, err := io.Copy(io.Discard, c)
	return err
}

func TestFront_ConnectTimeout(t *testing.T) {
	s := serve(t, Config{ConnectTimeout: 50 * time.Millisecond}, drain)
	for name, part := range map[string][]byte{"silent": nil, "half a CONNECT": {0x10, 0x0f, 0, 4}} {
		c := s.dial(t)
		if _, err := c.Write(part); err != nil {
			t.Fatal(err)
		}
		s.wantRefusal(t, ConnectTimeout)
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: connection is open after the deadline: %v", name, err)
		}
	}
}

func TestFront_PacketTimeout(t *testing.T) {
	s := serve(t, Config{PacketTimeout: 50 * time.Millisecond}, drain)
	c := s.dial(t)
	if _, err := c.Write(append(unhex(t, connect5), 0x30, 0x10, 0)); err != nil {
		t.Fatal(err)
	}
	s.wantRefusal(t, PacketTimeout)
	told, err := io.ReadAll(c)
	if err != nil || string(told) != "\xe0\x02\x82\x00" {
		t.Errorf("client was told %x (%v), want DISCONNECT 0x82", told, err)
	}
}

func TestFront_KeepAlive(t *testing.T) {
	s := serve(t, Config{}, drain)
	c := s.dial(t)
	begun := time.Now()
	if _, err := c.Write(unhex(t, "10 0f 0004 4d515454 04 02 0001 0003 616263")); err != nil {
		t.Fatal(err)
	}
	s.wantRefusal(t, KeepAliveTimeout)
	if took := time.Since(begun); took < 1400*time.Millisecond {
		t.Errorf("cut off after %v, before one and a half keep alives", took)
	}
}

func TestFront_SlowReader(t *testing.T) {
	ended := make(chan error, 1)
	s := serve(t, Config{WriteTimeout: 50 * time.Millisecond}, func(c *Conn) error {
		for {
			if _, err := c.Write(make([]byte, 1<<20)); err != nil {
				ended <- err
				return err
			}
		}
	})
	s.dial(t) // and never reads
	if err := <-ended; !errors.Is(err, SlowReader) {
		t.Errorf("write ended with %v", err)
	}
	s.wantRefusal(t, SlowReader)
}

func TestConn_LongKeepAliveDoesNotOverflow(t *testing.T) {
	c := &Conn{validator: Validator{Version: 4, KeepAlive: 65535}}
	if d := time.Until(c.idleDeadline()); d < 27*time.Hour {
		t.Errorf("deadline in %v for a keep alive of 65535 s", d)
	}
}

func TestFront_CapsBeforeAndAfterLogin(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, Config{}, func(c *Conn) error {
		buf := make([]byte, 64)
		if _, err := c.Read(buf); err != nil { // CONNECT
			return err
		}
		<-release
		return drain(c)
	})
	// A CONNECT over 16 KiB.
	if _, err := s.dial(t).Write([]byte{0x10, 0x81, 0x80, 0x01}); err != nil {
		t.Fatal(err)
	}
	s.wantRefusal(t, PacketTooLarge)
	// 200 KiB after login pass, over 256 KiB do not.
	c := s.dial(t)
	publish := append([]byte{0x30, 0x80, 0xC0, 0x0C, 0, 1, 'a'}, make([]byte, 200<<10-3)...)
	stream := append(unhex(t, connect4), publish...)
	close(release)
	if _, err := c.Write(append(stream, 0x30, 0x81, 0x80, 0x10)); err != nil {
		t.Fatal(err)
	}
	s.wantRefusal(t, PacketTooLarge)
}

func TestFront_ConnectionCaps(t *testing.T) {
	for kind, cfg := range map[ErrorKind]Config{
		TooManyConnections: {MaxConns: 2},
		TooManyFromAddress: {MaxConnsPerAddress: 2},
	} {
		t.Run(string(kind), func(t *testing.T) {
			up := make(chan struct{}, 8)
			ended := make(chan struct{}, 8)
			s := serve(t, cfg, func(c *Conn) error {
				up <- struct{}{}
				defer func() { ended <- struct{}{} }()
				return drain(c)
			})
			first := s.dial(t)
			s.dial(t)
			<-up
			<-up
			third := s.dial(t)
			s.wantRefusal(t, kind)
			if _, err := third.Read(make([]byte, 1)); err == nil {
				t.Error("connection over the cap is open")
			}
			// Room again once one left. Its slot is freed just after its handler
			// returned, so refusals may still come; one dial gets in.
			_ = first.Close()
			<-ended
			for in := false; !in; {
				s.dial(t)
				select {
				case <-up:
					in = true
				case <-s.refused:
				}
			}
		})
	}
}

func TestFront_SurvivesPanic(t *testing.T) {
	var once sync.Once
	s := serve(t, Config{}, func(c *Conn) error {
		once.Do(func() { panic("handler broke") })
		_, err := c.Write([]byte("alive"))
		return err
	})
	if got, _ := io.ReadAll(s.dial(t)); len(got) != 0 {
		t.Errorf("panicking handler answered %q", got)
	}
	s.wantRefusal(t, Panicked)
	if got, err := io.ReadAll(s.dial(t)); err != nil || string(got) != "alive" {
		t.Errorf("after a panic the next client got %q, %v", got, err)
	}
}

func TestConn_OnePacketPerRead(t *testing.T) {
	got := make(chan string, 3)
	s := serve(t, Config{}, func(c *Conn) error {
		for range 2 {
			buf := make([]byte, 4096)
			n, err := c.Read(buf)
			if err != nil {
				return err
			}
			got <- string(buf[:n])
		}
		return nil
	})
	if _, err := s.dial(t).Write(unhex(t, connect4+"c0 00 c0 00")); err != nil {
		t.Fatal(err)
	}
	if first := <-got; first != string(unhex(t, connect4)) {
		t.Errorf("first read gave %x", first)
	}
	if second := <-got; second != "\xc0\x00" {
		t.Errorf("second read gave %x", second)
	}
}

func TestNew_RefusesNegativeLimits(t *testing.T) {
	if _, err := New(Config{MaxConns: -1}); err == nil {
		t.Error("negative cap accepted")
	}
}

// flaky is a listener whose first accepts fail the way a full descriptor table
// makes them fail.
type flaky struct {
	net.Listener
	failures int
}

func (l *flaky) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, errors.New("too many open files")
	}
	return l.Listener.Accept()
}

func TestFront_OutlivesAcceptErrors(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	front, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	up := make(chan struct{})
	go func() {
		done <- front.Run(ctx, &flaky{Listener: inner, failures: 3}, func(*Conn) error { close(up); return nil })
	}()
	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	<-up
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}
