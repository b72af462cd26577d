package attest_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/attest"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

var (
	chain  = codec.ChainDigest{1, 2, 3}
	camera = statetest.Key("camera")
	other  = statetest.Key("other")
	source = attest.Source{Chain: chain, Device: camera.Public(), Epoch: 2, Stream: "door"}
)

// say makes statement n of a stream whose last one is prev.
func say(t testing.TB, n uint64, prev *attest.Statement, change func(*attest.Body)) *attest.Statement {
	t.Helper()
	return sayBy(t, camera, n, prev, change)
}

func sayBy(t testing.TB, by *key.Private, n uint64, prev *attest.Statement, change func(*attest.Body)) *attest.Statement {
	t.Helper()
	b := attest.Body{Epoch: 2, Stream: "door", Kind: attest.Event, Seq: n, Subject: "lock/moved",
		Time: 1_800_000_000_000 + n, Height: 10 + n, HeadHash: bytes.Repeat([]byte{9}, 32)}
	if prev != nil {
		h := prev.Hash()
		b.Prev = h[:]
	}
	if change != nil {
		change(&b)
	}
	s, err := attest.Sign(chain, b, []byte{byte(n)}, by)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run is a whole stream of n statements.
func run(t testing.TB, n uint64) []*attest.Statement {
	t.Helper()
	var out []*attest.Statement
	var last *attest.Statement
	for i := uint64(1); i <= n; i++ {
		last = say(t, i, last, nil)
		out = append(out, last)
	}
	return out
}

func TestStatement_RoundTrip(t *testing.T) {
	s := say(t, 1, nil, func(b *attest.Body) { b.Ext = map[uint64]codec.Raw{128: {0x01}} })
	got, err := attest.Decode(s.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s.Body, got.Body); d != "" || got.Hash() != s.Hash() || !bytes.Equal(got.Bytes(), s.Bytes()) {
		t.Fatal(d)
	}
	if err := got.Verify(chain, camera.Public()); err != nil {
		t.Fatal(err)
	}
}

// TestStatement_EveryByte: no byte of a statement can be another, and none can
// be left out.
func TestStatement_EveryByte(t *testing.T) {
	raw := say(t, 1, nil, nil).Bytes()
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		for _, b := range [][]byte{bad, raw[:i]} {
			if v := attest.NewVerifier(source, &attest.State{}).Accept(b, nil); v.Taken || len(v.Flags) != 1 {
				t.Fatalf("byte %d: %+v", i, v)
			}
		}
	}
}

