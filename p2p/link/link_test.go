package link_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/p2p/frame"
	"github.com/hybridos-net/hybridos/p2p/link"
	"github.com/hybridos-net/hybridos/p2p/mux"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/slim"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/libp2p/go-libp2p/p2p/host/resource-manager.(*resourceManager).background"))
}

// run runs a server until the test ends, and waits until it serves.
func run(t testing.TB, cfg link.Config) (stop func()) {
	t.Helper()
	s, err := link.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func echoes(_ context.Context, _ peer.ID, command []byte) []byte { return command }

func dial(t testing.TB, from *slim.Host, to *slim.Host) *link.Link {
	t.Helper()
	l, err := link.Dial(patience(t), from, to.Info())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func patience(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestSend(t *testing.T) {
	x, y := p2ptest.Slim(t), p2ptest.Slim(t)
	var from atomic.Value
	run(t, link.Config{Host: y, Handler: func(_ context.Context, p peer.ID, b []byte) []byte {
		from.Store(p)
		return append([]byte("receipt of "), b...)
	}})
	l := dial(t, x, y)
	got, err := l.Send(patience(t), []byte("unlock"))
	if err != nil || string(got) != "receipt of unlock" {
		t.Fatalf("%q, %v", got, err)
	}
	if from.Load() != x.ID() {
		t.Errorf("handler was told %v", from.Load())
	}
	big := bytes.Repeat([]byte{7}, topic.MaxCommand-11)
	if got, err := l.Send(patience(t), big); err != nil || !bytes.HasSuffix(got, big) {
		t.Fatalf("largest: %d bytes, %v", len(got), err)
	}
}

// TestSend_Pipelined: a slow command does not hold up a quick one, and each
// sender gets its own answer.
func TestSend_Pipelined(t *testing.T) {
	x, y := p2ptest.Slim(t), p2ptest.Slim(t)
	release, slowIn := make(chan struct{}), make(chan struct{})
	run(t, link.Config{Host: y, Handler: func(_ context.Context, _ peer.ID, b []byte) []byte {
		if string(b) == "slow" {
			close(slowIn)
			<-release
		}
		return b
	}})
	l := dial(t, x, y)
	slow := make(chan error, 1)
	go func() {
		got, err := l.Send(patience(t), []byte("slow"))
		if err == nil && string(got) != "slow" {
			err = fmt.Errorf("answer %q", got)
		}
		slow <- err
	}()
	<-slowIn
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			want := fmt.Sprint("quick ", i)
			if got, err := l.Send(patience(t), []byte(want)); err != nil || string(got) != want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	all.Wait()
	close(release)
	if err := <-slow; err != nil {
		t.Fatal(err)
	}
}

// TestServer_InFlight: no more than the bound are handled at once, all are
// answered.
func TestServer_InFlight(t *testing.T) {
	x, y := p2ptest.Slim(t), p2ptest.Slim(t)
	var now, most atomic.Int64
	full, release := make(chan struct{}), make(chan struct{})
	run(t, link.Config{Host: y, InFlight: 3, Handler: func(_ context.Context, _ peer.ID, b []byte) []byte {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == 3 {
			select {
			case <-full:
			default:
				close(full)
			}
		}
		<-release
		return b
	}})
	l := dial(t, x, y)
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if _, err := l.Send(patience(t), []byte{1}); err != nil {
				t.Error(err)
			}
		})
	}
	<-full
	close(release)
	all.Wait()
	if most.Load() > 3 {
		t.Errorf("%d handled at once", most.Load())
	}
}

