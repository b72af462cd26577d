package mux

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testKey(t testing.TB) (crypto.PrivKey, peer.ID) {
	t.Helper()
	seed, err := NewSeed(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := Key(seed)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, id
}

// end is one side of a test connection: how it secures and how it multiplexes.
type end struct {
	stock bool // the library's own parts
	mux   network.Multiplexer
}

func ours() end  { return end{mux: &Yamux{}} }
func stock() end { return end{stock: true, mux: yamux.DefaultTransport} }

func (e end) secure(t testing.TB) (sec.SecureTransport, peer.ID) {
	key, id := testKey(t)
	if e.stock {
		n, err := noise.New(noise.ID, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		return n, id
	}
	n, err := NewNoise(NoiseID, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n, id
}

// tcpPair is two ends of a loopback connection.
func tcpPair(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

// connect makes a multiplexed connection between two kinds of end.
func connect(t testing.TB, client, server end) (network.MuxedConn, network.MuxedConn) {
	t.Helper()
	a, b := tcpPair(t)
	ca, _ := client.secure(t)
	sb, id := server.secure(t)
	got := make(chan network.MuxedConn, 1)
	go func() {
		s, err := sb.SecureInbound(context.Background(), b, "")
		if err != nil {
			t.Error(err)
			close(got)
			return
		}
		m, _ := server.mux.NewConn(s, true, nil)
		got <- m
	}()
	s, err := ca.SecureOutbound(context.Background(), a, id)
	if err != nil {
		t.Fatal(err)
	}
	m, err := client.mux.NewConn(s, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	other := <-got
	t.Cleanup(func() { _ = m.Close(); _ = other.Close() })
	return m, other
}

// kinds runs a test over all pairings with the stock parts.
func kinds(t *testing.T, f func(t *testing.T, a, b network.MuxedConn)) {
	for _, c := range []struct {
		name string
		a, b end
	}{{"ours", ours(), ours()}, {"to stock", ours(), stock()}, {"from stock", stock(), ours()}} {
		t.Run(c.name, func(t *testing.T) {
			a, b := connect(t, c.a, c.b)
			f(t, a, b)
		})
	}
}

// open makes one stream and returns both its ends.
func open(t testing.TB, a, b network.MuxedConn) (network.MuxedStream, network.MuxedStream) {
	t.Helper()
	x, err := a.OpenStream(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.AcceptStream()
	if err != nil {
		t.Fatal(err)
	}
	return x, y
}

func TestStream_Transfer(t *testing.T) {
	kinds(t, func(t *testing.T, a, b network.MuxedConn) {
		x, y := open(t, a, b)
		data := make([]byte, 3<<20+17) // twelve windows
		rand.Read(data)
		var both sync.WaitGroup
		for _, s := range []network.MuxedStream{x, y} {
			both.Go(func() {
				if _, err := s.Write(data); err != nil {
					t.Error(err)
				}
				if err := s.CloseWrite(); err != nil {
					t.Error(err)
				}
			})
			both.Go(func() {
				got, err := io.ReadAll(s)
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("got %d bytes, %v", len(got), err)
				}
			})
		}
		both.Wait()
	})
}

// TestStream_Many: the right to read moves between many readers at once.
func TestStream_Many(t *testing.T) {
	kinds(t, func(t *testing.T, a, b network.MuxedConn) {
		var all sync.WaitGroup
		for range 20 {
			x, y := open(t, a, b)
			all.Go(func() {
				_, _ = io.Copy(y, y)
				_ = y.Close()
			})
			all.Go(func() {
				defer x.Close()
				msg, got := make([]byte, 700), make([]byte, 700)
				for i := range 200 {
					msg[0] = byte(i)
					if _, err := x.Write(msg); err != nil {
						t.Error(err)
						return
					}
					if _, err := io.ReadFull(x, got); err != nil || got[0] != msg[0] {
						t.Error(err, got[0], msg[0])
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// TestStream_Deadline: a reader that itself reads the connection still obeys.
func TestStream_Deadline(t *testing.T) {
	kinds(t, func(t *testing.T, a, b network.MuxedConn) {
		x, y := open(t, a, b)
		buf := make([]byte, 10)
		for range 3 {
			_ = x.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			_, err := x.Read(buf)
			var timeout interface{ Timeout() bool }
			if !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Fatalf("got %v", err)
			}
		}
		_ = x.SetReadDeadline(time.Time{})
		if _, err := y.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		if n, err := x.Read(buf); err != nil || string(buf[:n]) != "hello" {
			t.Fatalf("after the deadline: %q, %v", buf[:n], err)
		}
	})
}

func TestStream_WriteDeadline(t *testing.T) {
	a, b := connect(t, ours(), ours())
	x, y := open(t, a, b)
	_ = x.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	n, err := x.Write(make([]byte, Window+1))
	if n != Window || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("wrote %d, %v", n, err)
	}
	_ = x.SetWriteDeadline(time.Time{})
	if _, err := io.ReadFull(y, make([]byte, Window)); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
}

func TestStream_Reset(t *testing.T) {
	kinds(t, func(t *testing.T, a, b network.MuxedConn) {
		x, y := open(t, a, b)
		done := make(chan error, 1)
		go func() {
			_, err := y.Read(make([]byte, 1))
			done <- err
		}()
		_ = x.ResetWithError(42)
		err := <-done
		var se *network.StreamError
		if !errors.As(err, &se) || !se.Remote || se.ErrorCode != 42 || !errors.Is(err, network.ErrReset) {
			t.Fatalf("reader at the other end: %v", err)
		}
		if _, err := x.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
			t.Fatalf("own read: %v", err)
		}
		if _, err := y.Write([]byte{1}); !errors.Is(err, network.ErrReset) {
			t.Fatalf("write at the other end: %v", err)
		}
	})
}

// TestStream_ResetWakesReader: also the reader who reads the connection.
func TestStream_ResetWakesReader(t *testing.T) {
	a, b := connect(t, ours(), ours())
	for range 20 {
		x, y := open(t, a, b)
		done := make(chan error, 1)
		started := make(chan struct{})
		go func() {
			close(started)
			_, err := x.Read(make([]byte, 1))
			done <- err
		}()
		<-started
		_ = x.Reset()
		if err := <-done; !errors.Is(err, network.ErrReset) {
			t.Fatal(err)
		}
		_ = y.Close()
	}
}

func TestStream_HalfClose(t *testing.T) {
	kinds(t, func(t *testing.T, a, b network.MuxedConn) {
		x, y := open(t, a, b)
		if _, err := x.Write([]byte("ask")); err != nil {
			t.Fatal(err)
		}
		_ = x.CloseWrite()
		if _, err := x.Write([]byte{1}); err == nil {
			t.Fatal("wrote after CloseWrite")
		}
		if got, err := io.ReadAll(y); err != nil || string(got) != "ask" {
			t.Fatalf("%q, %v", got, err)
		}
		if _, err := y.Write([]byte("answer")); err != nil {
			t.Fatal(err)
		}
		_ = y.Close()
		if got, err := io.ReadAll(x); err != nil || string(got) != "answer" {
			t.Fatalf("%q, %v", got, err)
		}
		_ = x.Close()
	})
}

func TestSession_Close(t *testing.T) {
	kinds(t, func(t *testing.T, a, b network.MuxedConn) {
		x, y := open(t, a, b)
		done := make(chan error, 2)
		for _, s := range []network.MuxedStream{x, y} {
			go func() {
				_, err := s.Read(make([]byte, 1))
				done <- err
			}()
		}
		_ = a.Close()
		for range 2 {
			if err := <-done; err == nil {
				t.Fatal("read goes on after close")
			}
		}
		if _, err := a.OpenStream(context.Background()); err == nil {
			t.Fatal("opened a stream after close")
		}
		if _, err := b.AcceptStream(); err == nil {
			t.Fatal("accepted a stream after close")
		}
		if !a.IsClosed() {
			t.Fatal("not closed")
		}
	})
}

func TestSession_CloseWithError(t *testing.T) {
	a, b := connect(t, ours(), ours())
	_ = a.CloseWithError(7)
	_, err := b.AcceptStream()
	var ce *network.ConnError
	if errors.As(err, &ce) && (ce.ErrorCode != 7 || !ce.Remote) {
		t.Fatalf("code %v", ce)
	}
	if err == nil {
		t.Fatal("no error")
	}
}

// TestSession_StreamLimit: streams over the limit are reset, the rest lives.
func TestSession_StreamLimit(t *testing.T) {
	a, b := connect(t, ours(), end{mux: &Yamux{MaxStreams: 2}})
	x, y := open(t, a, b)
	open(t, a, b)
	z, err := a.OpenStream(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
		t.Fatalf("third stream: %v", err)
	}
	_ = x.Close()
	_ = y.Close()
	open(t, a, b) // a place is free again
}

// TestSession_Violations: each breach of the framing ends the session.
func TestSession_Violations(t *testing.T) {
	syn := func(id uint32) []byte { return header{kind: typeWindow, flags: flagSYN, stream: id}.append(nil) }
	for _, c := range []struct {
		name string
		wire []byte
	}{
		{"version", []byte{1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}},
		{"frame type", []byte{0, 9, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}},
		{"flags", []byte{0, 0, 0, 0x10, 0, 0, 0, 1, 0, 0, 0, 0}},
		{"data on stream zero", header{kind: typeData}.append(nil)},
		{"ping on a stream", header{kind: typePing, flags: flagSYN, stream: 1}.append(nil)},
		{"our parity", syn(2)},
		{"opened twice", append(syn(1), syn(1)...)},
		{"window exceeded", header{kind: typeData, stream: 1, length: Window + 1}.append(syn(1))},
		{"window overflow", header{kind: typeWindow, stream: 1, length: 1 << 31}.append(syn(1))},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := tcpPair(t)
			defer a.Close()
			m, _ := (&Yamux{}).NewConn(b, true, nil)
			defer m.Close()
			if _, err := a.Write(c.wire); err != nil {
				t.Fatal(err)
			}
			<-m.(*session).dead
			if err := m.(*session).deadErr; !errors.Is(err, ErrProtocol) {
				t.Fatalf("ended with %v", err)
			}
		})
	}
}

// TestSession_Flood: a peer that opens and opens is cut off while we cannot
// even write the refusals.
func TestSession_Flood(t *testing.T) {
	a, b := net.Pipe() // unbuffered: our refusals get stuck at once
	defer a.Close()
	m, _ := (&Yamux{MaxStreams: 1}).NewConn(b, true, nil)
	defer m.Close()
	for i := range uint32(3 * controlQueue) {
		if _, err := a.Write(header{kind: typeWindow, flags: flagSYN, stream: 2*i + 1}.append(nil)); err != nil {
			break
		}
	}
	<-m.(*session).dead
}

// TestSession_KeepAlive: a silent peer is given up.
func TestSession_KeepAlive(t *testing.T) {
	a, b := tcpPair(t)
	defer a.Close()
	m, _ := (&Yamux{KeepAlive: 10 * time.Millisecond}).NewConn(b, true, nil)
	if _, err := m.AcceptStream(); !errors.Is(err, ErrKeepAlive) {
		t.Fatalf("got %v", err)
	}
}

// TestSession_Ping: a pong carries the ping's value.
func TestSession_Ping(t *testing.T) {
	a, b := tcpPair(t)
	defer a.Close()
	m, _ := (&Yamux{}).NewConn(b, true, nil)
	defer m.Close()
	if _, err := a.Write(header{kind: typePing, flags: flagSYN, length: 77}.append(nil)); err != nil {
		t.Fatal(err)
	}
	var got [headerSize]byte
	if _, err := io.ReadFull(a, got[:]); err != nil {
		t.Fatal(err)
	}
	if h, err := parseHeader(&got); err != nil || h != (header{kind: typePing, flags: flagACK, length: 77}) {
		t.Fatalf("%+v, %v", h, err)
	}
}

// TestRecord_Large: records far over the read buffers pass whole.
func TestRecord_Large(t *testing.T) {
	a, b := connect(t, stock(), ours()) // stock writes frames of 64 KiB
	x, y := open(t, a, b)
	data := bytes.Repeat([]byte("0123456789"), 20000)
	go func() { _, _ = x.Write(data) }()
	got := make([]byte, len(data))
	if _, err := io.ReadFull(y, got); err != nil || !bytes.Equal(got, data) {
		t.Fatal(err)
	}
}

// TestRecord_Exact: record sizes around the read buffer, where the session
// answers an empty read in between, with an interrupt before each read.
func TestRecord_Exact(t *testing.T) {
	a, b := tcpPair(t)
	ca, _ := ours().secure(t)
	sb, id := ours().secure(t)
	server := make(chan sec.SecureConn, 1)
	go func() {
		s, err := sb.SecureInbound(context.Background(), b, "")
		if err != nil {
			t.Error(err)
		}
		server <- s
	}()
	x, err := ca.SecureOutbound(context.Background(), a, id)
	if err != nil {
		t.Fatal(err)
	}
	y := (<-server).(*secureConn)
	defer x.Close()
	defer y.Close()
	for size := readBuffer - 40; size < readBuffer+40; size++ {
		go func() { _, _ = x.Write(make([]byte, size)) }()
		y.interrupt()
		for got := 0; got < size; {
			if err := y.await(); err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatal(err)
				}
				y.unpoke()
				continue
			}
			y.interrupt() // from here on no read may touch the network
			n, err := y.Read(make([]byte, readBuffer))
			if err != nil {
				t.Fatalf("size %d after %d: %v", size, got, err)
			}
			got += n
			y.unpoke()
		}
	}
}

func TestKey_BadSeed(t *testing.T) {
	if _, err := Key(make([]byte, 31)); err == nil {
		t.Fatal("short seed taken")
	}
	if _, err := NewSeed(bytes.NewReader(nil)); err == nil {
		t.Fatal("no randomness, yet a seed")
	}
}

// nowhere is a connection that swallows writes and gives nothing.
type nowhere struct{ net.Conn }

func (nowhere) Write(p []byte) (int, error)      { return len(p), nil }
func (nowhere) SetWriteDeadline(time.Time) error { return nil }
func (nowhere) Close() error                     { return nil }

// FuzzConsume feeds the frame machine whole and byte by byte: same verdict, and
// never more memory than the windows allow.
func FuzzConsume(f *testing.F) {
	syn := header{kind: typeWindow, flags: flagSYN, stream: 1}.append(nil)
	f.Add(append(header{kind: typeData, stream: 1, length: 3}.append(syn), "abc"...))
	f.Add(header{kind: typeData, flags: flagSYN | flagFIN, stream: 3}.append(nil))
	f.Add(header{kind: typeWindow, flags: flagRST, stream: 1, length: 9}.append(syn))
	f.Add(header{kind: typeGoAway, length: 2}.append(nil))
	f.Add([]byte{0, 9})
	f.Fuzz(func(t *testing.T, wire []byte) {
		run := func(step int) (error, int) {
			s := &session{cfg: Yamux{MaxStreams: 4, WriteTimeout: time.Second}, conn: nowhere{}, server: true,
				streams: map[uint32]*stream{}, arrived: make(chan struct{}, 1),
				opening: make(chan struct{}, maxOpening), control: make(chan header, controlQueue), dead: make(chan struct{})}
			held := 0
			for b := wire; len(b) > 0; {
				n := min(step, len(b))
				if err := s.consume(b[:n]); err != nil {
					return err, 0
				}
				b = b[n:]
			}
			for _, st := range s.streams {
				held += len(st.buf)
			}
			return nil, held
		}
		whole, held := run(len(wire) + 1)
		bytewise, held2 := run(1)
		if (whole == nil) != (bytewise == nil) || held != held2 {
			t.Fatalf("whole: %v (%d), by byte: %v (%d)", whole, held, bytewise, held2)
		}
		if held > 4*Window || held > len(wire) {
			t.Fatalf("holds %d bytes", held)
		}
	})
}
