package command_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

var (
	chain = codec.NewChainDigest("hos-test", [32]byte{1})
	owner = statetest.Key("owner")
	guest = statetest.Key("guest")
	dev   = statetest.Key("device")
)

func body() command.Body {
	return command.Body{
		Version: command.Version, Type: command.TypeInvoke,
		Chain: command.Prefix(chain), Device: dev.Public().DeviceID(), Endpoint: "lock", Epoch: 1,
		Principal: owner.Public().AccountID(), Key: owner.Public().ID(), Salt: 3, Nonce: 1,
		IssuedAt: 1_800_000_000_000, Expires: 1_800_000_030_000, Method: "open", Params: []byte(`{"for":5}`), Seen: 9,
	}
}

func signed(tb testing.TB, change func(*command.Body)) *command.Command {
	tb.Helper()
	b := body()
	if change != nil {
		change(&b)
	}
	c, err := command.New(b)
	if err != nil {
		tb.Fatal(err)
	}
	c.Sign(chain, owner)
	return c
}

// raw encodes a body and signatures past all checks of New.
func raw(change func(*command.Body), sigs ...command.Sig) []byte {
	b := body()
	if change != nil {
		change(&b)
	}
	return codec.MustMarshal(command.Envelope{Body: codec.MustMarshal(b), Sigs: sigs})
}

func TestDecode_RoundTrip(t *testing.T) {
	grant := tx.ID{4}
	for name, change := range map[string]func(*command.Body){
		"owner":     nil,
		"grantee":   func(b *command.Body) { b.Grant = &grant },
		"no params": func(b *command.Body) { b.Params, b.Seen, b.Salt = nil, 0, 0 },
		"extension": func(b *command.Body) { b.Ext = map[uint64]codec.Raw{128: {0x01}, 1000: {0x81, 0x41, 0x00}} },
	} {
		t.Run(name, func(t *testing.T) {
			c := signed(t, change)
			d, err := command.Decode(c.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.Body, d.Body); diff != "" {
				t.Fatal(diff)
			}
			if !bytes.Equal(c.Bytes(), d.Bytes()) || c.ID(chain) != d.ID(chain) || d.ID(chain) != command.ID(d.Digest(chain)) {
				t.Fatal("bytes or id changed")
			}
			if err := d.VerifyBy(chain, owner.Public()); err != nil {
				t.Fatal(err)
			}
			before := c.Bytes()
			c.Sign(chain, owner)
			if !bytes.Equal(before, c.Bytes()) {
				t.Fatal("signing again changed the envelope")
			}
		})
	}
}

