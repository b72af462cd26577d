package key_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/bech32"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
)

func secret(t testing.TB, hexSecret string) *key.Private {
	t.Helper()
	raw, err := hex.DecodeString(hexSecret)
	if err != nil {
		t.Fatal(err)
	}
	k, err := key.FromBytes(raw)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var fixed = strings.Repeat("11", 32)

// TestSign_RFC6979 holds signatures that several independent implementations
// of deterministic ECDSA over secp256k1 with SHA-256 agree on.
func TestSign_RFC6979(t *testing.T) {
	const nMinus1 = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"
	one := strings.Repeat("0", 63) + "1"
	cases := []struct{ secret, message, want string }{
		{one, "Satoshi Nakamoto", "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8" + "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"},
		{one, "All those moments will be lost in time, like tears in rain. Time to die...", "8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b" + "547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21"},
		{nMinus1, "Satoshi Nakamoto", "fd567d121db66e382991534ada77a6bd3106f0a1098c231e47993447cd6af2d0" + "6b39cd0eb1bc8603e159ef5c20a5c8ad685a45b06ce9bebed3f153d10d93bed5"},
		{"f8b8af8ce3c7cca5e300d33939540c10d45ce001b8f252bfbc57ba0342904181", "Alan Turing", "7063ae83e7f62bbb171798131b4a0564b956930092b33b07b395615d9ec7e15c" + "58dfcc1e00a35e1572f366ffe34ba0fc47db1e7189759b9fb233c5b05ab388ea"},
	}
	for _, c := range cases {
		k := secret(t, c.secret)
		digest := sha256.Sum256([]byte(c.message))
		sig := k.Sign(digest)
		if got := hex.EncodeToString(sig); got != c.want {
			t.Errorf("%q: got %s, want %s", c.message, got, c.want)
		}
		if err := k.Public().Verify(digest, sig); err != nil {
			t.Errorf("%q: %v", c.message, err)
		}
	}
}

func TestVerify_Refusals(t *testing.T) {
	k := secret(t, fixed)
	pub := k.Public()
	digest := sha256.Sum256([]byte("door"))
	sig := k.Sign(digest)
	n := order.FillBytes(make([]byte, 32))
	with := func(r, s []byte) []byte { return append(append([]byte{}, r...), s...) }
	flipped := append([]byte{}, sig...)
	flipped[5] ^= 1
	notOnCurve := key.Public{Alg: key.Secp256k1, Bytes: append([]byte{2}, bytes.Repeat([]byte{0}, 31)...)}
	notOnCurve.Bytes = append(notOnCurve.Bytes, 5) // x = 5 has no point on secp256k1
	cases := []struct {
		name string
		pub  key.Public
		sig  []byte
		want key.ErrorKind
	}{
		{"no signature", pub, nil, key.BadSignature},
		{"one byte short", pub, sig[:63], key.BadSignature},
		{"one byte long", pub, append(append([]byte{}, sig...), 0), key.BadSignature},
		{"r zero", pub, with(make([]byte, 32), sig[32:]), key.BadSignature},
		{"s zero", pub, with(sig[:32], make([]byte, 32)), key.BadSignature},
		{"r is n", pub, with(n, sig[32:]), key.BadSignature},
		{"s is n", pub, with(sig[:32], n), key.BadSignature},
		{"s over n", pub, with(sig[:32], bytes.Repeat([]byte{0xff}, 32)), key.BadSignature},
		{"high s", pub, k1.negateS(sig), key.HighS},
		{"flipped bit", pub, flipped, key.BadSignature},
		{"r and s swapped", pub, with(sig[32:], sig[:32]), key.BadSignature},
		{"other key", secret(t, strings.Repeat("22", 32)).Public(), sig, key.BadSignature},
		{"algorithm 0", key.Public{Bytes: pub.Bytes}, sig, key.UnknownAlg},
		{"algorithm 4", key.Public{Alg: 4, Bytes: pub.Bytes}, sig, key.UnknownAlg},
		{"empty key", key.Public{Alg: key.Secp256k1}, sig, key.BadKey},
		{"short key", key.Public{Alg: key.Secp256k1, Bytes: pub.Bytes[:32]}, sig, key.BadKey},
		{"hybrid prefix", key.Public{Alg: key.Secp256k1, Bytes: append([]byte{6}, pub.Bytes[1:]...)}, sig, key.BadKey},
		{"not on the curve", notOnCurve, sig, key.BadKey},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := c.pub.Verify(digest, c.sig); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if c.want == key.UnknownAlg || c.want == key.BadKey {
				if err := c.pub.Validate(); !errors.Is(err, c.want) {
					t.Fatalf("Validate: got %v, want %s", err, c.want)
				}
			}
		})
	}
	other := sha256.Sum256([]byte("window"))
	if err := pub.Verify(other, sig); !errors.Is(err, key.BadSignature) {
		t.Fatalf("other digest: %v", err)
	}
}

