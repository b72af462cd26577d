// Package key holds the public keys, signatures and ids of accounts, devices
// and single keys.
//
// It signs and verifies 32-byte digests only; what a digest covers is decided
// by chain/codec. It stores nothing and knows no passphrase: that is the
// wallet's keystore. Callers start at Public.Verify and Private.Sign; test
// signers of the other algorithms are in chain/key/keytest.
//
// What must never change: the canonical encoding of a Public (ids are hashes of
// it), and the rule that nobody without the secret can turn a valid signature
// into another one (r and s reduced, s in the lower half, canonical encoding
// around them). A passkey's owner can make many for one digest, which is why
// ids of messages never cover signatures.
package key

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
)

// Alg names a signature algorithm. Numbers are append-only.
type Alg uint8

// The algorithms of design section 6 that this version knows.
const (
	// Secp256k1 is ECDSA over secp256k1, RFC 6979 nonces, 64-byte r||s, low-S.
	Secp256k1 Alg = 1
	// P256 is ECDSA over NIST P-256, 64-byte r||s, low-S: a browser's own key.
	P256 Alg = 2
	// Passkey is a WebAuthn assertion over P-256 with the relying party and the
	// origins pinned in the key.
	Passkey Alg = 3
)

// InvokeOnly reports whether keys of this algorithm may sign commands and
// nothing else: no transaction of an account but the proof that they exist, and
// never as root, vendor or device. Whoever serves the page that uses such a key
// can swap what it signs, and the authenticator shows no text, so that only
// what can be undone may hang on it (design section 6).
func (a Alg) InvokeOnly() bool { return a == P256 || a == Passkey }

// Public is a public key as it stands on the ledger.
//
// Evolution: the two fields are fixed for good; a new algorithm takes a new
// Alg and gives Bytes its own meaning.
type Public struct {
	Alg   Alg    `cbor:"1,keyasint"`
	Bytes []byte `cbor:"2,keyasint"` // Secp256k1, P256: 33 bytes, compressed point (SEC 1 section 2.3.3); Passkey: see PasskeyRecord
}

// Signature is r||s, 64 bytes big-endian, for Secp256k1 and P256, and an
// encoded assertion for Passkey.
type Signature []byte

// Signer signs digests with one key. *Private is one; keytest has others.
type Signer interface {
	// Public gives the public half.
	Public() Public
	// Sign signs digest.
	Sign(digest [32]byte) Signature
}

var _ Signer = (*Private)(nil)

// Validate reports whether p is a key that signatures can be checked against:
// known algorithm, right length, a point on the curve.
func (p Public) Validate() error {
	switch p.Alg {
	case Secp256k1:
		if isSecp256k1Point(p.Bytes) {
			return nil
		}
		_, err := parseSecp256k1(p.Bytes)
		return err
	case P256:
		_, err := parseP256(p.Bytes)
		return err
	case Passkey:
		_, _, err := parsePasskey(p.Bytes)
		return err
	default:
		return &Error{Kind: UnknownAlg, Detail: fmt.Sprintf("algorithm %d", p.Alg)}
	}
}

// Verify checks sig over digest. The error's kind tells why it was refused;
// nil means valid.
func (p Public) Verify(digest [32]byte, sig Signature) error {
	switch p.Alg {
	case Secp256k1:
		return verifySecp256k1(p.Bytes, digest, sig)
	case P256:
		return verifyP256(p.Bytes, digest, sig)
	case Passkey:
		return verifyPasskey(p.Bytes, digest, sig)
	default:
		return &Error{Kind: UnknownAlg, Detail: fmt.Sprintf("algorithm %d", p.Alg)}
	}
}

// Equal reports whether both are the same key.
func (p Public) Equal(q Public) bool {
	return p.Alg == q.Alg && string(p.Bytes) == string(q.Bytes)
}

// ID is the name of this single key.
func (p Public) ID() KeyID { return KeyID(p.hash(codec.LabelKey)) }

// AccountID is the id of the account whose first key is p. It commits to the
// key, so whoever knows the id can check a chain of key changes from its root
// without trusting anybody.
func (p Public) AccountID() AccountID { return AccountID(p.hash(codec.LabelAccount)) }

// DeviceID is the id of the device whose key is p.
func (p Public) DeviceID() DeviceID { return DeviceID(p.hash(codec.LabelDevice)) }

func (p Public) hash(l codec.Label) [IDSize]byte {
	h := codec.Hash(l, p.encoding())
	return [IDSize]byte(h[:IDSize])
}

// encoding is the canonical encoding, {1: algorithm, 2: bytes}, written down
// here for the lengths of a point: a validator asks for some ids of keys in each
// transaction.
func (p Public) encoding() []byte {
	const (
		pairs2, key1, key2, bytes1 = 0xa2, 0x01, 0x02, 0x58 // RFC 8949 section 3.1
		short, long                = 24, 0xff
	)
	if p.Alg >= short || len(p.Bytes) < short || len(p.Bytes) > long {
		return codec.MustMarshal(p)
	}
	return append(append(make([]byte, 0, 64), pairs2, key1, byte(p.Alg), key2, bytes1, byte(len(p.Bytes))), p.Bytes...)
}

// String is the bech32m text form, "hospub1…". That of a passkey is long, and
// the checksum finds any error only up to 90 characters: machines copy it,
// people compare the key's ID.
func (p Public) String() string {
	return encodeText(prefixPublic, append([]byte{byte(p.Alg)}, p.Bytes...))
}

// ParsePublic reads the text form and validates the key.
func ParsePublic(s string) (Public, error) {
	raw, err := decodeText(prefixPublic, s, maxPublicText)
	if err != nil {
		return Public{}, err
	}
	if len(raw) < 2 {
		return Public{}, &Error{Kind: BadText, Detail: "public key is empty"}
	}
	p := Public{Alg: Alg(raw[0]), Bytes: raw[1:]}
	return p, p.Validate()
}

// MarshalText gives the text form, for JSON.
func (p Public) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the text form.
func (p *Public) UnmarshalText(b []byte) error {
	q, err := ParsePublic(string(b))
	if err == nil {
		*p = q
	}
	return err
}
