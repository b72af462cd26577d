package mux

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// What the opener of a stream does with it. The other end sends back what it
// gets, or resets the stream now and then.
const (
	doEcho  = iota // send all, read it back
	doHalf         // the same, and close the writing half: the end must come too
	doReset        // reset in the middle
	doLeave        // close without reading what comes back
	doKinds
)

// pattern is what the bytes of a stream must be from a place on, so that bytes
// of another stream or another place are noticed.
func pattern(b []byte, seed uint32, at int) {
	for i := range b {
		p := uint32(at + i)
		b[i] = byte((p ^ seed) * 2654435761 >> 19)
	}
}

// echo serves the streams of c until it ends.
func echo(c network.MuxedConn, all *sync.WaitGroup) {
	for n := 0; ; n++ {
		st, err := c.AcceptStream()
		if err != nil {
			return
		}
		all.Go(func() {
			defer st.Close()
			if n%16 == 7 {
				_ = st.Reset()
				return
			}
			_, _ = io.Copy(st, st)
		})
	}
}

// ask opens one stream and tells what went wrong with it, if anything did.
func ask(c network.MuxedConn, rng *rand.Rand) error {
	st, err := c.OpenStream(context.Background())
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer st.Close()
	kind, seed, size, chunk := rng.IntN(doKinds), rng.Uint32(), rng.IntN(6000), 1+rng.IntN(9000)
	if kind != doLeave && rng.IntN(20) == 0 {
		size = rng.IntN(2 * Window)
	}
	var writer sync.WaitGroup
	defer writer.Wait()
	writer.Go(func() {
		buf := make([]byte, chunk)
		for at := 0; at < size; {
			b := buf[:min(len(buf), size-at)]
			pattern(b, seed, at)
			if _, err := st.Write(b); err != nil {
				return
			}
			at += len(b)
			if kind == doReset && at > size/2 {
				_ = st.Reset()
				return
			}
		}
		if kind == doHalf {
			_ = st.CloseWrite()
		}
	})
	if kind == doLeave {
		writer.Wait()
		return nil
	}
	return verify(st, kind, seed, size, rng)
}

// verify reads what comes back. A reset is no fault: either end may do it. A
// stream of ours gives up waiting now and then; the stock one (go-yamux v5.1)
// loses a window update when a deadline passes while it sends one, and stalls.
func verify(st network.MuxedStream, kind int, seed uint32, size int, rng *rand.Rand) error {
	got, want := make([]byte, 5000), make([]byte, 5000)
	_, hasty := st.(*stream)
	for at := 0; at < size || kind == doHalf; {
		if hasty && rng.IntN(3) == 0 {
			_ = st.SetReadDeadline(time.Now().Add(time.Duration(rng.IntN(500)) * time.Microsecond))
		}
		n, err := st.Read(got)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			_ = st.SetReadDeadline(time.Time{})
			err = nil
		}
		if at+n > size {
			return fmt.Errorf("%d bytes more than were sent", at+n-size)
		}
		pattern(want[:n], seed, at)
		if !bytes.Equal(got[:n], want[:n]) {
			return fmt.Errorf("wrong bytes from %d on", at)
		}
		at += n
		switch {
		case errors.Is(err, network.ErrReset):
			return nil
		case err == io.EOF && kind == doHalf && at == size:
			return nil
		case err != nil:
			return fmt.Errorf("read at %d of %d: %w", at, size, err)
		}
	}
	return nil
}

// TestStress opens, half-closes, resets and closes streams from both ends at
// once, and looks at every byte.
func TestStress(t *testing.T) {
	const workers, each = 16, 60
	kinds(t, func(t *testing.T, a, b network.MuxedConn) {
		var serving, asking sync.WaitGroup
		for i, c := range []network.MuxedConn{a, b} {
			serving.Go(func() { echo(c, &serving) })
			for w := range workers {
				asking.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(i), uint64(w)))
					for n := range each {
						if err := ask(c, rng); err != nil {
							t.Errorf("end %d, worker %d, stream %d: %v", i, w, n, err)
							return
						}
					}
				})
			}
		}
		asking.Wait()
		_, _ = a.Close(), b.Close()
		serving.Wait()
		for _, c := range []network.MuxedConn{a, b} {
			if s, ok := c.(*session); ok && (s.incoming < 0 || len(s.opening) != 0) {
				t.Errorf("%d incoming, %d opening left", s.incoming, len(s.opening))
			}
		}
	})
}