func TestText_RoundTrip(t *testing.T) {
	pub := secret(t, fixed).Public()
	if got, err := key.ParsePublic(pub.String()); err != nil || !got.Equal(pub) {
		t.Fatalf("public: %v %v", got, err)
	}
	if got, err := key.ParseAccountID(pub.AccountID().String()); err != nil || got != pub.AccountID() {
		t.Fatalf("account: %v %v", got, err)
	}
	if got, err := key.ParseDeviceID(pub.DeviceID().String()); err != nil || got != pub.DeviceID() {
		t.Fatalf("device: %v %v", got, err)
	}
	if got, err := key.ParseKeyID(pub.ID().String()); err != nil || got != pub.ID() {
		t.Fatalf("key: %v %v", got, err)
	}
	if pub.AccountID().IsZero() || pub.DeviceID().IsZero() || !(key.AccountID{}).IsZero() || !(key.DeviceID{}).IsZero() {
		t.Fatal("IsZero")
	}
	type all struct {
		P key.Public
		A key.AccountID
		D key.DeviceID
		K key.KeyID
	}
	in := all{pub, pub.AccountID(), pub.DeviceID(), pub.ID()}
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out all
	if err := json.Unmarshal(raw, &out); err != nil || !out.P.Equal(in.P) || out.A != in.A || out.D != in.D || out.K != in.K {
		t.Fatalf("json: %s %v", raw, err)
	}
}

func TestText_Refusals(t *testing.T) {
	pub := secret(t, fixed).Public()
	acc := pub.AccountID()
	text := acc.String()
	five, err := bech32.ConvertBits(acc[:], 8, 5, true)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(f func(string, []byte) (string, error), hrp string, five []byte) string {
		s, err := f(hrp, five)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	short, _ := bech32.ConvertBits(acc[:19], 8, 5, true)
	long, _ := bech32.ConvertBits(append(acc[:], 0), 8, 5, true)
	padded, _ := bech32.ConvertBits(acc[:19], 8, 5, true) // 152 bits in 31 fives: 3 bits of padding
	padded[len(padded)-1] |= 1
	cases := map[string]string{
		"empty":               "",
		"only the prefix":     "hosacc1",
		"no separator":        "hosacc",
		"upper case":          strings.ToUpper(text),
		"mixed case":          "H" + text[1:],
		"bech32 checksum":     encode(bech32.Encode, "hosacc", five),
		"a device's id":       pub.DeviceID().String(),
		"a key's id":          pub.ID().String(),
		"a public key":        pub.String(),
		"prefix only shared":  encode(bech32.EncodeM, "hosac", five),
		"truncated":           text[:len(text)-1],
		"a character changed": text[:10] + flip(text[10]) + text[11:],
		"a character added":   text + "q",
		"leading space":       " " + text,
		"trailing newline":    text + "\n",
		"19 bytes":            encode(bech32.EncodeM, "hosacc", short),
		"21 bytes":            encode(bech32.EncodeM, "hosacc", long),
		"padding not zero":    encode(bech32.EncodeM, "hosacc", padded),
		"whole group padding": encode(bech32.EncodeM, "hosacc", append(append([]byte{}, five...), 0)),
		"over the cap":        text + strings.Repeat("q", 100),
		"not ascii":           "hosacc1é" + text[8:],
		"long s folds to s":   "hoſacc" + text[6:],
	}
	for name, s := range cases {
		t.Run(name, func(t *testing.T) {
			if got, err := key.ParseAccountID(s); !errors.Is(err, key.BadText) || got != (key.AccountID{}) {
				t.Fatalf("%q: got %v, %v; want bad_text", s, got, err)
			}
		})
	}
	for _, parse := range []func(string) error{
		func(s string) error { _, err := key.ParsePublic(s); return err },
		func(s string) error { _, err := key.ParseDeviceID(s); return err },
		func(s string) error { _, err := key.ParseKeyID(s); return err },
		func(s string) error { var p key.Public; return p.UnmarshalText([]byte(s)) },
		func(s string) error { var p key.DeviceID; return p.UnmarshalText([]byte(s)) },
		func(s string) error { var p key.KeyID; return p.UnmarshalText([]byte(s)) },
	} {
		if err := parse(text); !errors.Is(err, key.BadText) {
			t.Fatalf("an account's text as another: %v", err)
		}
	}
}

func TestParsePublic_Refusals(t *testing.T) {
	pub := secret(t, fixed).Public()
	encode := func(b ...byte) string {
		five, err := bech32.ConvertBits(b, 8, 5, true)
		if err != nil {
			t.Fatal(err)
		}
		s, err := bech32.EncodeM("hospub", five)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	cases := []struct {
		name, text string
		want       key.ErrorKind
	}{
		{"empty", encode(), key.BadText},
		{"algorithm only", encode(1), key.BadText},
		{"algorithm 9", encode(append([]byte{9}, pub.Bytes...)...), key.UnknownAlg},
		{"short", encode(append([]byte{1}, pub.Bytes[:32]...)...), key.BadKey},
		{"not a point", encode(append([]byte{1, 4}, pub.Bytes[1:]...)...), key.BadKey},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, err := key.ParsePublic(c.text); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
		})
	}
}

