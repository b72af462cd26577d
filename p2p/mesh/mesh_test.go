package mesh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/p2p/mesh"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

var name = topic.Checkpoint([32]byte{1, 2, 3})

// member is a host in the gossip.
type member struct {
	host  host.Host
	topic *mesh.Topic
}

// join runs a mesh on h until the test ends.
func join(t *testing.T, h host.Host, buffer int, v mesh.Validator) member {
	t.Helper()
	m, err := mesh.New(mesh.Config{Host: h})
	if err != nil {
		t.Fatal(err)
	}
	tp, err := m.Join(name, topic.MaxCheckpoint, buffer, v)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	if err := tp.WaitPeers(patience(t), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return member{h, tp}
}

func accept(context.Context, peer.ID, []byte) mesh.Verdict { return mesh.Accept }

func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func connect(t *testing.T, a, b member) {
	t.Helper()
	p2ptest.Connect(t, a.host.(p2ptest.Host), b.host.(p2ptest.Host))
}

func meet(t *testing.T, n int, ms ...member) {
	t.Helper()
	for _, m := range ms {
		if err := m.topic.WaitPeers(patience(t), n); err != nil {
			t.Fatal(err)
		}
	}
}

// warm publishes until the last member of a line hears it: forwarding starts
// when the mesh has formed, at a heartbeat.
func warm(t *testing.T, from, to member) {
	t.Helper()
	ctx, cancel := context.WithCancel(patience(t))
	defer cancel()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			_ = from.topic.Publish(ctx, fmt.Append(nil, "warm ", i))
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	if _, err := to.topic.Next(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-sent
}

// next is the next message that is not of warm.
func next(t *testing.T, m member) (mesh.Message, error) {
	for {
		got, err := m.topic.Next(patience(t))
		if err != nil || !bytes.HasPrefix(got.Data, []byte("warm")) {
			return got, err
		}
	}
}

// TestGossip_Line: full node, slim device, full node in a line: a message goes
// all the way, and the device between forwards it.
func TestGossip_Line(t *testing.T) {
	a, b, c := join(t, p2ptest.Full(t), 1, accept), join(t, p2ptest.Slim(t), 1, accept), join(t, p2ptest.Full(t), 1, accept)
	connect(t, a, b)
	connect(t, c, b)
	meet(t, 1, a, c)
	meet(t, 2, b)
	warm(t, a, c)
	if err := a.topic.Publish(patience(t), []byte("header 7")); err != nil {
		t.Fatal(err)
	}
	for _, m := range []member{b, c} {
		got, err := next(t, m)
		if err != nil || string(got.Data) != "header 7" {
			t.Fatalf("%q, %v", got.Data, err)
		}
		if m == c && got.From != b.host.ID() {
			t.Errorf("came from %s, not through the device", got.From)
		}
	}
}

// TestGossip_RejectBeforeForward: what the device in the middle rejects or
// ignores never reaches the one behind it.
func TestGossip_RejectBeforeForward(t *testing.T) {
	judged := make(chan string, 20)
	middle := func(_ context.Context, _ peer.ID, b []byte) mesh.Verdict {
		if !bytes.HasPrefix(b, []byte("warm")) {
			judged <- string(b)
		}
		switch {
		case bytes.HasPrefix(b, []byte("bad")):
			return mesh.Reject
		case bytes.HasPrefix(b, []byte("old")):
			return mesh.Ignore
		}
		return mesh.Accept
	}
	a, b, c := join(t, p2ptest.Full(t), 9, accept), join(t, p2ptest.Slim(t), 9, middle), join(t, p2ptest.Full(t), 9, accept)
	connect(t, a, b)
	connect(t, c, b)
	meet(t, 1, a, c)
	meet(t, 2, b)
	warm(t, a, c)
	for _, m := range []string{"bad 1", "old 1", "good"} {
		if err := a.topic.Publish(patience(t), []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := next(t, c)
	if err != nil || string(got.Data) != "good" {
		t.Fatalf("%q, %v", got.Data, err)
	}
	// The good one was published last, so the others were judged or dropped
	// before; a second round trip shows that nothing follows.
	if err := a.topic.Publish(patience(t), []byte("good 2")); err != nil {
		t.Fatal(err)
	}
	if got, err := next(t, c); err != nil || string(got.Data) != "good 2" {
		t.Fatalf("%q, %v", got.Data, err)
	}
	for range 4 { // all were judged, none was lost on the way
		select {
		case <-judged:
		case <-patience(t).Done():
			t.Fatal("not all messages were judged")
		}
	}
}

// TestGossip_Graylist: a peer that goes on sending rubbish is not heard any more.
func TestGossip_Graylist(t *testing.T) {
	rejects := make(chan struct{}, 100)
	a := join(t, p2ptest.Full(t), 1, accept)
	b := join(t, p2ptest.Slim(t), 1, func(_ context.Context, _ peer.ID, d []byte) mesh.Verdict {
		if bytes.HasPrefix(d, []byte("bad")) {
			rejects <- struct{}{}
			return mesh.Reject
		}
		return mesh.Accept
	})
	c := join(t, p2ptest.Full(t), 1, accept)
	connect(t, a, b)
	connect(t, c, b)
	meet(t, 2, b)
	meet(t, 1, a, c)
	heard := 0
	for ; heard < 30; heard++ {
		if err := a.topic.Publish(patience(t), fmt.Append(nil, "bad ", heard)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-rejects:
			continue
		case <-time.After(300 * time.Millisecond):
		}
		break
	}
	if heard < 4 || heard == 30 {
		t.Fatalf("%d bad messages were heard", heard)
	}
	// From now on nothing of a counts; c is still heard.
	if err := a.topic.Publish(patience(t), []byte("good of a")); err != nil {
		t.Fatal(err)
	}
	if err := c.topic.Publish(patience(t), []byte("good of c")); err != nil {
		t.Fatal(err)
	}
	got, err := b.topic.Next(patience(t))
	if err != nil || string(got.Data) != "good of c" {
		t.Fatalf("%q, %v", got.Data, err)
	}
}

func TestPublish_Refusals(t *testing.T) {
	a := join(t, p2ptest.Slim(t), 1, func(context.Context, peer.ID, []byte) mesh.Verdict { return 0 })
	for what, data := range map[string][]byte{
		"empty": nil, "too large": make([]byte, topic.MaxCheckpoint+1), "refused by the validator": []byte("x"),
	} {
		if err := a.topic.Publish(patience(t), data); !errors.Is(err, mesh.ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestMesh_Refusals(t *testing.T) {
	if _, err := mesh.New(mesh.Config{}); err == nil {
		t.Error("mesh without a host")
	}
	m, err := mesh.New(mesh.Config{Host: p2ptest.Slim(t)})
	if err != nil {
		t.Fatal(err)
	}
	tp, err := m.Join("a", 10, 0, accept)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Join("a", 10, 0, accept); err == nil {
		t.Error("joined twice")
	}
	if _, err := m.Join("b", 10, 0, nil); err == nil {
		t.Error("no validator")
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	if err := tp.WaitPeers(patience(t), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Join("c", 10, 0, accept); !errors.Is(err, mesh.ErrRunning) {
		t.Errorf("joined while running: %v", err)
	}
	if err := m.Run(ctx); !errors.Is(err, mesh.ErrRunning) {
		t.Errorf("ran twice: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := tp.Publish(context.Background(), []byte("x")); !errors.Is(err, mesh.ErrStopped) {
		t.Errorf("published after the end: %v", err)
	}
	if _, err := tp.Next(context.Background()); !errors.Is(err, mesh.ErrStopped) {
		t.Errorf("read after the end: %v", err)
	}
}
