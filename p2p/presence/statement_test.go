package presence

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
)

var noon = time.UnixMilli(1_800_000_000_000)

func secret(t testing.TB, name string) *key.Private {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	k, err := key.Generate(bytes.NewReader(bytes.Repeat(seed[:], 8)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func kindOf(err error) ErrorKind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func TestStatement(t *testing.T) {
	chain, device := codec.ChainDigest{1}, secret(t, "device")
	raw := Sign(chain, device, "self", "node", noon).Bytes()
	s, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Bytes(), raw) || !s.Body.Device.Equal(device.Public()) {
		t.Errorf("decoded %+v", s.Body)
	}
	for name, c := range map[string]struct {
		chain      codec.ChainDigest
		self, node peer.ID
		now        time.Time
		want       ErrorKind
	}{
		"good":          {chain, "self", "node", noon, ""},
		"just not old":  {chain, "self", "node", noon.Add(MaxSkew), ""},
		"just not new":  {chain, "self", "node", noon.Add(-MaxSkew), ""},
		"other node":    {chain, "self", "other", noon, WrongNode},
		"other peer":    {chain, "other", "node", noon, WrongPeer},
		"ends swapped":  {chain, "node", "self", noon, WrongNode},
		"old":           {chain, "self", "node", noon.Add(MaxSkew + time.Millisecond), TooOld},
		"from tomorrow": {chain, "self", "node", noon.Add(-MaxSkew - time.Millisecond), TooNew},
		"other ledger":  {codec.ChainDigest{2}, "self", "node", noon, BadSignature},
	} {
		if got := kindOf(s.Verify(c.chain, c.self, c.node, c.now)); got != c.want {
			t.Errorf("%s: kind %q, want %q", name, got, c.want)
		}
	}
	forged := *s
	forged.Sig = bytes.Clone(s.Sig)
	forged.Sig[7] ^= 1
	if got := kindOf(forged.Verify(chain, "self", "node", noon)); got != BadSignature {
		t.Errorf("forged: kind %q", got)
	}
	body := s.Body
	body.Device = secret(t, "other").Public()
	posing := Statement{Body: body, Sig: s.Sig, raw: codec.MustMarshal(body)}
	if got := kindOf(posing.Verify(chain, "self", "node", noon)); got != BadSignature {
		t.Errorf("other device's key: kind %q", got)
	}
}

// bad gives statements that no decoder may take.
func bad(t testing.TB) map[string][]byte {
	device := secret(t, "device")
	good := Sign(codec.ChainDigest{1}, device, "self", "node", noon)
	edit := func(f func(b *Body)) []byte {
		b := good.Body
		f(&b)
		return codec.MustMarshal(envelope{codec.MustMarshal(b), good.Sig})
	}
	raw := good.Bytes()
	long := bytes.Clone(raw)
	long = append([]byte{0xb8, 2}, long[1:]...) // the map's length in two bytes
	return map[string][]byte{
		"empty":            {},
		"garbage":          []byte("garbage"),
		"cut":              raw[:len(raw)-1],
		"trailing":         append(bytes.Clone(raw), 0),
		"not canonical":    long,
		"no signature":     codec.MustMarshal(map[int][]byte{1: good.raw}),
		"body is garbage":  codec.MustMarshal(envelope{[]byte("x"), good.Sig}),
		"unknown field":    codec.MustMarshal(map[int][]byte{1: good.raw, 2: good.Sig, 3: {}}),
		"version":          edit(func(b *Body) { b.Version = 2 }),
		"no peer":          edit(func(b *Body) { b.Peer = nil }),
		"no node":          edit(func(b *Body) { b.Node = nil }),
		"long peer":        edit(func(b *Body) { b.Peer = make([]byte, maxPeerID+1) }),
		"long node":        edit(func(b *Body) { b.Node = make([]byte, maxPeerID+1) }),
		"key of no device": edit(func(b *Body) { b.Device.Alg = 3 }),
		"oversized":        codec.MustMarshal(envelope{make([]byte, MaxStatement), good.Sig}),
	}
}

func TestDecode_Refusals(t *testing.T) {
	for name, raw := range bad(t) {
		if _, err := Decode(raw); !errors.Is(err, BadStatement) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Decode(bad(t)["oversized"]); !errors.Is(err, codec.TooLarge) {
		t.Errorf("oversized: %v", err)
	}
	if _, err := Decode(bad(t)["not canonical"]); !errors.Is(err, codec.NotCanonical) {
		t.Errorf("not canonical: %v", err)
	}
}

// Numbers of kinds are what old devices know.
func TestKinds_Numbers(t *testing.T) {
	want := map[ErrorKind]uint8{
		BadStatement: 1, WrongNode: 2, WrongPeer: 3, TooOld: 4, TooNew: 5,
		BadSignature: 6, UnknownDevice: 7, Full: 8, RateLimited: 9, Unavailable: 10,
	}
	for _, k := range Kinds() {
		if k.number() != want[k] {
			t.Errorf("%s travels as %d, want %d", k, k.number(), want[k])
		}
		if err := readAnswer(codec.MustMarshal(answer{k.number()})); !errors.Is(err, k) {
			t.Errorf("%s is read as %v", k, err)
		}
	}
	if err := readAnswer(codec.MustMarshal(answer{})); err != nil {
		t.Errorf("taken is read as %v", err)
	}
	if err := readAnswer(codec.MustMarshal(answer{200})); !errors.Is(err, Unavailable) {
		t.Errorf("a kind from the future is read as %v", err)
	}
	for _, raw := range [][]byte{nil, {0xa1, 1, 0}, {0xa1, 2, 1}, {0xa0, 0}, []byte("longer than an answer")} {
		if readAnswer(raw) == nil {
			t.Errorf("%x is an answer", raw)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Sign(codec.ChainDigest{1}, secret(f, "device"), "self", "node", noon).Bytes())
	for _, raw := range bad(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := Decode(raw)
		if err != nil {
			if !errors.Is(err, BadStatement) {
				t.Fatalf("refused without a kind: %v", err)
			}
			return
		}
		if !bytes.Equal(s.Bytes(), raw) {
			t.Fatal("two encodings of one statement")
		}
		_ = s.Verify(codec.ChainDigest{1}, "self", "node", noon)
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte{0xa0})
	f.Add([]byte{0xa1, 1, 7})
	f.Add([]byte{0xa1, 1, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := readAnswer(raw); err == nil && !bytes.Equal(raw, []byte{0xa0}) {
			t.Fatalf("%x means taken", raw)
		}
	})
}