func TestDecode_Refusals(t *testing.T) {
	c := signed(t, nil)
	sig := c.Sigs[0]
	other := sig
	other.Key[0] ^= 0xff
	low, high := sig, other
	if bytes.Compare(low.Key[:], high.Key[:]) > 0 {
		low, high = high, low
	}
	short, long := sig, sig
	short.Bytes, long.Bytes = nil, make([]byte, key.MaxSignature+1)
	var many []command.Sig
	for i := range command.MaxSigs + 1 {
		s := sig
		s.Key[0] = byte(i)
		many = append(many, s)
	}
	ext := func(n uint64, v ...byte) func(*command.Body) {
		return func(b *command.Body) { b.Ext = map[uint64]codec.Raw{n: v} }
	}
	wide := bytes.Replace(c.Bytes(), []byte{0xa2, 0x01}, []byte{0xb8, 0x02, 0x01}, 1)
	unknown := codec.MustMarshal(body())
	unknown[0]++ // one more pair
	unknown = append(unknown, 0x18, 99, 0)
	cases := []struct {
		name string
		raw  []byte
		want command.Code
	}{
		{"empty", nil, command.Malformed},
		{"noise", []byte("open the door"), command.Malformed},
		{"too large", make([]byte, command.MaxBytes+1), command.TooLarge},
		{"params over the cap", raw(func(b *command.Body) { b.Params = make([]byte, command.MaxBytes) }, sig), command.TooLarge},
		{"trailing byte", append(c.Bytes(), 0), command.Malformed},
		{"wide map header", wide, command.NotCanonical},
		{"body empty", codec.MustMarshal(command.Envelope{Sigs: c.Sigs}), command.Malformed},
		{"body with an unknown field", codec.MustMarshal(command.Envelope{Body: unknown, Sigs: c.Sigs}), command.Malformed},
		{"version 0", raw(func(b *command.Body) { b.Version = 0 }, sig), command.BadVersion},
		{"version 2", raw(func(b *command.Body) { b.Version = 2 }, sig), command.BadVersion},
		{"type 0", raw(func(b *command.Body) { b.Type = 0 }, sig), command.BadType},
		{"type 2", raw(func(b *command.Body) { b.Type = 2 }, sig), command.BadType},
		{"no endpoint", raw(func(b *command.Body) { b.Endpoint = "" }, sig), command.Malformed},
		{"endpoint with a slash", raw(func(b *command.Body) { b.Endpoint = "lock/1" }, sig), command.Malformed},
		{"no method", raw(func(b *command.Body) { b.Method = "" }, sig), command.Malformed},
		{"method in upper case", raw(func(b *command.Body) { b.Method = "Open" }, sig), command.Malformed},
		{"long method", raw(func(b *command.Body) { b.Method = strings.Repeat("x", tx.MaxName+1) }, sig), command.Malformed},
		{"no epoch", raw(func(b *command.Body) { b.Epoch = 0 }, sig), command.Malformed},
		{"no nonce", raw(func(b *command.Body) { b.Nonce = 0 }, sig), command.Malformed},
		{"expires as issued", raw(func(b *command.Body) { b.Expires = b.IssuedAt }, sig), command.Malformed},
		{"expires before issued", raw(func(b *command.Body) { b.Expires = 1 }, sig), command.Malformed},
		{"critical extension", raw(ext(127, 0), sig), command.UnknownExtension},
		{"extension 0", raw(ext(0, 0), sig), command.UnknownExtension},
		{"extension not canonical", raw(ext(128, 0x18, 0x00), sig), command.NotCanonical},
		{"extension with a float", raw(ext(128, 0xf9, 0x3c, 0x00), sig), command.Malformed},
		{"extension with a tag", bytes.Replace(raw(ext(128, 0x18, 99), sig), []byte{0x18, 128, 0x18, 99}, []byte{0x18, 128, 0xc1, 0}, 1), command.Malformed},
		{"no signature", raw(nil), command.Malformed},
		{"too many signatures", raw(nil, many...), command.Malformed},
		{"empty signature", raw(nil, short), command.Malformed},
		{"long signature", raw(nil, long), command.Malformed},
		{"signature twice", raw(nil, sig, sig), command.Malformed},
		{"signatures out of order", raw(nil, high, low), command.Malformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := command.Decode(c.raw)
			if !errors.Is(err, c.want) || command.CodeOf(err) != c.want {
				t.Fatalf("got %v, want %s", err, c.want)
			}
		})
	}
	if _, err := command.Decode(raw(nil, low, high)); err != nil {
		t.Fatalf("two signatures in order: %v", err)
	}
}

// TestDecode_EveryByteFlipped: no changed byte leaves a command that verifies.
func TestDecode_EveryByteFlipped(t *testing.T) {
	good := signed(t, func(b *command.Body) { b.Ext = map[uint64]codec.Raw{200: {0x01}} }).Bytes()
	for i := range good {
		for _, mask := range []byte{0x01, 0xa0} {
			bad := bytes.Clone(good)
			bad[i] ^= mask
			c, err := command.Decode(bad)
			if err == nil && c.VerifyBy(chain, owner.Public()) == nil {
				t.Fatalf("byte %d ^ %02x still valid", i, mask)
			}
		}
	}
	for i := range good {
		if _, err := command.Decode(good[:i]); err == nil {
			t.Fatalf("accepted %d of %d bytes", i, len(good))
		}
	}
}

func TestNew_Refusals(t *testing.T) {
	big := body()
	big.Params = make([]byte, command.MaxBytes-300)
	if _, err := command.New(big); !errors.Is(err, command.TooLarge) {
		t.Fatalf("no room for signatures: %v", err)
	}
	bad := body()
	bad.Method = "*"
	if _, err := command.New(bad); !errors.Is(err, command.Malformed) {
		t.Fatalf("wildcard method: %v", err)
	}
	for _, v := range []codec.Raw{{0xc1, 0x00}, {0x18, 0x00}, {0xf9, 0x3c, 0x00}, {0x82}} {
		odd := body()
		odd.Ext = map[uint64]codec.Raw{128: v}
		if _, err := command.New(odd); err == nil {
			t.Fatalf("extension %x accepted", []byte(v))
		}
	}
	// The longest params that New allows still decode with all signatures.
	for n := command.MaxBytes; ; n-- {
		b := body()
		b.Params = make([]byte, n)
		c, err := command.New(b)
		if err != nil {
			continue
		}
		for i := range command.MaxSigs {
			c.Sign(chain, statetest.Key(fmt.Sprint(i)))
		}
		if _, err := command.Decode(c.Bytes()); err != nil {
			t.Fatalf("%d bytes of params: %v", n, err)
		}
		return
	}
}

