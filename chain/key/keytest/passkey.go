package keytest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
)

// Flags of authenticator data (WebAuthn Level 2, section 6.1).
const (
	FlagUserPresent  byte = 1 << 0
	FlagUserVerified byte = 1 << 2
	FlagAttested     byte = 1 << 6
	FlagExtensions   byte = 1 << 7
)

// Assertion is everything that goes into an assertion; each field is a knob.
type Assertion struct {
	Type        string // "webauthn.get"
	Challenge   []byte // the digest
	Origin      string // the first of the key's
	CrossOrigin string // "false"; empty: the member is left out
	Tail        string // what stands between crossOrigin and the closing brace
	ClientData  []byte // nil: made of the fields above

	RPID       string // the key's
	Flags      byte   // user present and verified
	Count      uint32 // 0, as of a passkey that is synchronised
	Extensions []byte // what follows the first 37 bytes of authenticator data
	AuthData   []byte // nil: made of the fields above

	HighS  bool // give the other form of the signature
	BadSig bool // sign something else
}

// Passkey is a soft authenticator with one credential. It is a key.Signer.
type Passkey struct {
	key    *P256Key
	public key.Public
	record key.PasskeyRecord
	habits []func(*Assertion)
}

var _ key.Signer = (*Passkey)(nil)

// NewPasskey makes the authenticator of a name, for a relying party id and the
// origins (ascending) on which it may be used. It panics if they make no key.
func NewPasskey(name, rpID string, origins ...string) *Passkey {
	return PasskeyFromSecret(secretOf(name), rpID, origins...)
}

// PasskeyFromSecret is NewPasskey with the 32 secret bytes of the credential.
func PasskeyFromSecret(secret []byte, rpID string, origins ...string) *Passkey {
	k := P256FromSecret(secret)
	r := key.PasskeyRecord{Point: k.Point(), RPID: rpID, Origins: origins}
	p, err := key.NewPasskey(r)
	if err != nil {
		panic("keytest: " + err.Error())
	}
	return &Passkey{key: k, public: p, record: r}
}

// Phone is the passkey of a name on https://door.example, for tests that do
// not care.
func Phone(name string) *Passkey {
	return NewPasskey(name, "door.example", "https://door.example")
}

// With gives a signer with the same key and a further habit: change is called
// for each assertion before it is signed.
func (p *Passkey) With(change func(*Assertion)) *Passkey {
	q := *p
	q.habits = append(append([]func(*Assertion){}, p.habits...), change)
	return &q
}

// Public gives the public half.
func (p *Passkey) Public() key.Public {
	return key.Public{Alg: p.public.Alg, Bytes: bytes.Clone(p.public.Bytes)}
}

// Secret gives the 32 secret bytes.
func (p *Passkey) Secret() []byte { return p.key.Secret() }

// Sign makes the encoded assertion over digest.
func (p *Passkey) Sign(digest [32]byte) key.Signature {
	return codec.MustMarshal(p.Assert(digest))
}

// Assert makes the assertion over digest, as Sign encodes it.
func (p *Passkey) Assert(digest [32]byte) key.Assertion {
	a := Assertion{
		Type: "webauthn.get", Challenge: digest[:], Origin: p.record.Origins[0], CrossOrigin: "false",
		RPID: p.record.RPID, Flags: FlagUserPresent | FlagUserVerified,
	}
	for _, change := range p.habits {
		change(&a)
	}
	out := key.Assertion{AuthData: a.authData(), ClientData: a.clientData()}
	client := sha256.Sum256(out.ClientData)
	signed := sha256.Sum256(append(bytes.Clone(out.AuthData), client[:]...))
	if a.BadSig {
		signed[0] ^= 1
	}
	sig := p.key.Sign(signed)
	if a.HighS {
		sig = NegateS(sig)
	}
	out.Sig = sig
	return out
}

func (a Assertion) clientData() []byte {
	if a.ClientData != nil {
		return a.ClientData
	}
	challenge := base64.RawURLEncoding.EncodeToString(a.Challenge)
	out := fmt.Sprintf(`{"type":"%s","challenge":"%s","origin":"%s"`, a.Type, challenge, a.Origin)
	if a.CrossOrigin != "" {
		out += `,"crossOrigin":` + a.CrossOrigin
	}
	return []byte(out + a.Tail + "}")
}

func (a Assertion) authData() []byte {
	if a.AuthData != nil {
		return a.AuthData
	}
	h := sha256.Sum256([]byte(a.RPID))
	out := append(h[:], a.Flags)
	out = binary.BigEndian.AppendUint32(out, a.Count)
	return append(out, a.Extensions...)
}
