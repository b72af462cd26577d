package light_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/light/lighttest"
	"github.com/hybridos-net/hybridos/chain/state"
)

// nobody is a source that cannot be reached.
type nobody struct{}

var errNobody = errors.New("nobody answers")

func (nobody) LightBlock(context.Context, int64) ([]byte, error) { return nil, errNobody }

func (nobody) Prove(context.Context, []byte, int64) (light.Proof, error) {
	return light.Proof{}, errNobody
}

// gather collects evidence for a client, of some records.
func gather(t *testing.T, c *lighttest.Chain, src light.Source, from light.Head, keys ...string) *light.Evidence {
	t.Helper()
	e, err := light.Gather(t.Context(), light.Gathering{Genesis: c.Doc, Now: c.Now, Source: src, From: from, Read: reading(keys...)})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func reading(keys ...string) func(state.View) error {
	return func(v state.View) error {
		for _, k := range keys {
			if _, err := v.Get([]byte(k)); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestPresent: a client that reaches nobody is led from the genesis document,
// and then from head to head, through changes of validators.
func TestPresent(t *testing.T) {
	c := lighttest.New(t, 4)
	cl := newClient(t, c, nobody{})
	for round := range 3 {
		c.Set([]byte("x1"), []byte{byte('a' + round)})
		for range 6 * round {
			c.ReplaceOne()
			c.Seal()
		}
		c.Seal()
		e := gather(t, c, c, cl.Head(), "x1", "none")
		if round > 0 && len(e.Blocks) < 2 {
			t.Errorf("%d steps through %d changes", len(e.Blocks), 6*round)
		}
		if err := cl.Present(e.Bytes(), nil); err != nil {
			t.Fatal(err)
		}
		if cl.Head().Height != c.Height() {
			t.Fatalf("head %d of %d", cl.Head().Height, c.Height())
		}
		v := cl.View(t.Context())
		if got, err := v.Get([]byte("x1")); err != nil || got[0] != byte('a'+round) {
			t.Fatalf("%q, %v", got, err)
		}
		if got, err := v.Get([]byte("none")); err != nil || got != nil {
			t.Fatalf("absent: %q, %v", got, err)
		}
		if _, err := v.Get([]byte("x2")); !errors.Is(err, errNobody) {
			t.Fatalf("what was not brought: %v", err)
		}
	}
	same := gather(t, c, c, cl.Head(), "x2")
	if len(same.Blocks) != 0 || cl.Present(same.Bytes(), nil) != nil {
		t.Errorf("%d headers for a client that is at the newest", len(same.Blocks))
	}
	if _, err := cl.View(t.Context()).Get([]byte("x2")); err != nil {
		t.Error(err)
	}
}

// TestPresent_Long: where not all headers have room, each evidence leads on.
func TestPresent_Long(t *testing.T) {
	c := lighttest.New(t, 60)
	cl := newClient(t, c, nobody{})
	if err := cl.Present(gather(t, c, c, cl.Head()).Bytes(), nil); err != nil {
		t.Fatal(err)
	}
	for range 160 {
		c.ReplaceOne()
		c.Advance(lighttest.Interval)
	}
	for n := 0; cl.Head().Height < c.Height(); n++ {
		e := gather(t, c, c, cl.Head(), "x1")
		if raw := e.Bytes(); len(raw) > light.MaxEvidence || n > 40 {
			t.Fatalf("%d bytes, round %d", len(raw), n)
		}
		before := cl.Head().Height
		if err := cl.Present(e.Bytes(), nil); err != nil || cl.Head().Height == before {
			t.Fatalf("at %d: %v", before, err)
		}
	}
	if _, err := cl.View(t.Context()).Get([]byte("x1")); err != nil {
		t.Fatal(err)
	}
}

// TestPresent_Refusals: nothing in evidence is believed that a node would not be
// believed; the head stays where good headers led.
func TestPresent_Refusals(t *testing.T) {
	c := lighttest.New(t, 4)
	c.Set([]byte("x1"), []byte("one"))
	c.Seal()
	first := gather(t, c, c, light.Head{})
	fork := lighttest.New(t, 4) // the same name, other validators
	for range 8 {
		fork.Seal()
	}
	for i := range 8 {
		c.ReplaceOne()
		c.Set([]byte("x1"), []byte{byte(i + 1)})
		c.Seal()
	}
	good := gather(t, c, c, headOf(t, c, first), "x1")
	cases := []struct {
		name   string
		change func(e *light.Evidence)
		want   light.ErrorKind
		moved  bool // some headers before the bad one are good
	}{
		{"nothing", func(e *light.Evidence) { *e = light.Evidence{} }, light.BadEvidence, false},
		{"too many headers", func(e *light.Evidence) { e.Blocks = slices.Repeat(e.Blocks[:1], light.MaxSteps+1) }, light.BadEvidence, false},
		{"too many proofs", func(e *light.Evidence) { e.Proofs = make([]light.KeyProof, light.MaxProofs+1) }, light.BadEvidence, false},
		{"a hidden change of validators", func(e *light.Evidence) { e.Blocks = e.Blocks[len(e.Blocks)-1:] }, light.TooFewKnown, false},
		{"another ledger's header", func(e *light.Evidence) { e.Blocks = [][]byte{mustBlock(t, fork, fork.Height())} }, light.TooFewKnown, false},
		{"a cut header", func(e *light.Evidence) { e.Blocks[0] = e.Blocks[0][:len(e.Blocks[0])/2] }, light.BadHeader, false},
		{"a spoiled last header", func(e *light.Evidence) { spoil(e.Blocks[len(e.Blocks)-1]) }, "", true},
		{"a proof of another key", func(e *light.Evidence) { e.Proofs[0].Key = []byte("x2") }, light.BadProof, true},
		{"a spoiled proof", func(e *light.Evidence) { spoil(e.Proofs[0].Proof) }, light.BadProof, true},
		{"a proof of an older state", func(e *light.Evidence) { e.Proofs = gather(t, c, old{c, c.Height() - 4}, light.Head{}, "x1").Proofs }, light.BadProof, true},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			cl := newClient(t, c, nobody{})
			if err := cl.Present(first.Bytes(), nil); err != nil {
				t.Fatal(err)
			}
			before := cl.Head().Height
			e, err := light.DecodeEvidence(good.Bytes(), light.CommandCaps)
			if err != nil {
				t.Fatal(err)
			}
			k.change(e)
			err = cl.Present(e.Bytes(), nil)
			if err == nil || k.want != "" && !errors.Is(err, k.want) {
				t.Fatalf("got %v, want %s", err, k.want)
			}
			if moved := cl.Head().Height != before; moved != k.moved {
				t.Errorf("moved: %t", moved)
			}
			if _, err := cl.View(t.Context()).Get([]byte("x1")); err == nil {
				t.Error("a record is there all the same")
			}
		})
	}
	for n := range 64 { // rubbish and cut short
		cl := newClient(t, c, nobody{})
		if cl.Present(bytes.Repeat([]byte{byte(n)}, n*1000), nil) == nil || cl.Present(good.Bytes()[:n*len(good.Bytes())/64], nil) == nil {
			t.Fatal("taken")
		}
	}
}

// old is a node that stopped at a height.
type old struct {
	*lighttest.Chain
	at int64
}

func (o old) LightBlock(ctx context.Context, h int64) ([]byte, error) {
	if h == 0 {
		h = o.at
	}
	return o.Chain.LightBlock(ctx, h)
}

func spoil(b []byte) { b[len(b)*2/3] ^= 1 }

func headOf(t *testing.T, c *lighttest.Chain, e *light.Evidence) light.Head {
	t.Helper()
	cl := newClient(t, c, nobody{})
	if err := cl.Present(e.Bytes(), nil); err != nil {
		t.Fatal(err)
	}
	return cl.Head()
}

// TestPresent_Vouch: after the trusting period only an owner's word leads on,
// and not to anything that is bad in itself.
func TestPresent_Vouch(t *testing.T) {
	c := lighttest.New(t, 4)
	cl := newClient(t, c, nobody{})
	if err := cl.Present(gather(t, c, c, light.Head{}).Bytes(), nil); err != nil {
		t.Fatal(err)
	}
	before := cl.Head()
	c.Advance(light.DefaultPeriod + time.Hour)
	for range 5 {
		c.Replace(4)
		c.Seal()
	}
	if !cl.Expired() {
		t.Fatal("not expired")
	}
	yes := func([]byte, light.Head) error { return nil }
	if err := cl.Present(gather(t, c, c, before).Bytes(), yes); !errors.Is(err, light.AnchorExpired) {
		t.Fatalf("without a word: %v", err)
	}
	word := func(h light.Head) ([]byte, error) { return h.Hash, nil }
	newest, err := light.DecodeBlock(c.Doc.ChainID, mustBlock(t, c, 0))
	if err != nil {
		t.Fatal(err)
	}
	mine := newest.Head() // as the owner has verified it
	if _, err := light.Gather(t.Context(), light.Gathering{Genesis: c.Doc, Now: c.Now, Source: invented(t, c), From: before, To: mine, Read: reading(), Vouch: word}); err == nil {
		t.Fatal("a node had the owner vouch for a ledger of its own")
	}
	e, err := light.Gather(t.Context(), light.Gathering{Genesis: c.Doc, Now: c.Now, Source: c, From: before, To: mine, Read: reading("x1"), Vouch: word})
	if err != nil {
		t.Fatal(err)
	}
	no := errors.New("not by the owner")
	for name, believe := range map[string]light.Voucher{"nobody is believed": nil, "refused": func([]byte, light.Head) error { return no }} {
		if err := cl.Present(e.Bytes(), believe); err == nil || cl.Head().Height != before.Height {
			t.Fatalf("%s: %v", name, err)
		}
	}
	bad := *e
	bad.Blocks = [][]byte{bytes.Clone(e.Blocks[0])}
	spoil(bad.Blocks[0])
	if err := cl.Present(bad.Bytes(), yes); err == nil {
		t.Fatal("a spoiled header was taken on somebody's word")
	}
	said := func(v []byte, h light.Head) error {
		if !bytes.Equal(v, h.Hash) || h.Height != c.Height() {
			return no
		}
		return nil
	}
	if err := cl.Present(e.Bytes(), said); err != nil || cl.Head().Height != c.Height() || cl.Expired() {
		t.Fatalf("head %d of %d: %v", cl.Head().Height, c.Height(), err)
	}
	if _, err := cl.View(t.Context()).Get([]byte("x1")); err != nil {
		t.Fatal(err)
	}
}

// invented is a node that shows a ledger of its own from a height on.
func invented(t *testing.T, c *lighttest.Chain) light.Source {
	own := lighttest.New(t, 1)
	for own.Height() < c.Height() {
		own.Seal()
	}
	return &liar{Source: c, block: func(h int64, raw []byte) []byte {
		if h == 0 || h > 4 {
			return mustBlock(t, own, h)
		}
		return raw
	}}
}

// TestGather_Lies: a node that knows the client's height by another hash, or
// lies in proofs, is found out before anything is sent.
func TestGather_Lies(t *testing.T) {
	c := lighttest.New(t, 4)
	c.Seal()
	from := headOf(t, c, gather(t, c, c, light.Head{}))
	from.Hash = bytes.Repeat([]byte{1}, 32)
	if _, err := light.Gather(t.Context(), light.Gathering{Genesis: c.Doc, Now: c.Now, Source: c, From: from, Read: reading()}); !errors.Is(err, light.Fork) {
		t.Errorf("another hash: %v", err)
	}
	lies := &liar{Source: c, proof: func(p light.Proof) light.Proof { spoil(p.Proof); return p }}
	if _, err := light.Gather(t.Context(), light.Gathering{Genesis: c.Doc, Now: c.Now, Source: lies, Read: reading("x1")}); !errors.Is(err, light.BadProof) {
		t.Errorf("a lie in a proof: %v", err)
	}
}

// FuzzDecodeEvidence: whatever is read has one encoding, and presenting it never
// panics.
func FuzzDecodeEvidence(f *testing.F) {
	f.Add((&light.Evidence{Blocks: [][]byte{{1}}, Proofs: []light.KeyProof{{Key: []byte("k"), Proof: []byte{2}}}, Vouch: []byte{3}}).Bytes())
	f.Add([]byte{0xa1, 1, 0x80})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := light.DecodeEvidence(raw, light.CommandCaps)
		if err != nil {
			return
		}
		if !bytes.Equal(e.Bytes(), raw) {
			t.Errorf("%x is read as %x", raw, e.Bytes())
		}
	})
}
