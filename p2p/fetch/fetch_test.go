package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/proof"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/p2p/frame"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/slim"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/libp2p/go-libp2p/p2p/host/resource-manager.(*resourceManager).background"))
}

// node is a backend whose answers a test chooses.
type node struct {
	light  func(ctx context.Context, height int64) ([]byte, error)
	prove  func(ctx context.Context, key []byte, height int64) (fetch.Proof, error)
	submit func(ctx context.Context, tx []byte) (fetch.Result, error)
	calls  atomic.Int64
}

var _ fetch.Backend = (*node)(nil)

func (n *node) LightBlock(ctx context.Context, height int64) ([]byte, error) {
	n.calls.Add(1)
	return n.light(ctx, height)
}
func (n *node) Prove(ctx context.Context, key []byte, height int64) (fetch.Proof, error) {
	n.calls.Add(1)
	return n.prove(ctx, key, height)
}
func (n *node) Submit(ctx context.Context, tx []byte) (fetch.Result, error) {
	n.calls.Add(1)
	return n.submit(ctx, tx)
}

var hash = bytes.Repeat([]byte{9}, 32)

// honest answers everything.
func honest() *node {
	return &node{
		light: func(_ context.Context, h int64) ([]byte, error) { return fmt.Appendf(nil, "block %d", h), nil },
		prove: func(_ context.Context, key []byte, h int64) (fetch.Proof, error) {
			return fetch.Proof{Height: max(h, 1), Key: key, Value: []byte("value"), Proof: []byte("proof")}, nil
		},
		submit: func(_ context.Context, tx []byte) (fetch.Result, error) {
			return fetch.Result{Height: 7, Hash: hash}, nil
		},
	}
}

// serve runs a server on a fresh host until the test ends.
func serve(t testing.TB, cfg fetch.ServerConfig) *slim.Host {
	t.Helper()
	h := p2ptest.Slim(t)
	cfg.Host = h
	s, err := fetch.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return h
}