// flip gives another character of the bech32 alphabet.
func flip(c byte) string {
	if c == 'q' {
		return "p"
	}
	return "q"
}

func TestFromBytes_Refusals(t *testing.T) {
	n := order.FillBytes(make([]byte, 32))
	for name, b := range map[string][]byte{
		"nil": nil, "short": make([]byte, 31), "long": bytes.Repeat([]byte{1}, 33),
		"zero": make([]byte, 32), "order": n, "over the order": bytes.Repeat([]byte{0xff}, 32),
	} {
		if _, err := key.FromBytes(b); !errors.Is(err, key.BadKey) {
			t.Errorf("%s: got %v, want bad_key", name, err)
		}
	}
}

func TestGenerate(t *testing.T) {
	k, err := key.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	again, err := key.FromBytes(k.Secret())
	if err != nil || !again.Public().Equal(k.Public()) {
		t.Fatalf("secret bytes give another key: %v", err)
	}
	if _, err := key.Generate(bytes.NewReader(nil)); !errors.Is(err, io.EOF) {
		t.Fatalf("no randomness: %v", err)
	}
	k.Zero()
	if !bytes.Equal(k.Secret(), make([]byte, 32)) {
		t.Fatal("Zero left the secret")
	}
}

func TestPrivate_NeverPrints(t *testing.T) {
	k := secret(t, "00c0ffee"+strings.Repeat("5a", 28))
	raw := k.Secret()
	holder := struct {
		Name string
		Key  *key.Private
		key  *key.Private
		copy key.Private
	}{"holder", k, k, *k}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%T", "%p"} {
		fmt.Fprintf(&out, verb+"\n", k)
		fmt.Fprintf(&out, verb+"\n", holder)
		fmt.Fprintf(&out, verb+"\n", []*key.Private{k})
		fmt.Fprintf(&out, verb+"\n", *k) // a copy, as a careless caller might print it
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("key", "k", k, "h", holder)
	slog.New(slog.NewTextHandler(&out, nil)).Info("key", "k", k, "h", holder)
	if err := json.NewEncoder(&out).Encode([]any{k, holder}); err != nil {
		t.Fatal(err)
	}
	printed := strings.ToLower(out.String())
	limbs := []string{hex.EncodeToString(raw)[:16], fmt.Sprint(raw), "5a5a5a5a", "90 90 90", fmt.Sprint(0x5a5a5a5a), "0x5a"}
	for _, leak := range limbs {
		if strings.Contains(printed, leak) {
			t.Errorf("printing shows the secret (%s)", leak)
		}
	}
	if !strings.Contains(printed, "hidden") {
		t.Error("printing says nothing at all")
	}
}

