package light_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cometbft/cometbft/types"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/light/lighttest"
)

// liar is a node that changes what it passes on.
type liar struct {
	light.Source
	block func(height int64, raw []byte) []byte
	proof func(p light.Proof) light.Proof
	asked int
}

func (l *liar) LightBlock(ctx context.Context, h int64) ([]byte, error) {
	l.asked++
	raw, err := l.Source.LightBlock(ctx, h)
	if err == nil && l.block != nil {
		raw = l.block(h, raw)
	}
	return raw, err
}

func (l *liar) Prove(ctx context.Context, k []byte, h int64) (light.Proof, error) {
	p, err := l.Source.Prove(ctx, k, h)
	if err == nil && l.proof != nil {
		p = l.proof(p)
	}
	return p, err
}

// memory is a light.Store.
type memory struct{ b []byte }

func (m *memory) Load() ([]byte, error) { return m.b, nil }
func (m *memory) Save(b []byte) error   { m.b = bytes.Clone(b); return nil }

func newClient(t *testing.T, c *lighttest.Chain, src light.Source, more ...func(*light.Config)) *light.Client {
	t.Helper()
	cfg := light.Config{Genesis: c.Doc, Source: src, Now: c.Now}
	for _, m := range more {
		m(&cfg)
	}
	cl, err := light.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return cl
}

func TestClient_FollowsAndProves(t *testing.T) {
	c := lighttest.New(t, 4)
	c.Set([]byte("x1"), []byte("one"))
	c.Seal()
	src := &liar{Source: c}
	store := &memory{}
	cl := newClient(t, c, src, func(cfg *light.Config) { cfg.Store = store })
	if _, err := cl.View(t.Context()).Get([]byte("x1")); !errors.Is(err, light.NoHead) {
		t.Fatalf("got %v, want no_head", err)
	}
	head, err := cl.Update(t.Context())
	if err != nil || head.Height != c.Height() {
		t.Fatalf("head %d: %v", head.Height, err)
	}
	if src.asked != 1 {
		t.Fatalf("one skipping step fetched %d headers", src.asked)
	}
	v := cl.View(t.Context())
	if got, err := v.Get([]byte("x1")); err != nil || string(got) != "one" {
		t.Fatalf("got %q, %v", got, err)
	}
	if got, err := v.Get([]byte("x2")); err != nil || got != nil {
		t.Fatalf("absent record: %q, %v", got, err)
	}
	again := newClient(t, c, src, func(cfg *light.Config) { cfg.Store = store })
	if again.Head().Height != head.Height {
		t.Fatal("the head was not kept")
	}
}

func TestClient_Bisects(t *testing.T) {
	c := lighttest.New(t, 4)
	cl := newClient(t, c, c)
	if _, err := cl.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		c.ReplaceOne()
		c.Seal()
	}
	if err := cl.Vouches(mustBlock(t, c, 0)); !errors.Is(err, light.TooFewKnown) {
		t.Fatalf("got %v, want too_few_known", err)
	}
	head, err := cl.Update(t.Context())
	if err != nil || head.Height != c.Height() {
		t.Fatalf("head %d: %v", head.Height, err)
	}
}