func client(t testing.TB, nodes ...peer.AddrInfo) *fetch.Client {
	t.Helper()
	c, err := fetch.NewClient(fetch.ClientConfig{Host: p2ptest.Slim(t), Nodes: nodes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func patience(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestClient_Answers(t *testing.T) {
	c := client(t, serve(t, fetch.ServerConfig{Backend: honest()}).Info())
	if b, err := c.LightBlock(patience(t), 12); err != nil || string(b) != "block 12" {
		t.Errorf("%q, %v", b, err)
	}
	p, err := c.Prove(patience(t), []byte("key"), 3)
	if d := cmp.Diff(fetch.Proof{Height: 3, Key: []byte("key"), Value: []byte("value"), Proof: []byte("proof")}, p); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
	r, err := c.Submit(patience(t), []byte("tx"))
	if d := cmp.Diff(fetch.Result{Height: 7, Hash: hash}, r); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
}

// TestClient_Absent: absence is an answer, not an error.
func TestClient_Absent(t *testing.T) {
	n := honest()
	n.prove = func(_ context.Context, key []byte, _ int64) (fetch.Proof, error) {
		return fetch.Proof{Height: 5, Key: key, Proof: []byte("absence")}, nil
	}
	c := client(t, serve(t, fetch.ServerConfig{Backend: n}).Info())
	p, err := c.Prove(patience(t), []byte("key"), 0)
	if err != nil || len(p.Value) != 0 || string(p.Proof) != "absence" {
		t.Fatalf("%+v, %v", p, err)
	}
}

// TestClient_Refused: a transaction refused by the ledger is a result.
func TestClient_Refused(t *testing.T) {
	n := honest()
	n.submit = func(context.Context, []byte) (fetch.Result, error) {
		return fetch.Result{Code: 17, Log: strings.Repeat("é", 2000)}, nil
	}
	c := client(t, serve(t, fetch.ServerConfig{Backend: n}).Info())
	r, err := c.Submit(patience(t), []byte("tx"))
	if err != nil || r.Code != 17 || len(r.Log) > 1024 || len(r.Log) < 1000 {
		t.Fatalf("code %d, log of %d bytes, %v", r.Code, len(r.Log), err)
	}
}

// TestClient_Concurrent: many questions share few streams.
func TestClient_Concurrent(t *testing.T) {
	c := client(t, serve(t, fetch.ServerConfig{Backend: honest(), Workers: 100, StreamsPerPeer: 20}).Info())
	var all sync.WaitGroup
	for i := range 100 {
		if i%10 == 9 {
			all.Wait() // at most ten at once: the peer has a share of streams
		}
		all.Go(func() {
			if b, err := c.LightBlock(patience(t), int64(i)); err != nil || string(b) != fmt.Sprint("block ", i) {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
	all.Wait()
}

// TestClient_Failover: dead, mute, failing and lying nodes are passed over, and
// the good one is asked first from then on.
func TestClient_Failover(t *testing.T) {
	dead := p2ptest.Slim(t)
	_ = dead.Close()
	failing := honest()
	failing.light = func(context.Context, int64) ([]byte, error) { return nil, errors.New("disk on fire at /dev/sda") }
	lying := p2ptest.Slim(t)
	lying.SetStreamHandler(topic.Fetch, func(s network.Stream) {
		_, _ = s.Read(make([]byte, 100))
		_, _ = s.Write(frame.Append(nil, []byte{0xa1, 0x18, 0x01, 0x00})) // not canonical
	})
	good := honest()
	first := serve(t, fetch.ServerConfig{Backend: failing})
	c := client(t, dead.Info(), first.Info(), lying.Info(), p2ptest.Slim(t).Info(), serve(t, fetch.ServerConfig{Backend: good}).Info())
	for range 3 {
		if _, err := c.LightBlock(patience(t), 1); err != nil {
			t.Fatal(err)
		}
	}
	if n := failing.calls.Load(); n != 1 {
		t.Errorf("failing node asked %d times", n)
	}
	if n := good.calls.Load(); n != 3 {
		t.Errorf("good node asked %d times", n)
	}
}

// TestClient_NoNode: all reasons are told, none of the backend's inside.
func TestClient_NoNode(t *testing.T) {
	failing := honest()
	failing.light = func(context.Context, int64) ([]byte, error) { return nil, errors.New("disk on fire at /dev/sda") }
	c := client(t, serve(t, fetch.ServerConfig{Backend: failing}).Info())
	_, err := c.LightBlock(patience(t), 1)
	if !errors.Is(err, fetch.ErrNoNode) || !errors.Is(err, fetch.Unavailable) || strings.Contains(err.Error(), "sda") {
		t.Fatalf("got %v", err)
	}
}

// TestClient_Reconnect: a kept stream that died is replaced unnoticed.
func TestClient_Reconnect(t *testing.T) {
	h := serve(t, fetch.ServerConfig{Backend: honest()})
	own := p2ptest.Slim(t)
	c, err := fetch.NewClient(fetch.ClientConfig{Host: own, Nodes: []peer.AddrInfo{h.Info()}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		if _, err := c.LightBlock(patience(t), 1); err != nil {
			t.Fatal(err)
		}
		_ = own.Network().ClosePeer(h.ID())
	}
}

// TestClient_Deadline: the caller's ctx ends the wait.
func TestClient_Deadline(t *testing.T) {
	n := honest()
	n.light = func(ctx context.Context, _ int64) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
	c := client(t, serve(t, fetch.ServerConfig{Backend: n, QueryTime: 500 * time.Millisecond}).Info())
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if _, err := c.LightBlock(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

// TestServer_Codes: each refusal has its own code.
func TestServer_Codes(t *testing.T) {
	covered := map[fetch.Code]bool{}
	wants := func(t *testing.T, err error, want fetch.Code) {
		t.Helper()
		covered[want] = true
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	light := func(t *testing.T, n *node, cfg fetch.ServerConfig) error {
		cfg.Backend = n
		_, err := client(t, serve(t, cfg).Info()).LightBlock(patience(t), 1)
		return err
	}
	t.Run("not found", func(t *testing.T) {
		n := honest()
		n.light = func(context.Context, int64) ([]byte, error) {
			return nil, fmt.Errorf("%w: pruned below 100", fetch.NotFound)
		}
		wants(t, light(t, n, fetch.ServerConfig{}), fetch.NotFound)
	})
	t.Run("too large", func(t *testing.T) {
		n := honest()
		n.light = func(context.Context, int64) ([]byte, error) { return make([]byte, topic.MaxLightBlock+1), nil }
		wants(t, light(t, n, fetch.ServerConfig{}), fetch.TooLarge)
	})
	t.Run("backend answers nothing", func(t *testing.T) {
		n := honest()
		n.light = func(context.Context, int64) ([]byte, error) { return nil, nil }
		wants(t, light(t, n, fetch.ServerConfig{}), fetch.Unavailable)
	})
	t.Run("rate", func(t *testing.T) {
		now := time.Now()
		cfg := fetch.ServerConfig{Rate: 1, Burst: 2, Backend: honest(), Now: func() time.Time { return now }}
		c := client(t, serve(t, cfg).Info())
		for range 2 {
			if _, err := c.LightBlock(patience(t), 1); err != nil {
				t.Fatal(err)
			}
		}
		_, err := c.LightBlock(patience(t), 1)
		wants(t, err, fetch.RateLimited)
	})
	t.Run("busy", func(t *testing.T) {
		n, inside, release := honest(), make(chan struct{}), make(chan struct{})
		n.light = func(context.Context, int64) ([]byte, error) { close(inside); <-release; return []byte{1}, nil }
		h := serve(t, fetch.ServerConfig{Backend: n, Workers: 1})
		var one sync.WaitGroup
		one.Go(func() { _, _ = client(t, h.Info()).LightBlock(patience(t), 1) })
		<-inside
		_, err := client(t, h.Info()).LightBlock(patience(t), 1)
		wants(t, err, fetch.Busy)
		close(release)
		one.Wait()
	})
	t.Run("timeout", func(t *testing.T) {
		n := honest()
		n.submit = func(ctx context.Context, _ []byte) (fetch.Result, error) {
			<-ctx.Done()
			return fetch.Result{}, ctx.Err()
		}
		h := serve(t, fetch.ServerConfig{Backend: n, SubmitTime: 30 * time.Millisecond})
		_, err := client(t, h.Info()).Submit(patience(t), []byte("tx"))
		wants(t, err, fetch.Timeout)
	})
	t.Run("bad request", func(t *testing.T) {
		c := client(t, serve(t, fetch.ServerConfig{Backend: honest()}).Info())
		_, err := c.LightBlock(patience(t), -1)
		wants(t, err, fetch.BadRequest)
		_, err = c.Prove(patience(t), nil, 1)
		wants(t, err, fetch.BadRequest)
		_, err = c.Prove(patience(t), make([]byte, topic.MaxKey+1), 1)
		wants(t, err, fetch.BadRequest)
		for _, size := range []int{0, topic.MaxTx + 1} {
			_, err = c.Submit(patience(t), make([]byte, size))
			wants(t, err, fetch.BadRequest)
		}
	})
	for _, c := range fetch.Codes() {
		if !covered[c] {
			t.Errorf("code %v has no negative test", c)
		}
	}
}

// TestServer_BadRequests: what a client of ours never sends is refused on the
// wire, and never reaches the backend.
func TestServer_BadRequests(t *testing.T) {
	n := honest()
	h, x := serve(t, fetch.ServerConfig{Backend: n, StreamsPerPeer: 64}), p2ptest.Slim(t)
	p2ptest.Connect(t, x, h)
	for _, c := range []struct {
		name string
		id   protocol.ID
		body []byte
	}{
		{"not cbor", topic.Fetch, []byte{0xff}},
		{"unknown kind", topic.Fetch, []byte{0xa1, 1, 9}},
		{"negative height", topic.Fetch, []byte{0xa2, 1, 1, 2, 0x20}},
		{"key in light block", topic.Fetch, []byte{0xa2, 1, 1, 3, 0x41, 'k'}},
		{"no key", topic.Fetch, []byte{0xa1, 1, 2}},
		{"unknown field", topic.Fetch, []byte{0xa2, 1, 1, 9, 0}},
		{"not minimal", topic.Fetch, []byte{0xa1, 1, 0x18, 1}},
		{"trailing", topic.Fetch, []byte{0xa1, 1, 1, 0}},
		{"no tx", topic.Submit, []byte{0xa1, 1, 0x40}},
		{"tx of text", topic.Submit, []byte{0xa1, 1, 0x61, 'x'}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := x.NewStream(patience(t), h.ID(), c.id)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Reset()
			_ = s.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err := s.Write(frame.Append(nil, c.body)); err != nil {
				t.Fatal(err)
			}
			answer, err := frame.NewReader(s, 1<<20).Next()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(answer[1:], []byte{1, byte(fetch.BadRequest)}) {
				t.Fatalf("answer % x", answer)
			}
		})
	}
	if got := n.calls.Load(); got != 0 {
		t.Errorf("backend called %d times", got)
	}
}

// TestServer_Frames: a frame over the cap ends the stream.
func TestServer_Frames(t *testing.T) {
	h, x := serve(t, fetch.ServerConfig{Backend: honest()}), p2ptest.Slim(t)
	p2ptest.Connect(t, x, h)
	s, err := x.NewStream(patience(t), h.ID(), topic.Fetch)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := s.Write([]byte{0xff, 0xff, 0x7f}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
		t.Fatalf("got %v", err)
	}
}

// TestServer_Sitters: peers who hold every stream and ask nothing do not keep
// others out.
func TestServer_Sitters(t *testing.T) {
	h := serve(t, fetch.ServerConfig{Backend: honest(), Streams: 4, StreamsPerPeer: 2, Idle: time.Minute})
	for range 2 {
		x := p2ptest.Slim(t)
		p2ptest.Connect(t, x, h)
		for range 2 {
			s, err := x.NewStream(patience(t), h.ID(), topic.Fetch)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Write([]byte{5}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if b, err := client(t, h.Info()).LightBlock(patience(t), 3); err != nil || string(b) != "block 3" {
		t.Fatalf("kept out: %q, %v", b, err)
	}
}

// TestServer_Streams: a peer has a share of streams.
func TestServer_Streams(t *testing.T) {
	h, x := serve(t, fetch.ServerConfig{Backend: honest(), StreamsPerPeer: 1, Idle: time.Minute}), p2ptest.Slim(t)
	p2ptest.Connect(t, x, h)
	ask := frame.Append(nil, codec.MustMarshal(map[int]int{1: 1}))
	failed := 0
	for range 3 {
		s, err := x.NewStream(patience(t), h.ID(), topic.Fetch)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Reset()
		_ = s.SetDeadline(time.Now().Add(10 * time.Second))
		_, err = s.Write(ask)
		if err == nil {
			_, err = frame.NewReader(s, 1<<20).Next()
		}
		if err != nil {
			failed++
		}
	}
	if failed != 2 {
		t.Fatalf("%d of 3 streams refused, want 2", failed)
	}
}

// TestCaps: the caps of the mesh hold whatever the proofs may be.
func TestCaps(t *testing.T) {
	if topic.MaxProof < proof.MaxBytes || topic.MaxValue < proof.MaxValueBytes || topic.MaxKey < proof.MaxKeyBytes {
		t.Error("a legal proof does not fit an answer")
	}
}

func TestNew_Refusals(t *testing.T) {
	if _, err := fetch.NewServer(fetch.ServerConfig{}); err == nil {
		t.Error("server without host and backend")
	}
	if _, err := fetch.NewClient(fetch.ClientConfig{Host: p2ptest.Slim(t)}); err == nil {
		t.Error("client without nodes")
	}
}
