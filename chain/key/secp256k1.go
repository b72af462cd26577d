package key

import (
	"bytes"
	"fmt"
	"io"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// Sizes of secp256k1 material.
const (
	secp256k1PublicSize  = 33
	secp256k1PrivateSize = 32
	// SignatureSize is the length of r||s: a whole signature of Secp256k1 and
	// P256, and a part of one of Passkey.
	SignatureSize = 64
)

func parseSecp256k1(b []byte) (*secp256k1.PublicKey, error) {
	if len(b) != secp256k1PublicSize {
		return nil, &Error{Kind: BadKey, Detail: fmt.Sprintf("%d bytes, want %d", len(b), secp256k1PublicSize)}
	}
	p, err := secp256k1.ParsePubKey(b)
	if err != nil {
		return nil, &Error{Kind: BadKey, Detail: err.Error()}
	}
	return p, nil
}

// verifySecp256k1 adds to the library's verification what it leaves to the
// caller: SetByteSlice silently reduces values at or above the group order, and
// Verify accepts both s and n-s. Either would let anybody mint a second valid
// signature.
func verifySecp256k1(pub []byte, digest [32]byte, sig Signature) error {
	r, s, err := parseSignature(sig)
	if err != nil {
		return err
	}
	p, err := parseSecp256k1(pub)
	if err != nil {
		return err
	}
	return verifyParsed(p, digest, &r, &s)
}

func parseSignature(sig Signature) (r, s secp256k1.ModNScalar, err error) {
	if len(sig) != SignatureSize {
		return r, s, &Error{Kind: BadSignature, Detail: fmt.Sprintf("%d bytes, want %d", len(sig), SignatureSize)}
	}
	if r.SetByteSlice(sig[:32]) || s.SetByteSlice(sig[32:]) {
		return r, s, &Error{Kind: BadSignature, Detail: "r or s not below the group order"}
	}
	if r.IsZero() || s.IsZero() {
		return r, s, &Error{Kind: BadSignature, Detail: "r or s is zero"}
	}
	if s.IsOverHalfOrder() {
		return r, s, &Error{Kind: HighS, Detail: "s is in the upper half of the group order"}
	}
	return r, s, nil
}

func verifyParsed(p *secp256k1.PublicKey, digest [32]byte, r, s *secp256k1.ModNScalar) error {
	if !ecdsa.NewSignature(r, s).Verify(digest[:], p) {
		return &Error{Kind: BadSignature, Detail: "does not match key and digest"}
	}
	return nil
}

// Checker is a public key made ready to check many signatures: reading the
// point out of a secp256k1 key takes a tenth of a verification. It is safe for
// concurrent use.
type Checker struct {
	public Public
	point  *secp256k1.PublicKey // nil: of another algorithm
}

// Checker reads the key; the error is that of Validate.
func (p Public) Checker() (c Checker, err error) {
	c.public = Public{Alg: p.Alg, Bytes: bytes.Clone(p.Bytes)}
	if p.Alg != Secp256k1 {
		return c, p.Validate()
	}
	c.point, err = parseSecp256k1(p.Bytes)
	return c, err
}

// Verify is Public.Verify.
func (c Checker) Verify(digest [32]byte, sig Signature) error {
	if c.point == nil {
		return c.public.Verify(digest, sig)
	}
	r, s, err := parseSignature(sig)
	if err != nil {
		return err
	}
	return verifyParsed(c.point, digest, &r, &s)
}

// Private is a secret key. It is opaque: printing it or what holds it shows
// nothing, and it must not be compared or copied by value.
type Private struct {
	// k is a function and no pointer, since fmt follows pointers in fields
	// (a wrong verb on a copy prints the limbs) and no method can prevent it.
	k   func() *secp256k1.PrivateKey
	pub []byte // computed once: it costs as much as a signature
}

func newPrivate(k *secp256k1.PrivateKey) *Private {
	return &Private{
		k:   func() *secp256k1.PrivateKey { return k },
		pub: k.PubKey().SerializeCompressed(),
	}
}

// Generate makes a new secp256k1 key from random, which must be a
// cryptographic source (crypto/rand.Reader).
func Generate(random io.Reader) (*Private, error) {
	k, err := secp256k1.GeneratePrivateKeyFromRand(random)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return newPrivate(k), nil
}

// FromBytes makes a key of the 32 secret bytes that Secret gave.
func FromBytes(b []byte) (*Private, error) {
	var s secp256k1.ModNScalar
	if len(b) != secp256k1PrivateSize || s.SetByteSlice(b) || s.IsZero() {
		return nil, &Error{Kind: BadKey, Detail: "not a secp256k1 secret"}
	}
	return newPrivate(secp256k1.NewPrivateKey(&s)), nil
}

// Public gives the public half.
func (p *Private) Public() Public {
	return Public{Alg: Secp256k1, Bytes: bytes.Clone(p.pub)}
}

// Sign signs digest deterministically (RFC 6979) with low s.
func (p *Private) Sign(digest [32]byte) Signature {
	sig := ecdsa.Sign(p.k(), digest[:])
	r, s := sig.R(), sig.S()
	out := make(Signature, SignatureSize)
	r.PutBytesUnchecked(out[:32])
	s.PutBytesUnchecked(out[32:])
	return out
}

// Secret gives the 32 secret bytes, for an encrypted store only. The caller
// wipes them.
func (p *Private) Secret() []byte { return p.k().Serialize() }

// Zero wipes the secret; the key cannot sign afterwards.
func (p *Private) Zero() { p.k().Zero() }

// String never shows the secret.
func (p Private) String() string { return "private key (hidden)" }

// GoString never shows the secret.
func (p Private) GoString() string { return p.String() }
