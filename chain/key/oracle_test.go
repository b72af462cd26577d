package key_test

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
)

// oracle is what a full WebAuthn implementation with a JSON parser says about
// an assertion over doorDigest by the phone's key.
func oracle(t *testing.T, a key.Assertion) error {
	t.Helper()
	r, err := phone.Public().Passkey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(a.Sig[:32]), new(big.Int).SetBytes(a.Sig[32:])})
	if err != nil {
		t.Fatal(err)
	}
	id := base64.RawURLEncoding.EncodeToString([]byte("credential"))
	response := protocol.CredentialAssertionResponse{}
	response.ID, response.RawID, response.Type = id, []byte("credential"), "public-key"
	response.AssertionResponse.ClientDataJSON, response.AssertionResponse.AuthenticatorData, response.AssertionResponse.Signature = a.ClientData, a.AuthData, der
	parsed, err := response.Parse()
	if err != nil {
		return err
	}
	challenge := base64.RawURLEncoding.EncodeToString(doorDigest[:])
	return parsed.Verify(challenge, r.RPID, "", r.Origins, nil, nil, protocol.TopOriginImplicitVerificationMode, false, true, true, cosePublic(t, r.Point), protocol.SignaturePolicy{})
}

// cosePublic is a P-256 key as COSE writes it (RFC 9053 section 7.1.1).
func cosePublic(t *testing.T, point []byte) []byte {
	t.Helper()
	xy := uncompress(t, point)
	out := append([]byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32}, xy[:32]...)
	return append(append(out, 0x22, 0x58, 32), xy[32:]...)
}

func ours(a key.Assertion) error {
	return phone.Public().Verify(doorDigest, codec.MustMarshal(a))
}

// TestPasskey_Oracle makes assertions from random good and bad parts, each
// signed, and bends the bytes of some. What we accept, the oracle must accept;
// where it accepts what we refuse, the reason must be one of the strictnesses
// that TestPasskey_Stricter lists.
func TestPasskey_Oracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 42))
	var both, neither, stricter int
	kinds := map[string]int{}
	for i := range 6000 {
		a := phone.With(func(v *keytest.Assertion) { randomise(rng, v) }).Assert(doorDigest)
		if i%3 == 0 && len(a.AuthData) == 37 { // signed again, so that the signature does not hide what was bent
			a = phone.With(func(v *keytest.Assertion) { v.AuthData, v.ClientData = bend(rng, a.AuthData), a.ClientData }).Assert(doorDigest)
		}
		if i%4 == 0 && !bytes.Contains(a.ClientData, []byte("hint")) { // not what stands in TestPasskey_Looser
			a = phone.With(func(v *keytest.Assertion) { v.AuthData, v.ClientData = a.AuthData, bend(rng, a.ClientData) }).Assert(doorDigest)
		}
		if i%10 == 0 {
			a.Sig = bend(rng, a.Sig)[:64]
		}
		mine, theirs := ours(a), oracle(t, a)
		switch {
		case mine == nil && theirs != nil && bentExtensions(a): // TestPasskey_Looser
		case mine == nil && theirs != nil:
			t.Fatalf("accepted what the oracle refuses with %v:\n%x\n%s", theirs, a.AuthData, a.ClientData)
		case mine == nil:
			both++
		case theirs != nil:
			neither++
		default:
			stricter++
			kinds[strings.SplitN(mine.Error(), "%", 2)[0]]++
		}
	}
	t.Logf("%d accepted by both, %d by neither, %d by the oracle alone: %v", both, neither, stricter, kinds)
	if both < 500 || neither < 1000 || stricter < 50 {
		t.Errorf("%d accepted by both, %d by neither, %d by the oracle alone: too one-sided to show anything", both, neither, stricter)
	}
	for reason := range kinds {
		known := false
		for _, s := range strictnesses() {
			known = known || strings.Contains(reason, s.detail)
		}
		if !known {
			t.Errorf("stricter than the oracle for a reason that is not listed: %s", reason)
		}
	}
}

// extensions is a map of one that some authenticators add.
var extensions = []byte{0xa1, 0x63, 'u', 'v', 'x', 0xf5}

func bentExtensions(a key.Assertion) bool {
	return a.AuthData[32]&keytest.FlagExtensions != 0 && !bytes.Equal(a.AuthData[37:], extensions)
}