// TestSession_Burst: a stock peer opens up to 256 streams before the first is
// accepted. None is lost, whoever accepts late.
func TestSession_Burst(t *testing.T) {
	a, b := connect(t, stock(), ours())
	streams := openMany(t, a, 256)
	var all sync.WaitGroup
	all.Go(func() {
		for range streams {
			st, err := b.AcceptStream()
			if err != nil {
				t.Error(err)
				return
			}
			all.Go(func() { _, _ = io.Copy(st, st); _ = st.Close() })
		}
	})
	for i, st := range streams {
		got := make([]byte, 1)
		if _, err := st.Write([]byte{byte(i)}); err != nil {
			t.Fatalf("stream %d: %v", i, err)
		}
		if _, err := io.ReadFull(st, got); err != nil || got[0] != byte(i) {
			t.Fatalf("stream %d: %v", i, err)
		}
		_ = st.Close()
	}
	all.Wait()
}

// TestSession_BurstRefused: the streams of a burst that are over the limit are
// refused, one by one, and the connection stays.
func TestSession_BurstRefused(t *testing.T) {
	a, b := connect(t, stock(), end{mux: &Yamux{MaxStreams: 1}})
	streams := openMany(t, a, 256)
	for i, st := range streams[1:] {
		if _, err := st.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
			t.Fatalf("stream %d: %v", i+1, err)
		}
	}
	if _, err := streams[0].Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	st, err := b.AcceptStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// TestSession_Hasty: a peer that opens and resets faster than anybody accepts
// breaks no rule: it keeps its connection, and its next stream is taken.
func TestSession_Hasty(t *testing.T) {
	kinds(t, func(t *testing.T, a, b network.MuxedConn) {
		for range 3 * DefaultMaxStreams {
			st, err := a.OpenStream(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			_ = st.Reset()
		}
		if _, ok := b.(*session); !ok {
			return // the stock side keeps dead streams among those to accept
		}
		st, err := a.OpenStream(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		for {
			st, err := b.AcceptStream()
			if err != nil {
				t.Fatal(err)
			}
			if n, _ := st.Read(make([]byte, 1)); n == 1 {
				return
			}
		}
	})
}

func openMany(t *testing.T, c network.MuxedConn, n int) []network.MuxedStream {
	t.Helper()
	var out []network.MuxedStream
	for range n {
		st, err := c.OpenStream(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, st)
	}
	return out
}

// TestStream_ResetDoesNotWait: a peer that reads nothing holds up writers, but
// not whoever gives up on it.
func TestStream_ResetDoesNotWait(t *testing.T) {
	a, b := net.Pipe() // unbuffered: the first write gets stuck
	defer a.Close()
	m, _ := (&Yamux{WriteTimeout: time.Minute}).NewConn(b, true, nil)
	if _, err := a.Write(header{kind: typeWindow, flags: flagSYN, stream: 1}.append(nil)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.CopyN(io.Discard, a, 2*headerSize) }() // the acknowledgement, and one more header
	st, err := m.AcceptStream()
	if err != nil {
		t.Fatal(err)
	}
	stuck, done := make(chan error, 1), make(chan struct{})
	go func() {
		_, err := st.Write(make([]byte, 10))
		stuck <- err
	}()
	for m.(*session).writing.TryLock() {
		m.(*session).writing.Unlock()
		runtime.Gosched()
	}
	go func() {
		_ = st.Reset()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("reset waits for the peer to read")
	}
	_ = m.Close()
	<-done
	if err := <-stuck; err == nil {
		t.Error("wrote what nobody read")
	}
}