func TestSign_Refuses(t *testing.T) {
	for name, change := range map[string]func(*attest.Body){
		"no epoch":           func(b *attest.Body) { b.Epoch = 0 },
		"no number":          func(b *attest.Body) { b.Seq = 0 },
		"no stream":          func(b *attest.Body) { b.Stream = "" },
		"kind":               func(b *attest.Body) { b.Kind = 5 },
		"names none before":  func(b *attest.Body) { b.Seq = 2 },
		"first has a past":   func(b *attest.Body) { b.Prev = make([]byte, 32) },
		"short hash":         func(b *attest.Body) { b.Seq, b.Prev = 2, []byte{1} },
		"unsure of all":      func(b *attest.Body) { b.Unsure = 1 },
		"head without hash":  func(b *attest.Body) { b.HeadHash = nil },
		"hash without head":  func(b *attest.Body) { b.Height = 0 },
		"long subject":       func(b *attest.Body) { b.Subject = string(make([]byte, 65)) },
		"critical extension": func(b *attest.Body) { b.Ext = map[uint64]codec.Raw{127: {0x01}} },
	} {
		b := attest.Body{Epoch: 1, Stream: "door", Kind: attest.Event, Seq: 1, Height: 1, HeadHash: make([]byte, 32)}
		change(&b)
		if _, err := attest.Sign(chain, b, nil, camera); !errors.Is(err, attest.Malformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b := attest.Body{Epoch: 1, Stream: "door", Kind: attest.Segment, Seq: 1}
	if _, err := attest.Sign(chain, b, make([]byte, attest.MaxPayload+1), camera); !errors.Is(err, attest.Malformed) {
		t.Errorf("payload over the cap: %v", err)
	}
}

// TestVerifier_Stream: each history as its numbers are brought, with what is
// said of the last one.
func TestVerifier_Stream(t *testing.T) {
	s := run(t, 70)
	at := func(n ...int) (out []*attest.Statement) {
		for _, i := range n {
			out = append(out, s[i-1])
		}
		return out
	}
	fork := say(t, 3, s[0], nil)
	again := say(t, 2, s[0], func(b *attest.Body) { b.Time++ })
	crash := func(unsure uint64) *attest.Statement {
		return say(t, 8, nil, func(b *attest.Body) { b.Unsure = unsure })
	}
	for _, c := range []struct {
		name    string
		bring   []*attest.Statement
		flags   []attest.Flag
		taken   bool
		missing uint64
	}{
		{"in order", at(1, 2, 3), nil, true, 0},
		{"not from the beginning", at(3), []attest.Flag{attest.Drop}, true, 2},
		{"replay", at(1, 2, 2), []attest.Flag{attest.Replay}, false, 0},
		{"replay of the first", at(1, 2, 3, 1), []attest.Flag{attest.Replay}, false, 0},
		{"replay beyond the window", append(slices.Clone(s), s[1]), []attest.Flag{attest.Replay}, false, 0},
		{"drop", at(1, 2, 5), []attest.Flag{attest.Drop}, true, 2},
		{"reorder", at(1, 3, 2), []attest.Flag{attest.Reorder}, false, 0},
		{"late, then replayed", at(1, 3, 2, 2), []attest.Flag{attest.Replay}, false, 0},
		{"goes on after a late one", at(1, 3, 2, 4), nil, true, 0},
		{"splice", append(at(1, 2), fork), []attest.Flag{attest.Splice}, false, 0},
		{"number given twice", append(at(1, 2), again), []attest.Flag{attest.Splice}, false, 0},
		{"crash", append(at(1, 2, 3), crash(4)), []attest.Flag{attest.Restart}, true, 4},
		{"crash and drop", append(at(1, 2, 3), crash(2)), []attest.Flag{attest.Restart, attest.Drop}, true, 4},
		{"clock set back", append(at(1), say(t, 2, s[0], func(b *attest.Body) { b.Time--; b.Time-- })), []attest.Flag{attest.TimeBack}, true, 0},
		{"head set back", append(at(1), say(t, 2, s[0], func(b *attest.Body) { b.Height = 1 })), []attest.Flag{attest.HeightBack}, true, 0},
	} {
		v := attest.NewVerifier(source, &attest.State{})
		var got attest.Verdict
		for _, b := range c.bring {
			// What was saved is gone on with as if nothing had been.
			saved, err := attest.DecodeState(codec.MustMarshal(v.State()))
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			v = attest.NewVerifier(source, &saved)
			got = v.Accept(b.Bytes(), nil)
		}
		if d := cmp.Diff(c.flags, got.Flags); d != "" || got.Taken != c.taken || got.Missing != c.missing || got.Statement == nil {
			t.Errorf("%s: %s taken %t, missing %d: %s", c.name, d, got.Taken, got.Missing, got.Detail)
		}
	}
}

// TestVerifier_Foreign: what is not of this stream leaves no trace.
func TestVerifier_Foreign(t *testing.T) {
	first := say(t, 1, nil, nil)
	unsigned := codec.MustMarshal(attest.Envelope{Body: codec.MustMarshal(first.Body), Sig: other.Sign([32]byte{1})})
	elsewhere, err := attest.Sign(codec.ChainDigest{7}, attest.Body{Epoch: 2, Stream: "door", Kind: attest.Event, Seq: 1}, nil, camera)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		raw     []byte
		payload []byte
		flag    attest.Flag
	}{
		{[]byte{0}, nil, attest.Malformed},
		{make([]byte, attest.MaxBytes+1), nil, attest.TooLarge},
		{sayBy(t, other, 1, nil, nil).Bytes(), nil, attest.ForeignDevice},
		{unsigned, nil, attest.BadSignature},
		{elsewhere.Bytes(), nil, attest.WrongChain},
		{say(t, 1, nil, func(b *attest.Body) { b.Epoch = 3 }).Bytes(), nil, attest.WrongEpoch},
		{say(t, 1, nil, func(b *attest.Body) { b.Stream = "yard" }).Bytes(), nil, attest.ForeignStream},
		{first.Bytes(), []byte("another picture"), attest.PayloadMismatch},
	} {
		v := attest.NewVerifier(source, &attest.State{})
		if got := v.Accept(c.raw, c.payload); got.Taken || !slices.Equal(got.Flags, []attest.Flag{c.flag}) {
			t.Errorf("want %s: %+v", c.flag, got)
		}
		if got := v.Accept(first.Bytes(), nil); !got.Taken || len(got.Flags) != 0 || !got.Whole {
			t.Errorf("after %s: %+v", c.flag, got)
		}
	}
}

// TestVerifier_Segments: a payload that is too long to be carried is bound by
// its hash.
func TestVerifier_Segments(t *testing.T) {
	picture := bytes.Repeat([]byte{1, 2, 3}, 1<<16)
	b := attest.Body{Epoch: 2, Stream: "door", Kind: attest.Segment, Seq: 1}
	s, err := attest.Sign(chain, b, picture, camera)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Bytes()) > 512 {
		t.Errorf("%d bytes", len(s.Bytes()))
	}
	for _, c := range []struct {
		payload      []byte
		taken, whole bool
	}{{nil, true, false}, {picture, true, true}, {picture[1:], false, false}} {
		if v := attest.NewVerifier(source, nil).Accept(s.Bytes(), c.payload); v.Taken != c.taken || v.Whole != c.whole {
			t.Errorf("%+v", v)
		}
	}
}