// randomise turns a few knobs, most often none that spoils the assertion.
func randomise(rng *rand.Rand, v *keytest.Assertion) {
	one := func(n int) bool { return rng.IntN(n) == 0 }
	if one(2) {
		v.Origin = "https://home.example"
	}
	if one(3) {
		v.Tail = fmt.Sprintf(`,"hint":{"n":%d,"s":"%c"}`, rng.IntN(1000), 'a'+rune(rng.IntN(26)))
	}
	if one(3) {
		v.Flags |= keytest.FlagExtensions
		v.Extensions = extensions
	}
	v.Count = rng.Uint32()
	spoil := []func(){
		func() { v.Type = "webauthn.create" },
		func() { v.Challenge = append(bytes.Clone(v.Challenge[:31]), v.Challenge[31]^1) },
		func() { v.Origin = "https://evil.example" },
		func() { v.Origin = strings.ToUpper(v.Origin) },
		func() { v.Origin += ":443" },
		func() { v.CrossOrigin = "true" },
		func() { v.CrossOrigin = "" },
		func() { v.RPID = "evil.example" },
		func() { v.Flags = byte(rng.UintN(256)) },
		func() { v.Flags &^= keytest.FlagUserPresent },
		func() { v.Flags &^= keytest.FlagUserVerified },
		func() { v.Flags, v.Extensions = v.Flags&^keytest.FlagExtensions, []byte{0xa0} },
		func() { v.HighS = true },
		func() { v.BadSig = true },
	}
	for range rng.IntN(3) {
		spoil[rng.IntN(len(spoil))]()
	}
}

// bend changes, cuts or adds a byte.
func bend(rng *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	switch i := rng.IntN(len(b)); rng.IntN(4) {
	case 0:
		return b[:i]
	case 1:
		return append(b, byte(rng.UintN(256)))
	case 2:
		return append(b[:i:i], append([]byte{" \"{}:,"[rng.IntN(6)]}, b[i:]...)...)
	default:
		b[i] ^= 1 << rng.IntN(8)
		return b
	}
}

type strictness struct {
	name   string
	detail string // what our refusal says
	change func(*keytest.Assertion)
}

// strictnesses are where we refuse what the oracle accepts, each on purpose.
func strictnesses() []strictness {
	type a = keytest.Assertion
	edit := func(old, now string) func(*a) {
		return func(v *a) {
			v.ClientData = []byte(strings.Replace(string(phone.Assert(doorDigest).ClientData), old, now, 1))
		}
	}
	return []strictness{
		{"the other form of s", "upper half", func(v *a) { v.HighS = true }},
		{"white space", "not of an assertion", edit(`{`, "{\n")},
		{"another order of members", "not of an assertion", edit(`{"type":"webauthn.get",`, `{"a":1,"type":"webauthn.get",`)},
		{"names in other letters", "not of an assertion", edit(`"type"`, `"TYPE"`)},
		{"a challenge in escapes", "another digest", edit(`"challenge":"2`, `"challenge":"\u0032`)},
		{"an origin in capitals", "does not name", func(v *a) { v.Origin = strings.ToUpper(v.Origin) }},
		{"a default port", "does not name", func(v *a) { v.Origin = "https://home.example:443" }},
		{"crossOrigin as null", "another site", edit(`:false`, `:null`)},
		{"another member before crossOrigin", "another site", edit(`,"crossOrigin":false`, `,"a":1,"crossOrigin":false`)},
		{"space before the end", "does not end", edit(`}`, ` }`)},
		{"space after the end", "does not end", edit(`}`, "}\n")},
		{"a registration's data", "another ceremony", func(v *a) {
			v.Flags |= keytest.FlagAttested
			v.Extensions = append(append(make([]byte, 17), 1, 0), cose...)
		}},
		{"client data over 640 bytes", "bytes, client data of", edit(`}`, `,"x":"`+strings.Repeat("y", 640)+`"}`)},
	}
}

// cose is any key, for attested data.
var cose = append(append([]byte{0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32}, make([]byte, 32)...), append([]byte{0x22, 0x58, 32}, make([]byte, 32)...)...)

func TestPasskey_Stricter(t *testing.T) {
	for _, s := range strictnesses() {
		a := phone.With(s.change).Assert(doorDigest)
		if err := oracle(t, a); err != nil {
			detail, _ := json.Marshal(err)
			t.Errorf("%s: the oracle refuses too: %v %s", s.name, err, detail)
		}
		if err := ours(a); err == nil || !strings.Contains(err.Error(), s.detail) {
			t.Errorf("%s: got %v, want %q", s.name, err, s.detail)
		}
	}
}

// TestPasskey_Looser are the only places where the oracle refuses what we
// accept. The limited verification reads nothing after crossOrigin, which only
// the browser writes, and asks for no extension, so that it reads none; either
// is covered by the signature.
func TestPasskey_Looser(t *testing.T) {
	for name, change := range map[string]func(*keytest.Assertion){
		"a tail that is no JSON":       func(v *keytest.Assertion) { v.Tail = `,` },
		"a tail that repeats a name":   func(v *keytest.Assertion) { v.Tail = `,"type":"webauthn.create"` },
		"extensions that are no map":   func(v *keytest.Assertion) { v.Flags |= keytest.FlagExtensions; v.Extensions = []byte{0xff} },
		"a top page that no frame has": func(v *keytest.Assertion) { v.Tail = `,"topOrigin":"https://evil.example"` },
	} {
		a := phone.With(change).Assert(doorDigest)
		if err := ours(a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if oracle(t, a) == nil {
			t.Errorf("%s: the oracle accepts it too, so that it should stand in TestPasskey_Oracle", name)
		}
	}
}