// TestIDs_Layout computes the ids from the written rule.
func TestIDs_Layout(t *testing.T) {
	pub := secret(t, fixed).Public()
	encoded := append([]byte{0xa2, 0x01, 0x01, 0x02, 0x58, 33}, pub.Bytes...)
	hash := func(label string) []byte {
		h := sha256.Sum256(append(append([]byte(label), 0), encoded...))
		return h[:20]
	}
	acc, dev, id := pub.AccountID(), pub.DeviceID(), pub.ID()
	if !bytes.Equal(acc[:], hash("hybridos/account/v1")) || !bytes.Equal(dev[:], hash("hybridos/device/v1")) || !bytes.Equal(id[:], hash("hybridos/key/v1")) {
		t.Fatal("an id is not the hash of the key under its label")
	}
	if !bytes.Equal(codec.MustMarshal(pub), encoded) {
		t.Fatalf("canonical encoding: %x", codec.MustMarshal(pub))
	}
}

// TestErrorKinds_Print keeps kinds and details readable.
func TestErrorKinds_Print(t *testing.T) {
	err := key.Public{}.Validate()
	var e *key.Error
	if !errors.As(err, &e) || e.Kind.Error() != "unknown_alg" || err.Error() != "unknown_alg: algorithm 0" {
		t.Fatalf("got %v", err)
	}
}

// TestErrorKinds_Documented: docs/spec/keys.md has a row for every kind.
func TestErrorKinds_Documented(t *testing.T) {
	source, err := os.ReadFile("error.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/spec/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`ErrorKind = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	for _, k := range kinds {
		if !strings.Contains(string(doc), "| `"+k[1]+"` |") {
			t.Errorf("docs/spec/keys.md has no row for %s", k[1])
		}
	}
	if len(kinds) != 10 {
		t.Errorf("%d kinds in error.go, want 10", len(kinds))
	}
}

func FuzzParsePublic(f *testing.F) {
	pub := secret(f, fixed).Public()
	f.Add(pub.String())
	f.Add(pub.AccountID().String())
	f.Add("hospub1")
	f.Add(keytest.P256("x").Public().String())
	f.Add(keytest.Phone("x").Public().String())
	f.Fuzz(func(t *testing.T, s string) {
		p, err := key.ParsePublic(s)
		if err != nil {
			return
		}
		if p.String() != s {
			t.Fatalf("%q reads as %q", s, p)
		}
	})
}

func FuzzVerify(f *testing.F) {
	k := secret(f, fixed)
	digest := sha256.Sum256([]byte("x"))
	f.Add(uint8(1), k.Public().Bytes, digest[:], []byte(k.Sign(digest)))
	f.Add(uint8(1), []byte{2}, digest[:], []byte{})
	f.Add(uint8(2), k.Public().Bytes, digest[:], make([]byte, 64))
	browser := keytest.P256("x")
	f.Add(uint8(2), browser.Point(), digest[:], []byte(browser.Sign(digest)))
	f.Fuzz(func(t *testing.T, alg uint8, pub, d, sig []byte) {
		var digest [32]byte
		copy(digest[:], d)
		p := key.Public{Alg: key.Alg(alg), Bytes: pub}
		if p.Alg == key.Passkey || p.Verify(digest, sig) != nil { // FuzzPasskeySignature has passkeys
			return
		}
		on := map[key.Alg]curve{key.Secp256k1: k1, key.P256: r1}[p.Alg]
		if len(sig) != key.SignatureSize || on.isHighS(sig) {
			t.Fatal("accepted a second form")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	k := secret(b, fixed)
	digest := sha256.Sum256([]byte("x"))
	sig, pub := k.Sign(digest), k.Public()
	b.ReportAllocs()
	for b.Loop() {
		if err := pub.Verify(digest, sig); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	k := secret(b, fixed)
	digest := sha256.Sum256([]byte("x"))
	b.ReportAllocs()
	for b.Loop() {
		k.Sign(digest)
	}
}

func BenchmarkID(b *testing.B) {
	pub := secret(b, fixed).Public()
	b.ReportAllocs()
	for b.Loop() {
		pub.ID()
	}
}

// TestPublic_IDs: ids are hashes of the canonical encoding, whatever the key's
// length.
func TestPublic_IDs(t *testing.T) {
	for _, alg := range []key.Alg{0, 1, 23, 24, 255} {
		for _, n := range []int{0, 1, 23, 24, 33, 255, 256, 700} {
			p := key.Public{Alg: alg, Bytes: bytes.Repeat([]byte{7}, n)}
			want := codec.Hash(codec.LabelKey, codec.MustMarshal(p))
			if got := p.ID(); !bytes.Equal(got[:], want[:key.IDSize]) {
				t.Errorf("algorithm %d, %d bytes: %x, want %x", alg, n, got[:], want[:key.IDSize])
			}
		}
	}
}