// TestSend_NoAnswer: the sender learns that the outcome is unknown, and the
// link goes on for others.
func TestSend_NoAnswer(t *testing.T) {
	x, y := p2ptest.Slim(t), p2ptest.Slim(t)
	release := make(chan struct{})
	run(t, link.Config{Host: y, Handler: func(_ context.Context, _ peer.ID, b []byte) []byte {
		if string(b) == "stuck" {
			<-release
		}
		return b
	}})
	defer close(release)
	l := dial(t, x, y)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := l.Send(ctx, []byte("stuck")); !errors.Is(err, link.ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if got, err := l.Send(patience(t), []byte("next")); err != nil || string(got) != "next" {
		t.Fatalf("%q, %v", got, err)
	}
}

// late is a context whose deadline passes just as the command is written.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Unix(1, 0), true }

// TestSend_LateCaller: a caller whose time is up before anything was written
// takes no others with it.
func TestSend_LateCaller(t *testing.T) {
	x, y := p2ptest.Slim(t), p2ptest.Slim(t)
	inside, release := make(chan struct{}), make(chan struct{})
	run(t, link.Config{Host: y, Handler: func(_ context.Context, _ peer.ID, b []byte) []byte {
		if string(b) == "unlock" {
			close(inside)
			<-release
		}
		return b
	}})
	l := dial(t, x, y)
	got := make(chan error, 1)
	go func() {
		_, err := l.Send(patience(t), []byte("unlock"))
		got <- err
	}()
	<-inside
	if _, err := l.Send(late{patience(t)}, []byte("late")); !errors.Is(err, link.ErrNotSent) {
		t.Errorf("late caller: %v", err)
	}
	close(release)
	if err := <-got; err != nil {
		t.Fatalf("the other caller: %v", err)
	}
	if _, err := l.Send(patience(t), []byte("next")); err != nil {
		t.Fatalf("the next caller: %v", err)
	}
}

// TestSend_ManyGiveUp: callers that give up at any moment neither get another's
// answer nor spoil one.
func TestSend_ManyGiveUp(t *testing.T) {
	x, y := p2ptest.Slim(t), p2ptest.Slim(t)
	slow := time.NewTicker(3 * time.Millisecond) // longer than a reader handles by itself
	defer slow.Stop()
	run(t, link.Config{Host: y, Handler: func(ctx context.Context, _ peer.ID, b []byte) []byte {
		if b[0]%8 == 0 {
			select {
			case <-slow.C:
			case <-ctx.Done():
			}
		}
		return b
	}})
	l := dial(t, x, y)
	var all sync.WaitGroup
	for w := range 24 {
		all.Go(func() {
			for i := range 60 {
				msg := fmt.Appendf([]byte{byte(i)}, "%d of %d", i, w)
				ctx, cancel := patience(t), context.CancelFunc(func() {})
				hasty := (w+i)%3 == 0
				if hasty {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(i*7%40)*100*time.Microsecond)
				}
				got, err := l.Send(ctx, msg)
				cancel()
				switch {
				case err == nil && !bytes.Equal(got, msg):
					t.Errorf("asked %q, got %q", msg, got)
				case err != nil && !hasty:
					t.Errorf("patient caller: %v", err)
				}
			}
		})
	}
	all.Wait()
}

// TestSend_Lost: the device dies with the command inside.
func TestSend_Lost(t *testing.T) {
	x, y := p2ptest.Slim(t), p2ptest.Slim(t)
	inside, release := make(chan struct{}), make(chan struct{})
	run(t, link.Config{Host: y, Handler: func(_ context.Context, _ peer.ID, b []byte) []byte {
		close(inside)
		<-release
		return b
	}})
	l := dial(t, x, y)
	got := make(chan error, 1)
	go func() {
		_, err := l.Send(patience(t), []byte("unlock"))
		got <- err
	}()
	<-inside
	_ = y.Network().ClosePeer(x.ID())
	if err := <-got; !errors.Is(err, link.ErrNoAnswer) {
		t.Fatalf("got %v", err)
	}
	close(release)
}