func TestVerifyBy_Refusals(t *testing.T) {
	c := signed(t, nil)
	if err := c.VerifyBy(chain, guest.Public()); !errors.Is(err, command.UnknownKey) {
		t.Fatalf("another key: %v", err)
	}
	if err := c.VerifyBy(codec.ChainDigest{}, owner.Public()); !errors.Is(err, command.BadSignature) {
		t.Fatalf("another ledger: %v", err)
	}
	both := signed(t, nil)
	both.Sign(chain, guest)
	for _, k := range []*key.Private{owner, guest} {
		if err := both.VerifyBy(chain, k.Public()); err != nil {
			t.Fatalf("one of two signatures: %v", err)
		}
	}
	none := signed(t, nil)
	none.Sigs = nil
	if err := none.VerifyBy(chain, owner.Public()); !errors.Is(err, command.UnknownKey) {
		t.Fatalf("no signature: %v", err)
	}
	high := signed(t, nil)
	high.Sigs[0].Bytes = highS(high.Sigs[0].Bytes)
	if err := high.VerifyBy(chain, owner.Public()); !errors.Is(err, command.HighS) {
		t.Fatalf("high s: %v", err)
	}
	alien := key.Public{Alg: 9, Bytes: owner.Public().Bytes}
	odd := signed(t, nil)
	odd.Sigs[0].Key = alien.ID()
	if err := odd.VerifyBy(chain, alien); !errors.Is(err, command.UnknownAlg) {
		t.Fatalf("unknown algorithm: %v", err)
	}
}

func TestID_Text(t *testing.T) {
	id := signed(t, nil).ID(chain)
	text, err := id.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var got command.ID
	if err := got.UnmarshalText(text); err != nil || got != id || len(id.String()) != 64 {
		t.Fatalf("got %s, %v", got, err)
	}
	for _, bad := range []string{"", "ab", "zz" + string(text[2:])} {
		if err := got.UnmarshalText([]byte(bad)); !errors.Is(err, command.Malformed) || got != id {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestCodes_Complete(t *testing.T) {
	doc, err := os.ReadFile("../../docs/spec/command.md")
	if err != nil {
		t.Fatal(err)
	}
	file, err := vectors.Load("codes")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	last := -1
	for _, c := range command.Codes() {
		if seen[c.String()] || int(c) <= last || strings.HasPrefix(c.String(), "code_") {
			t.Errorf("code %d (%s) is twice, out of order or has no name", uint16(c), c)
		}
		seen[c.String()], last = true, int(c)
		if row := fmt.Sprintf("| %d | `%s` |", uint16(c), c); !strings.Contains(string(doc), row) {
			t.Errorf("docs/spec/command.md has no row %q", row)
		}
		if !file.Has("code/" + c.String()) {
			t.Errorf("chain/vectors/codes.json has no %s", c)
		}
	}
	if len(seen) != declaredCodes(t) {
		t.Errorf("%d codes have a name, %d are declared", len(seen), declaredCodes(t))
	}
	if got := command.Code(999).String(); got != "code_999" {
		t.Errorf("unknown code prints as %s", got)
	}
	if command.CodeOf(nil) != command.OK || command.CodeOf(errors.New("x")) != command.Internal {
		t.Error("CodeOf of what is no refusal")
	}
	if e := command.Malformed.Error(); e != "malformed" {
		t.Error(e)
	}
}

// declaredCodes counts the constants of type Code in the source.
func declaredCodes(t *testing.T) int {
	t.Helper()
	src, err := os.ReadFile("code.go")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(src), " Code = ")
}

func FuzzDecode(f *testing.F) {
	f.Add(signed(f, nil).Bytes())
	file, err := vectors.Load("command")
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range file.Cases {
		f.Add(c.Bytes())
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := command.Decode(in)
		if err != nil {
			if code := command.CodeOf(err); code == command.OK || code == command.Internal {
				t.Fatalf("refused with code %s", code)
			}
			return
		}
		if !bytes.Equal(c.Bytes(), in) {
			t.Fatal("accepted a malleable encoding")
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	in := signed(b, nil).Bytes()
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if _, err := command.Decode(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSignAndVerify(b *testing.B) {
	c := signed(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		c.Sign(chain, owner)
		if err := c.VerifyBy(chain, owner.Public()); err != nil {
			b.Fatal(err)
		}
	}
}
