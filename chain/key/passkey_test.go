package key_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

var (
	doorDigest = sha256.Sum256([]byte("open the door"))
	phone      = keytest.NewPasskey("phone", "home.example", "https://door.home.example:8443", "https://home.example")
)

// TestPasskey_Order starts from an assertion in which everything is wrong and
// rights one thing after the other: each step must give the next kind.
func TestPasskey_Order(t *testing.T) {
	type a = keytest.Assertion
	var steps []func(*a)
	all := phone.With(func(v *a) {
		v.Type, v.Challenge, v.Origin, v.CrossOrigin, v.Tail = "webauthn.create", nil, "https://evil.example", "true", " "
		v.RPID, v.Flags, v.HighS, v.BadSig = "evil.example", keytest.FlagAttested, true, true
	}).With(func(v *a) {
		for _, right := range steps {
			right(v)
		}
	})
	for _, step := range []struct {
		kind  key.ErrorKind // of what is still wrong
		what  string        // in the detail
		right func(*a)
	}{
		{key.BadSignature, "not of an assertion", func(v *a) { v.Type = "webauthn.get" }},
		{key.WrongChallenge, "", func(v *a) { v.Challenge = doorDigest[:] }},
		{key.WrongOrigin, "page", func(v *a) { v.Origin = "https://home.example" }},
		{key.WrongOrigin, "frame", func(v *a) { v.CrossOrigin = "false" }},
		{key.BadSignature, "end", func(v *a) { v.Tail = "" }},
		{key.WrongRP, "", func(v *a) { v.RPID = "home.example" }},
		{key.UserNotPresent, "", func(v *a) { v.Flags |= keytest.FlagUserPresent }},
		{key.UserNotVerified, "", func(v *a) { v.Flags |= keytest.FlagUserVerified }},
		{key.BadSignature, "another ceremony", func(v *a) { v.Flags &^= keytest.FlagAttested }},
		{key.HighS, "", func(v *a) { v.HighS = false }},
		{key.BadSignature, "does not match", func(v *a) { v.BadSig = false }},
	} {
		err := phone.Public().Verify(doorDigest, all.Sign(doorDigest))
		if !errors.Is(err, step.kind) || !strings.Contains(err.Error(), step.what) {
			t.Fatalf("got %v, want %s (%s)", err, step.kind, step.what)
		}
		steps = append(steps, step.right)
	}
	if err := phone.Public().Verify(doorDigest, all.Sign(doorDigest)); err != nil {
		t.Fatalf("nothing is wrong any more: %v", err)
	}
	other := sha256.Sum256([]byte("close the door"))
	if err := phone.Public().Verify(other, all.Sign(doorDigest)); !errors.Is(err, key.WrongChallenge) {
		t.Fatalf("replayed for another digest: %v", err)
	}
}