func TestClient_RefusesAHiddenChangeOfValidators(t *testing.T) {
	c := lighttest.New(t, 4)
	cl := newClient(t, c, c)
	before, err := cl.Update(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Replace(4) // nobody of the old set signs any more; the change was announced
	c.Seal()
	if _, err := cl.Update(t.Context()); err != nil {
		t.Fatalf("announced change: %v", err)
	}
	other := lighttest.New(t, 4)
	other.Advance(time.Hour)
	for range 8 {
		other.Seal()
	}
	if head, err := cl.Offer(t.Context(), mustBlock(t, other, 0)); err == nil || head.Height < before.Height {
		t.Fatalf("headers of strangers were taken: %v", err)
	}
}

func mustBlock(t *testing.T, c *lighttest.Chain, h int64) []byte {
	t.Helper()
	raw, err := c.LightBlock(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestClient_RefusesForgedHeaders(t *testing.T) {
	cases := []struct {
		name     string
		resigned bool
		change   func(*types.LightBlock)
		want     light.ErrorKind
	}{
		{"other app hash", false, func(lb *types.LightBlock) { lb.Header.AppHash[0] ^= 1 }, light.BadHeader},
		{"other ledger", true, func(lb *types.LightBlock) { lb.Header.ChainID = "other" }, light.WrongChain},
		{"from the future", true, func(lb *types.LightBlock) { lb.Header.Time = lb.Header.Time.Add(time.Hour) }, light.FromFuture},
		{"set left out one", false, func(lb *types.LightBlock) { lb.ValidatorSet.Validators = lb.ValidatorSet.Validators[1:] }, light.BadHeader},
		{"power raised", false, func(lb *types.LightBlock) { lb.ValidatorSet.Validators[0].VotingPower = 99 }, light.BadHeader},
		{"signature of one damaged", false, func(lb *types.LightBlock) { lb.Commit.Signatures[0].Signature[5] ^= 1 }, light.BadCommit},
		{"two of four absent", false, func(lb *types.LightBlock) {
			lb.Commit.Signatures[0] = types.NewCommitSigAbsent()
			lb.Commit.Signatures[3] = types.NewCommitSigAbsent()
		}, light.BadCommit},
		{"one signs for all", false, func(lb *types.LightBlock) {
			for i := range lb.Commit.Signatures {
				lb.Commit.Signatures[i] = lb.Commit.Signatures[0]
			}
		}, light.BadCommit},
		{"commit for another header", false, func(lb *types.LightBlock) { lb.Commit.BlockID.Hash[0] ^= 1 }, light.BadHeader},
		{"commit of another height", false, func(lb *types.LightBlock) { lb.Commit.Height++ }, light.BadHeader},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := lighttest.New(t, 4)
			h := c.Seal()
			cl := newClient(t, c, c)
			head, err := cl.Offer(t.Context(), c.Forge(h, tc.resigned, tc.change))
			if !errors.Is(err, tc.want) || head.Height != 0 {
				t.Fatalf("got %v at %d, want %s", err, head.Height, tc.want)
			}
			if _, err := cl.Update(t.Context()); err != nil {
				t.Fatalf("the honest header was refused: %v", err)
			}
		})
	}
}

// TestClient_RefusesUsurpers: validators that name only themselves have all of
// their own set behind them. It takes more than two thirds of the trusted power
// to change the set, whether the headers between can be had or not.
func TestClient_RefusesUsurpers(t *testing.T) {
	for _, tc := range []struct{ validators, sign int }{{4, 1}, {4, 2}, {6, 3}, {6, 4}, {9, 6}} {
		for _, later := range []bool{false, true} {
			c := lighttest.New(t, tc.validators)
			cl := newClient(t, c, c)
			before, err := cl.Update(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			forged := c.Usurp(tc.sign)
			if err := cl.Vouches(forged); !errors.Is(err, light.TooFewKnown) {
				t.Errorf("%d of %d: gossip got %v, want too_few_known", tc.sign, tc.validators, err)
			}
			if later { // the honest header between exists, so bisection reaches it
				c.Advance(0)
			}
			head, err := cl.Offer(t.Context(), forged)
			if err == nil || head.Height > before.Height+1 {
				t.Errorf("%d of %d moved the head from %d to %d: %v", tc.sign, tc.validators, before.Height, head.Height, err)
			}
		}
	}
	c := lighttest.New(t, 4) // positive control: the bound is not higher than it says
	cl := newClient(t, c, c)
	if _, err := cl.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := cl.Offer(t.Context(), c.Usurp(3)); err != nil {
		t.Errorf("three of four: %v", err)
	}
}

func TestClient_AbsentThirdIsEnough(t *testing.T) {
	c := lighttest.New(t, 4)
	h := c.Seal()
	raw := c.Forge(h, false, func(lb *types.LightBlock) { lb.Commit.Signatures[2] = types.NewCommitSigAbsent() })
	if _, err := newClient(t, c, c).Offer(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
}

func TestClient_NeverGoesBack(t *testing.T) {
	c := lighttest.New(t, 4)
	old := mustBlock(t, c, 0)
	c.Seal()
	cl := newClient(t, c, c)
	want, err := cl.Update(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := cl.Offer(t.Context(), old); err != nil || got.Height != want.Height {
		t.Fatalf("head went to %d: %v", got.Height, err)
	}
}

func TestClient_TellsAFork(t *testing.T) {
	c := lighttest.New(t, 4)
	h := c.Seal()
	cl := newClient(t, c, c)
	if _, err := cl.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	twin := func(resigned bool) []byte {
		return c.Forge(h, resigned, func(lb *types.LightBlock) { lb.Header.AppHash = bytes.Repeat([]byte{7}, 32) })
	}
	if _, err := cl.Offer(t.Context(), twin(true)); !errors.Is(err, light.Fork) {
		t.Fatalf("got %v, want fork", err)
	}
	if _, err := cl.Offer(t.Context(), twin(false)); errors.Is(err, light.Fork) || err == nil {
		t.Fatalf("an unsigned twin: %v", err)
	}
}

func TestClient_AnchorExpires(t *testing.T) {
	c := lighttest.New(t, 4)
	cl := newClient(t, c, c)
	if _, err := cl.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Advance(light.DefaultPeriod + time.Hour)
	if _, err := cl.Update(t.Context()); !errors.Is(err, light.AnchorExpired) {
		t.Fatalf("got %v, want anchor_expired", err)
	}
}

func TestView_RefusesLies(t *testing.T) {
	cases := []struct {
		name string
		lie  func(t *testing.T, c *lighttest.Chain, p light.Proof) light.Proof
	}{
		{"wrong value", func(_ *testing.T, _ *lighttest.Chain, p light.Proof) light.Proof { p.Value = []byte("two"); return p }},
		{"hidden value", func(_ *testing.T, _ *lighttest.Chain, p light.Proof) light.Proof { p.Value = nil; return p }},
		{"another record's proof", func(t *testing.T, c *lighttest.Chain, p light.Proof) light.Proof {
			q, err := c.Prove(t.Context(), []byte("x2"), p.Height)
			if err != nil {
				t.Fatal(err)
			}
			q.Key = p.Key
			return q
		}},
		{"another record", func(t *testing.T, c *lighttest.Chain, p light.Proof) light.Proof {
			q, err := c.Prove(t.Context(), []byte("x2"), p.Height)
			if err != nil {
				t.Fatal(err)
			}
			return q
		}},
		{"old version", func(t *testing.T, c *lighttest.Chain, p light.Proof) light.Proof {
			q, err := c.Prove(t.Context(), p.Key, p.Height-2)
			if err != nil {
				t.Fatal(err)
			}
			return q
		}},
		{"old version under a new number", func(t *testing.T, c *lighttest.Chain, p light.Proof) light.Proof {
			q, err := c.Prove(t.Context(), p.Key, p.Height-2)
			if err != nil {
				t.Fatal(err)
			}
			q.Height = p.Height
			return q
		}},
		{"no proof", func(_ *testing.T, _ *lighttest.Chain, p light.Proof) light.Proof { p.Proof = nil; return p }},
		{"cut proof", func(_ *testing.T, _ *lighttest.Chain, p light.Proof) light.Proof {
			p.Proof = p.Proof[:len(p.Proof)/2]
			return p
		}},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := lighttest.New(t, 4)
			c.Set([]byte("x1"), []byte("zero"))
			c.Set([]byte("x2"), []byte("two"))
			c.Seal()
			c.Set([]byte("x1"), []byte("one"))
			c.Seal()
			src := &liar{Source: c, proof: func(p light.Proof) light.Proof { return tc.lie(t, c, p) }}
			cl := newClient(t, c, src)
			if _, err := cl.Update(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, err := cl.View(t.Context()).Get([]byte("x1")); !errors.Is(err, light.BadProof) {
				t.Fatalf("got %q, %v, want bad_proof", got, err)
			}
		})
	}
}

// several is a source of a liar and an honest node.
type several struct {
	light.Source
	nodes []light.Source
	at    int
}

func (s *several) Prove(ctx context.Context, k []byte, h int64) (light.Proof, error) {
	return s.nodes[s.at].Prove(ctx, k, h)
}

func (s *several) Doubt() int {
	s.at = (s.at + 1) % len(s.nodes)
	return len(s.nodes) - 1
}

func TestView_LiarsMakeRoom(t *testing.T) {
	c := lighttest.New(t, 4)
	c.Set([]byte("x1"), []byte("one"))
	c.Seal()
	bad := &liar{Source: c, proof: func(p light.Proof) light.Proof { p.Value = []byte("two"); return p }}
	src := &several{Source: c, nodes: []light.Source{bad, bad, c}}
	cl := newClient(t, c, src)
	if _, err := cl.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := cl.View(t.Context()).Get([]byte("x1")); err != nil || string(got) != "one" {
		t.Fatalf("with one honest node among three: %q, %v", got, err)
	}
	src = &several{Source: c, nodes: []light.Source{bad, bad}}
	cl = newClient(t, c, src)
	if _, err := cl.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := cl.View(t.Context()).Get([]byte("x1")); !errors.Is(err, light.BadProof) {
		t.Fatalf("with liars alone: %q, %v", got, err)
	}
}

func FuzzDecodeBlock(f *testing.F) {
	c := lighttest.New(f, 4)
	raw, err := c.LightBlock(context.Background(), 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte{0x0a, 0x00})
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := light.DecodeBlock(c.Doc.ChainID, in)
		if err == nil && b.Header.ChainID != c.Doc.ChainID {
			t.Fatal("accepted a header of another ledger")
		}
	})
}

func BenchmarkOffer(b *testing.B) {
	c := lighttest.New(b, 4)
	old, err := c.LightBlock(context.Background(), 0)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		cl, err := light.New(light.Config{Genesis: c.Doc, Source: c, Now: c.Now})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := cl.Offer(context.Background(), old); err != nil {
			b.Fatal(err)
		}
	}
}
