package sdk_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cometbft/cometbft/types"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/light/lighttest"
	"github.com/hybridos-net/hybridos/p2p/mesh"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/slim"
	"github.com/hybridos-net/hybridos/p2p/topic"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/sdk/sdktest"
)

func TestCheckpointValidator(t *testing.T) {
	l := sdktest.New(t)
	later := time.Duration(0)
	lc, err := light.New(light.Config{Genesis: l.Doc, Source: l, Now: func() time.Time { return l.Now().Add(later) }})
	if err != nil {
		t.Fatal(err)
	}
	block := func(h int64) []byte {
		b, err := l.LightBlock(t.Context(), h)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	l.Seal()
	if _, err := lc.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	head := l.Height()
	other := func(b *types.LightBlock) { b.AppHash = make([]byte, 32) }
	judge := sdk.CheckpointValidator(lc, l.Doc.ChainID)
	check := func(name string, want mesh.Verdict, data []byte) {
		t.Helper()
		if got := judge(t.Context(), "peer", data); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	check("rubbish", mesh.Reject, []byte("rubbish"))
	check("another ledger", mesh.Reject, l.Forge(head, true, func(b *types.LightBlock) { b.ChainID = "elsewhere" }))
	check("the head", mesh.Ignore, block(head))
	check("old", mesh.Ignore, block(head-1))
	// Nobody can be blamed for it, but it must not travel: such can be made up
	// without end.
	check("old and made up", mesh.Ignore, unsigned(l, head-1, 1))
	check("the head, made up", mesh.Reject, unsigned(l, head, 1))
	check("validators signed twice", mesh.Ignore, l.Forge(head, true, other))
	next := l.Advance(lighttest.Interval)
	check("next, made up", mesh.Reject, unsigned(l, next, 1))
	check("next, parts of different headers", mesh.Reject, l.Forge(next, false, other))
	later = -time.Minute
	check("from the future", mesh.Ignore, block(next))
	later = light.DefaultPeriod
	check("for who slept too long", mesh.Ignore, block(next))
	later = 0
	check("next", mesh.Accept, block(next))
	check("next once more", mesh.Ignore, block(next))
	l.Replace(3)
	l.Seal()
	l.Seal()
	check("far ahead, by validators not known", mesh.Ignore, block(l.Height()))
	if _, err := lc.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.Seal()
	check("ahead", mesh.Accept, block(l.Height()))
	check("between", mesh.Ignore, block(l.Height()-1))
}

// TestCheckpointValidator_HeadMoves: who sends a true header while the head passes
// its height is not to blame.
func TestCheckpointValidator_HeadMoves(t *testing.T) {
	l := sdktest.New(t)
	lc, err := light.New(light.Config{Genesis: l.Doc, Source: l, Now: l.Now})
	if err != nil {
		t.Fatal(err)
	}
	judge := sdk.CheckpointValidator(lc, l.Doc.ChainID)
	for range 100 {
		raw, err := l.LightBlock(t.Context(), l.Advance(lighttest.Interval))
		if err != nil {
			t.Fatal(err)
		}
		var work sync.WaitGroup
		begin := make(chan struct{})
		for range 4 {
			work.Go(func() {
				<-begin
				for range 5 {
					if judge(t.Context(), "peer", raw) == mesh.Reject {
						t.Error("an honest peer was blamed")
					}
				}
			})
		}
		work.Go(func() {
			<-begin
			if _, err := lc.Offer(t.Context(), raw); err != nil {
				t.Error(err)
			}
		})
		close(begin)
		work.Wait()
	}
}

// TestCheckpointValidator_Tail: what a peer next to the header accepts without
// looking at its last signature is not held against it by one that is behind.
func TestCheckpointValidator_Tail(t *testing.T) {
	l := lighttest.New(t, 7)
	follower := func() *light.Client {
		c, err := light.New(light.Config{Genesis: l.Doc, Source: l, Now: l.Now})
		if err == nil {
			_, err = c.Update(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	behind := sdk.CheckpointValidator(follower(), l.Doc.ChainID)
	for range 5 {
		l.ReplaceOne()
		l.Seal()
	}
	near := sdk.CheckpointValidator(follower(), l.Doc.ChainID)
	next := l.Advance(lighttest.Interval)
	spoil := func(i int) []byte {
		return l.Forge(next, false, func(b *types.LightBlock) { b.Commit.Signatures[i].Signature[0] ^= 1 })
	}
	for name, c := range map[string]struct {
		judge mesh.Validator
		data  []byte
		want  mesh.Verdict
	}{
		"near, first signature bad":   {near, spoil(0), mesh.Reject},
		"behind, first signature bad": {behind, spoil(0), mesh.Ignore},
		"near, last signature bad":    {near, spoil(6), mesh.Accept},
		"behind, last signature bad":  {behind, spoil(6), mesh.Ignore},
	} {
		if got := c.judge(t.Context(), "peer", c.data); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// unsigned is a header whose parts belong together, but which nobody signed;
// anybody can make as many as there are salts.
func unsigned(l *sdktest.Ledger, height int64, salt byte) []byte {
	return l.Forge(height, false, func(b *types.LightBlock) {
		b.AppHash = bytes.Repeat([]byte{salt}, 32)
		b.Commit.BlockID.Hash = b.Header.Hash()
	})
}

// gate is open from a moment on.
type gate struct{ v atomic.Bool }

func (g *gate) now()       { g.v.Store(true) }
func (g *gate) open() bool { return g.v.Load() }

// member takes part in the gossip of checkpoints.
type member struct {
	host  host.Host
	topic *mesh.Topic
}

func join(t *testing.T, l *sdktest.Ledger, h host.Host) member {
	t.Helper()
	m, err := mesh.New(mesh.Config{Host: h})
	if err != nil {
		t.Fatal(err)
	}
	tp, err := m.Join(topic.Checkpoint(l.Doc.Chain()), topic.MaxCheckpoint, 1000, func(context.Context, peer.ID, []byte) mesh.Verdict { return mesh.Accept })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if err := tp.WaitPeers(patience(t), 0); err != nil {
		t.Fatal(err)
	}
	return member{h, tp}
}

// follower is a client that follows.
type follower struct {
	client *sdk.Client
	host   *slim.Host
	heads  chan light.Head
	end    func() error
}

func follow(t *testing.T, l *sdktest.Ledger, silence time.Duration, nodes ...string) *follower {
	t.Helper()
	f := &follower{host: p2ptest.Slim(t), heads: make(chan light.Head, 1000)}
	f.client = newClient(t, l, func(c *sdk.Config) { c.Host = f.host }, nodes...)
	if silence > 0 {
		f.client.SetSilence(silence)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- f.client.Follow(ctx, func(h light.Head) error { f.heads <- h; return nil })
		close(done)
	}()
	f.end = func() error { cancel(); return <-done }
	t.Cleanup(func() {
		if err := f.end(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *follower) next(t *testing.T) light.Head {
	t.Helper()
	select {
	case h := <-f.heads:
		return h
	case <-patience(t).Done():
		t.Fatal("no head came")
		return light.Head{}
	}
}

// publish makes one more header and spreads it.
func publish(t *testing.T, l *sdktest.Ledger, m member) []byte {
	t.Helper()
	raw, err := l.LightBlock(t.Context(), l.Advance(lighttest.Interval))
	if err == nil {
		err = m.topic.Publish(patience(t), raw)
	}
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestFollow_Gossip: true headers go through the client to the one behind it,
// lies do not; and being behind costs an honest peer nothing.
func TestFollow_Gossip(t *testing.T) {
	l := sdktest.New(t)
	n := sdktest.Serve(t, l)
	f := follow(t, l, 0, n.Addr)
	if h := f.next(t); h.Height != l.Height() {
		t.Fatalf("began at %d", h.Height)
	}
	node, behind := join(t, l, n.Host), join(t, l, p2ptest.Slim(t))
	p2ptest.Connect(t, behind.host.(*slim.Host), f.host)
	for _, m := range []member{node, behind} {
		if err := m.topic.WaitPeers(patience(t), 1); err != nil {
			t.Fatal(err)
		}
	}
	heard := make(chan int64, 1000)
	go func() {
		defer close(heard)
		for {
			m, err := behind.topic.Next(patience(t))
			if err != nil {
				return
			}
			b, err := light.DecodeBlock(l.Doc.ChainID, m.Data)
			if err != nil {
				t.Errorf("rubbish was forwarded: %v", err)
				return
			}
			heard <- b.Header.Height
		}
	}()
	for formed := false; !formed; { // forwarding begins at a heartbeat
		publish(t, l, node)
		select {
		case <-heard:
			formed = true
		case <-time.After(100 * time.Millisecond):
		}
	}
	last := int64(0)
	adopted := func() { // gossip drops what comes faster than it is judged
		t.Helper()
		for last < l.Height() {
			h := f.next(t)
			if h.Height <= last {
				t.Fatalf("%d after %d", h.Height, last)
			}
			last = h.Height
		}
	}
	adopted()
	for i := range byte(8) { // more than the four rejections that end a peer's gossip
		if err := node.topic.Publish(patience(t), unsigned(l, 2, i)); err != nil {
			t.Fatal(err)
		}
		publish(t, l, node)
		adopted()
	}
	if err := node.topic.Publish(patience(t), unsigned(l, l.Height(), 1)); err != nil {
		t.Fatal(err)
	}
	publish(t, l, node)
	adopted()
	for h := range heard {
		if h == 2 {
			t.Fatal("an old header was forwarded")
		}
		if h == l.Height() {
			return
		}
	}
	t.Fatal("the last header did not come through")
}

// TestFollow_Silence: without gossip the node is asked.
func TestFollow_Silence(t *testing.T) {
	l := sdktest.New(t)
	f := follow(t, l, 20*time.Millisecond, sdktest.Serve(t, l).Addr)
	f.next(t)
	want := l.Seal()
	if h := f.next(t); h.Height > want {
		t.Fatalf("head %d, want %d", h.Height, want)
	}
}

// TestFollow_Replay: true but old headers do not keep the client from asking.
func TestFollow_Replay(t *testing.T) {
	l := sdktest.New(t)
	for range 400 {
		l.Advance(lighttest.Interval)
	}
	var late gate
	n := sdktest.Serve(t, &liar{Backend: l, block: func(h int64) ([]byte, error) {
		if h == 0 && !late.open() {
			h = 2
		}
		return l.LightBlock(context.Background(), h)
	}})
	f := follow(t, l, 200*time.Millisecond, n.Addr)
	f.next(t)
	node := join(t, l, n.Host)
	if err := node.topic.WaitPeers(patience(t), 1); err != nil {
		t.Fatal(err)
	}
	late.now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for h := int64(3); ; h++ {
		raw, err := l.LightBlock(t.Context(), h)
		if err != nil || h > 300 {
			t.Fatal("all of the past was replayed, and no node was asked")
		}
		if err := node.topic.Publish(patience(t), raw); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-f.heads:
			if got.Height == l.Height() {
				return
			}
		case <-patience(t).Done():
			t.Fatal("no head came")
		}
		<-tick.C
	}
}

// TestFollow_Ends: onHead's error ends it; a client follows once at a time, and
// again later; a dead node is no reason to end.
func TestFollow_Ends(t *testing.T) {
	l := sdktest.New(t)
	n := sdktest.Serve(t, l)
	c := newClient(t, l, nil, n.Addr)
	full := errors.New("full")
	for range 2 {
		err := c.Follow(patience(t), func(light.Head) error {
			if c.Follow(patience(t), nil) == nil {
				t.Error("followed twice at once")
			}
			return full
		})
		want(t, err, full)
	}
	f := follow(t, l, 10*time.Millisecond, n.Addr)
	f.next(t)
	n.Kill()
	if err := f.end(); err != nil {
		t.Fatal(err)
	}
}