// TestPasskey_CapsFirst: what is not canonical or over a cap is refused before
// the key is looked at, and the caps hold to the byte.
func TestPasskey_CapsFirst(t *testing.T) {
	broken := key.Public{Alg: key.Passkey, Bytes: []byte{0xa0}}
	if err := broken.Verify(doorDigest, phone.Sign(doorDigest)); !errors.Is(err, key.BadKey) {
		t.Fatalf("a record that is none: %v", err)
	}
	good := phone.Assert(doorDigest)
	edit := func(f func(*key.Assertion)) []byte {
		v := good
		f(&v)
		return codec.MustMarshal(v)
	}
	for name, sig := range map[string][]byte{
		"nothing":             nil,
		"no map":              {0},
		"over the cap":        make([]byte, key.MaxSignature+1),
		"bytes after":         append(codec.MustMarshal(good), 0),
		"wide head":           append([]byte{0xb8, 3}, codec.MustMarshal(good)[1:]...),
		"a field more":        append(append([]byte{0xa4}, codec.MustMarshal(good)[1:]...), 4, 0),
		"a field less":        {0xa0},
		"data of 36 bytes":    edit(func(v *key.Assertion) { v.AuthData = make([]byte, 36) }),
		"data of 257 bytes":   edit(func(v *key.Assertion) { v.AuthData = make([]byte, 257) }),
		"client data of 641":  edit(func(v *key.Assertion) { v.ClientData = make([]byte, 641) }),
		"r and s of 63 bytes": edit(func(v *key.Assertion) { v.Sig = v.Sig[:63] }),
		"r and s of 65 bytes": edit(func(v *key.Assertion) { v.Sig = append(bytes.Clone(v.Sig), 0) }),
	} {
		if err := broken.Verify(doorDigest, sig); !errors.Is(err, key.BadSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	longest := phone.With(func(v *keytest.Assertion) {
		v.Flags |= keytest.FlagExtensions
		v.Extensions = make([]byte, 256-37)
		v.Tail = `,"x":"` + strings.Repeat("y", 640-len(good.ClientData)-len(`,"x":""`)) + `"`
	}).Sign(doorDigest)
	if err := phone.Public().Verify(doorDigest, longest); err != nil || len(longest) != 972 {
		t.Fatalf("the longest assertion takes %d bytes: %v", len(longest), err)
	}
}

// TestPasskey_NoParser: what a JSON parser would let pass and what only a
// parser would read.
func TestPasskey_NoParser(t *testing.T) {
	challenge := base64.RawURLEncoding.EncodeToString(doorDigest[:])
	plain := string(phone.Assert(doorDigest).ClientData)
	verify := func(data string) error {
		p := phone.With(func(v *keytest.Assertion) { v.ClientData = []byte(data) })
		return phone.Public().Verify(doorDigest, p.Sign(doorDigest))
	}
	replace := func(old, now string) string {
		if !strings.Contains(plain, old) {
			t.Fatalf("no %s in %s", old, plain)
		}
		return strings.Replace(plain, old, now, 1)
	}
	for data, want := range map[string]error{
		plain:                                                         nil,
		replace(`}`, `,"hint":{"a":1}}`):                              nil,
		replace(`}`, `,}`):                                            nil, // by the limited verification, though no JSON
		replace(`,"crossOrigin":false`, ``):                           nil,
		replace(`}`, `,`):                                             key.BadSignature,
		replace(`}`, ``):                                              key.BadSignature,
		replace(`}`, `}}`):                                            key.BadSignature,
		replace(`}`, `} `):                                            key.BadSignature,
		replace(`}`, ` }`):                                            key.BadSignature,
		replace(`{`, ` {`):                                            key.BadSignature,
		replace(`"type"`, `"Type"`):                                   key.BadSignature,
		replace(`:`, `: `):                                            key.BadSignature,
		replace(challenge, challenge+"="):                             key.WrongChallenge,
		replace(challenge, challenge[:42]):                            key.WrongChallenge,
		replace(challenge, strings.ToUpper(challenge)):                key.WrongChallenge,
		replace(`"origin":"https`, `"origin":"HTTPS`):                 key.WrongOrigin,
		replace(`"origin":"https:/`, `"origin":"https:\/`):            key.WrongOrigin,
		replace(`:8443"`, `:8443/"`):                                  key.WrongOrigin,
		replace(`,"origin"`, `,"topOrigin":"x","origin"`):             key.WrongOrigin,
		replace(`"crossOrigin":false`, `"crossOrigin":null`):          key.WrongOrigin,
		replace(`,"crossOrigin":false`, `,"a":1,"crossOrigin":false`): key.WrongOrigin,
		replace(`"crossOrigin":false`, `"crossOrigin":false,"x":1]`):  nil, // nor is this
	} {
		if err := verify(data); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", data, err, want)
		}
	}
}

func TestPasskey_Record(t *testing.T) {
	pub := phone.Public()
	r, err := pub.Passkey()
	if err != nil || r.RPID != "home.example" || len(r.Origins) != 2 || len(r.Point) != 33 {
		t.Fatalf("record %+v, %v", r, err)
	}
	if again, err := key.NewPasskey(r); err != nil || !again.Equal(pub) {
		t.Fatalf("made again: %v, %v", again, err)
	}
	if _, err := keytest.P256("x").Public().Passkey(); !errors.Is(err, key.BadKey) {
		t.Fatalf("record of another algorithm: %v", err)
	}
	r.Origins = nil
	if _, err := key.NewPasskey(r); !errors.Is(err, key.BadKey) {
		t.Fatalf("without origins: %v", err)
	}
	text := pub.String()
	if again, err := key.ParsePublic(text); err != nil || !again.Equal(pub) {
		t.Fatalf("text %s: %v", text, err)
	}
	if _, err := key.ParsePublic(text[:len(text)-1] + "q"); !errors.Is(err, key.BadText) && text[len(text)-1] != 'q' {
		t.Fatalf("another last letter: %v", err)
	}
	if _, err := key.ParsePublic("hospub1" + strings.Repeat("q", 1200)); !errors.Is(err, key.BadText) {
		t.Fatalf("over the cap: %v", err)
	}
	raw, err := json.Marshal(pub)
	var back key.Public
	if err != nil || json.Unmarshal(raw, &back) != nil || !back.Equal(pub) {
		t.Fatalf("json: %s, %v", raw, err)
	}
}

// TestPasskey_LongestRecord fills every cap; the refusals are cases of
// chain/vectors.
func TestPasskey_LongestRecord(t *testing.T) {
	domain := strings.Repeat(strings.Repeat("x", 50)+".", 2) + "yyyyyyyy.example"
	r := key.PasskeyRecord{Point: keytest.P256("x").Point(), RPID: domain}
	for _, l := range []string{"1.", "2.", "3.", "4."} {
		r.Origins = append(r.Origins, "https://"+l+domain)
	}
	if n := len(r.Origins[3]); n != key.MaxName {
		t.Fatalf("origins of %d characters", n)
	}
	p, err := key.NewPasskey(r)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.ParsePublic(p.String()); err != nil || !got.Equal(p) {
		t.Fatalf("text of %d characters: %v", len(p.String()), err)
	}
	for o, ok := range map[string]bool{
		"http://localhost": true, "http://localhost:8080": true, "https://localhost": true, "https://localhost:80": true, "https://a.localhost:65535": true,
		"http://localhost:443": true, "http://a.localhost": false, "https://localhost:": false, "https://localhost:08": false, "https://localhost:99999": false,
		"https://localhost:1a": false, "https://localhost?": false, "wss://localhost": false, "https://": false, "https://localhost:443": false, "": false,
	} {
		_, err := key.NewPasskey(key.PasskeyRecord{Point: r.Point, RPID: "localhost", Origins: []string{o}})
		if (err == nil) != ok || err != nil && !errors.Is(err, key.BadKey) {
			t.Errorf("%q: %v", o, err)
		}
	}
}

func TestAlg_InvokeOnly(t *testing.T) {
	for alg, want := range map[key.Alg]bool{0: false, key.Secp256k1: false, key.P256: true, key.Passkey: true, 4: false} {
		if alg.InvokeOnly() != want {
			t.Errorf("algorithm %d: %v", alg, !want)
		}
	}
}

func TestP256_Refusals(t *testing.T) {
	k := keytest.P256("x")
	sig := k.Sign(doorDigest)
	if err := k.Public().Verify(doorDigest, sig); err != nil {
		t.Fatal(err)
	}
	n := r1.n.Bytes()
	with := func(r, s []byte) []byte { return append(bytes.Clone(r), s...) }
	high, zero := keytest.NegateS(sig), make([]byte, 32)
	bad := key.Public{Alg: key.P256, Bytes: make([]byte, 33)}
	for _, c := range []struct {
		name string
		pub  key.Public
		sig  []byte
		want key.ErrorKind
	}{
		{"empty", bad, nil, key.BadSignature},
		{"short", bad, sig[:63], key.BadSignature},
		{"long", bad, append(bytes.Clone(sig), 0), key.BadSignature},
		{"r is n, high s", bad, with(n, high[32:]), key.BadSignature},
		{"s is n", bad, with(sig[:32], n), key.BadSignature},
		{"r zero, high s", bad, with(zero, high[32:]), key.BadSignature},
		{"s zero", bad, with(sig[:32], zero), key.BadSignature},
		{"high s of a bad key", bad, high, key.HighS},
		{"bad key", bad, sig, key.BadKey},
		{"high s that does not match", keytest.P256("y").Public(), high, key.HighS},
		{"another key", keytest.P256("y").Public(), sig, key.BadSignature},
		{"uncompressed prefix", key.Public{Alg: key.P256, Bytes: append([]byte{4}, k.Point()[1:]...)}, sig, key.BadKey},
		{"other sign of y", key.Public{Alg: key.P256, Bytes: append([]byte{k.Point()[0] ^ 1}, k.Point()[1:]...)}, sig, key.BadSignature},
	} {
		if err := c.pub.Verify(doorDigest, c.sig); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
	other := sha256.Sum256([]byte("window"))
	if err := k.Public().Verify(other, sig); !errors.Is(err, key.BadSignature) {
		t.Errorf("another digest: %v", err)
	}
}

// vectorKeys gives the keys and signatures of key.json's cases as seeds.
func vectorKeys(f *testing.F, group string, add func(pub, digest, sig []byte)) {
	f.Helper()
	file, err := vectors.Load("key")
	if err != nil {
		f.Fatal(err)
	}
	n := 0
	for _, c := range file.Cases {
		if c.In["alg"] == "3" && strings.HasPrefix(c.Name, group) {
			n++
			add(unhex(f, c.In["public"]), unhex(f, c.In["digest"]), unhex(f, c.In["signature"]))
		}
	}
	if n == 0 {
		f.Fatalf("no cases of group %s", group)
	}
}

// FuzzPasskeyPublic: what is a key re-encodes to the same bytes, and holds what
// its rules say.
func FuzzPasskeyPublic(f *testing.F) {
	f.Add(phone.Public().Bytes)
	vectorKeys(f, "public/", func(pub, _, _ []byte) { f.Add(pub) })
	vectorKeys(f, "accept/", func(pub, _, _ []byte) { f.Add(pub) })
	f.Fuzz(func(t *testing.T, b []byte) {
		p := key.Public{Alg: key.Passkey, Bytes: b}
		r, err := p.Passkey()
		if (err == nil) != (p.Validate() == nil) {
			t.Fatal("Passkey and Validate disagree")
		}
		if err != nil {
			if !errors.Is(err, key.BadKey) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if !bytes.Equal(codec.MustMarshal(r), b) || len(r.Origins) == 0 || len(r.Origins) > key.MaxOrigins {
			t.Fatalf("%x reads as %+v", b, r)
		}
		if q, err := key.ParsePublic(p.String()); err != nil || !q.Equal(p) {
			t.Fatalf("text: %v", err)
		}
	})
}

// FuzzPasskeySignature: what verifies has one encoding, low s and the form of
// client data that clients write.
func FuzzPasskeySignature(f *testing.F) {
	seed := func(pub, digest, sig []byte) { f.Add(pub, digest, sig) }
	vectorKeys(f, "accept/", seed)
	vectorKeys(f, "verify/", seed)
	f.Fuzz(func(t *testing.T, pub, d, sig []byte) {
		var digest [32]byte
		copy(digest[:], d)
		err := key.Public{Alg: key.Passkey, Bytes: pub}.Verify(digest, sig)
		var e *key.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("no kind: %v", err)
		}
		if err != nil {
			return
		}
		var a key.Assertion
		if codec.Unmarshal(sig, &a, key.MaxSignature) != nil || r1.isHighS(a.Sig) || !bytes.Contains(a.ClientData, []byte(base64.RawURLEncoding.EncodeToString(digest[:]))) {
			t.Fatal("accepted a second form")
		}
	})
}

func BenchmarkVerify_P256(b *testing.B)    { benchVerify(b, keytest.P256("x")) }
func BenchmarkVerify_Passkey(b *testing.B) { benchVerify(b, keytest.Phone("x")) }

func benchVerify(b *testing.B, k key.Signer) {
	sig, pub := k.Sign(doorDigest), k.Public()
	b.ReportAllocs()
	for b.Loop() {
		if err := pub.Verify(doorDigest, sig); err != nil {
			b.Fatal(err)
		}
	}
}

// uncompress gives x||y of a compressed point.
func uncompress(t testing.TB, point []byte) []byte {
	t.Helper()
	x, y := elliptic.UnmarshalCompressed(elliptic.P256(), point)
	if x == nil {
		t.Fatalf("%x is no point", point)
	}
	out := make([]byte, 64)
	x.FillBytes(out[:32])
	y.FillBytes(out[32:])
	return out
}