// TestSend_Reconnect: after a loss the next Send dials again.
func TestSend_Reconnect(t *testing.T) {
	x, y := p2ptest.Slim(t), p2ptest.Slim(t)
	stop := run(t, link.Config{Host: y, Handler: echoes})
	l := dial(t, x, y)
	if _, err := l.Send(patience(t), []byte{1}); err != nil {
		t.Fatal(err)
	}
	stop()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := l.Send(ctx, []byte{2}); !errors.Is(err, link.ErrNotSent) && !errors.Is(err, link.ErrNoAnswer) {
		t.Fatalf("to a stopped server: %v", err)
	}
	run(t, link.Config{Host: y, Handler: echoes})
	if got, err := l.Send(patience(t), []byte{3}); err != nil || got[0] != 3 {
		t.Fatalf("%v, %v", got, err)
	}
}

func TestSend_Refusals(t *testing.T) {
	x, y := p2ptest.Slim(t), p2ptest.Slim(t)
	run(t, link.Config{Host: y, Handler: echoes})
	l := dial(t, x, y)
	for _, size := range []int{0, topic.MaxCommand + 1} {
		if _, err := l.Send(patience(t), make([]byte, size)); !errors.Is(err, link.ErrTooLarge) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.Send(gone, []byte{1}); !errors.Is(err, link.ErrNotSent) {
		t.Errorf("cancelled before: %v", err)
	}
	_ = l.Close()
	if _, err := l.Send(patience(t), []byte{1}); !errors.Is(err, link.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	nobody := p2ptest.Slim(t)
	if _, err := link.Dial(patience(t), x, nobody.Info()); !errors.Is(err, link.ErrNotSent) {
		t.Errorf("peer without the protocol: %v", err)
	}
	if _, err := link.New(link.Config{}); err == nil {
		t.Error("server without host and handler")
	}
}

// raw opens a command stream by hand.
func raw(t *testing.T, from, to *slim.Host) network.Stream {
	t.Helper()
	p2ptest.Connect(t, from, to)
	s, err := from.NewStream(patience(t), to.ID(), topic.Command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Reset() })
	return s
}

// TestServer_BadFrames: one bad frame closes the stream, and nothing of it
// reaches the handler.
func TestServer_BadFrames(t *testing.T) {
	x, y := p2ptest.Slim(t), p2ptest.Slim(t)
	var calls atomic.Int64
	run(t, link.Config{Host: y, StreamsPerPeer: 64, Handler: func(_ context.Context, _ peer.ID, b []byte) []byte {
		calls.Add(1)
		return b
	}})
	for _, c := range []struct {
		name string
		wire []byte
		good int64
	}{
		{"frame too large", binary.AppendUvarint(nil, topic.MaxCommand+100), 0},
		{"body too large", frame.Append(nil, []byte{1}, make([]byte, topic.MaxCommand+1)), 0},
		{"empty frame", []byte{0}, 0},
		{"padded length", []byte{0x82, 0x00, 1, 'x'}, 0},
		{"number zero", frame.Append(nil, []byte{0, 'x'}), 0},
		{"number padded", frame.Append(nil, []byte{0x81, 0x00, 'x'}), 0},
		{"number cut", frame.Append(nil, []byte{0x81}), 0},
		{"number without body", frame.Append(nil, []byte{1}), 0},
		{"number again", append(frame.Append(nil, []byte{5, 'x'}), frame.Append(nil, []byte{5, 'x'})...), 1},
		{"number falls", append(frame.Append(nil, []byte{5, 'x'}), frame.Append(nil, []byte{4, 'x'})...), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls.Store(0)
			s := raw(t, x, y)
			if _, err := s.Write(c.wire); err != nil {
				t.Fatal(err)
			}
			_ = s.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, s); !errors.Is(err, network.ErrReset) {
				t.Fatalf("stream ends with %v", err)
			}
			if calls.Load() != c.good {
				t.Fatalf("handler called %d times", calls.Load())
			}
		})
	}
}