// TestVerifier_Joins: who comes late begins where the stream stands.
func TestVerifier_Joins(t *testing.T) {
	s := run(t, 4)
	v := attest.NewVerifier(source, nil)
	for _, c := range []struct {
		n     int
		flags []attest.Flag
	}{{3, nil}, {4, nil}, {2, []attest.Flag{attest.Replay}}} {
		if got := v.Accept(s[c.n-1].Bytes(), nil); !slices.Equal(got.Flags, c.flags) {
			t.Errorf("number %d: %v", c.n, got.Flags)
		}
	}
}

func TestDecodeState_Refuses(t *testing.T) {
	h := make([]byte, 32)
	for name, s := range map[string]attest.State{
		"from after the last": {From: 3, Seq: 2, Hash: h},
		"no beginning":        {Seq: 2, Hash: h},
		"no hash":             {From: 1, Seq: 2},
		"seen after the last": {From: 1, Seq: 2, Hash: h, Seen: []attest.Seen{{Seq: 3}}},
		"seen twice":          {From: 1, Seq: 2, Hash: h, Seen: []attest.Seen{{Seq: 2}, {Seq: 2}}},
		"seen before":         {From: 2, Seq: 3, Hash: h, Seen: []attest.Seen{{Seq: 1}}},
	} {
		if _, err := attest.DecodeState(codec.MustMarshal(s)); !errors.Is(err, attest.Malformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func seeds(f *testing.F) {
	file, err := vectors.Load("attest")
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range file.Cases {
		f.Add(c.Bytes())
	}
}

func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := attest.Decode(in)
		var flag attest.Flag
		switch {
		case err != nil && !errors.As(err, &flag):
			t.Fatal(err)
		case err == nil && !bytes.Equal(s.Bytes(), in):
			t.Fatal("accepted a malleable encoding")
		}
	})
}

// FuzzDecodeState: whatever state is taken, a stream can be followed from it.
func FuzzDecodeState(f *testing.F) {
	v := attest.NewVerifier(source, &attest.State{})
	f.Add(codec.MustMarshal(v.State()))
	all := run(f, 70)
	for _, s := range all {
		v.Accept(s.Bytes(), nil)
	}
	f.Add(codec.MustMarshal(v.State()))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := attest.DecodeState(in)
		if err != nil {
			return
		}
		v := attest.NewVerifier(source, &s)
		v.Accept(all[1].Bytes(), nil)
		v.Accept(all[69].Bytes(), nil)
		if got := v.State(); got.Seq < s.Seq || len(got.Seen) > 64 {
			t.Fatalf("went from %d to %d, %d seen", s.Seq, got.Seq, len(got.Seen))
		}
	})
}