// TestServer_Limits: streams over the bounds are reset at once.
func TestServer_Limits(t *testing.T) {
	x, y := p2ptest.Slim(t), p2ptest.Slim(t)
	run(t, link.Config{Host: y, StreamsPerPeer: 1, Handler: echoes})
	one := raw(t, x, y)
	ask := frame.Append(nil, []byte{1, 'x'})
	if _, err := one.Write(ask); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(one, make([]byte, len(ask))); err != nil {
		t.Fatal(err)
	}
	two := raw(t, x, y)
	_ = two.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := two.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
		t.Fatalf("second stream: %v", err)
	}
}

// TestServer_Sitters: peers who hold streams and say nothing, or half of
// something, do not keep a sender out.
func TestServer_Sitters(t *testing.T) {
	y := p2ptest.Slim(t)
	run(t, link.Config{Host: y, Streams: 4, StreamsPerPeer: 2, Handler: echoes})
	for range 2 {
		x := p2ptest.Slim(t)
		for range 2 {
			s := raw(t, x, y)
			if _, err := s.Write([]byte{5, 1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := raw(t, p2ptest.Slim(t), y)
	_ = s.SetDeadline(time.Now().Add(10 * time.Second))
	ask := frame.Append(nil, []byte{1, 'x'})
	if _, err := s.Write(ask); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(s, make([]byte, len(ask))); err != nil {
		t.Fatalf("kept out: %v", err)
	}
}

// TestServer_Idle: a silent stream is closed.
func TestServer_Idle(t *testing.T) {
	x, y := p2ptest.Slim(t), p2ptest.Slim(t)
	run(t, link.Config{Host: y, Idle: 30 * time.Millisecond, Handler: echoes})
	s := raw(t, x, y)
	_ = s.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
		t.Fatalf("got %v", err)
	}
}

// TestServer_SlowReader: who does not read answers loses the stream.
func TestServer_SlowReader(t *testing.T) {
	x, y := p2ptest.Slim(t), p2ptest.Slim(t)
	big := make([]byte, topic.MaxReceipt)
	run(t, link.Config{Host: y, Drain: 50 * time.Millisecond,
		Handler: func(context.Context, peer.ID, []byte) []byte { return big }})
	s := raw(t, x, y)
	var wire []byte
	for n := uint64(1); len(wire) < 2*mux.Window; n++ {
		wire = frame.Append(wire, binary.AppendUvarint(nil, n), []byte{'x'})
	}
	_ = s.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_, err := s.Write(wire) // the server stops reading, then gives us up
	if !errors.Is(err, network.ErrReset) {
		t.Fatalf("got %v", err)
	}
}

// TestSend_LyingDevice: an answer to what was never asked ends the stream.
func TestSend_LyingDevice(t *testing.T) {
	for name, answer := range map[string][]byte{
		"never asked": frame.Append(nil, []byte{9, 'x'}),
		"no number":   frame.Append(nil, []byte{0, 'x'}),
		"too large":   binary.AppendUvarint(nil, topic.MaxReceipt+100),
	} {
		t.Run(name, func(t *testing.T) {
			x, y := p2ptest.Slim(t), p2ptest.Slim(t)
			y.SetStreamHandler(topic.Command, func(s network.Stream) {
				_, _ = s.Read(make([]byte, 100))
				_, _ = s.Write(answer)
			})
			l := dial(t, x, y)
			if _, err := l.Send(patience(t), []byte("unlock")); !errors.Is(err, link.ErrNoAnswer) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// TestServer_EmptyAnswer: a handler that fails to answer costs the stream, not
// the sender's patience.
func TestServer_EmptyAnswer(t *testing.T) {
	x, y := p2ptest.Slim(t), p2ptest.Slim(t)
	run(t, link.Config{Host: y, Handler: func(context.Context, peer.ID, []byte) []byte { return nil }})
	l := dial(t, x, y)
	if _, err := l.Send(patience(t), []byte{1}); !errors.Is(err, link.ErrNoAnswer) {
		t.Fatalf("got %v", err)
	}
}
