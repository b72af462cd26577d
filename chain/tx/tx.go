// Package tx is the wire form of ledger transactions: a signed envelope around
// a body around one payload, one file for each kind of payload.
//
// It knows bytes and shapes only: Decode reads them, StaticValidate (called by
// Decode) checks what needs no ledger state. Who must sign and what a
// transaction does stand in chain/state. Builders use New and Tx.Sign.
//
// What must never change: the numbers of kinds, roles and fields, and the
// digest, which is the transaction's id. Kinds are append-only, and an unknown
// kind is refused, since all validators must agree on what they executed.
package tx

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
)

// Version is the body version that this code writes and accepts.
const Version = 1

// ID names a transaction: the digest that its signatures cover.
type ID [32]byte

// String is the hex form.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id is unset.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText gives the hex form, for JSON.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the hex form.
func (id *ID) UnmarshalText(b []byte) error {
	v, err := ParseID(string(b))
	if err == nil {
		*id = v
	}
	return err
}

// ParseID reads the hex form.
func ParseID(s string) (id ID, err error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(id) {
		return id, &Error{Kind: Malformed, Detail: fmt.Sprintf("transaction id %q is not 64 hex digits", s)}
	}
	return ID(raw), nil
}

// Role says in which capacity a key signs.
type Role uint8

// The roles. Numbers are append-only.
const (
	// RoleAccount: admin keys of the acting account, up to its threshold.
	RoleAccount Role = 1
	// RoleVendor: keys of the acting vendor, up to its threshold.
	RoleVendor Role = 2
	// RoleDevice: the device's own key.
	RoleDevice Role = 3
	// RoleNewOwner: admin keys of the account that receives a device.
	RoleNewOwner Role = 4
	// RoleNewKey: a key that is being added proves that somebody holds it.
	RoleNewKey Role = 5
	// RoleGovernor: the key of the acting governor.
	RoleGovernor Role = 6
	// RoleGuardian: guardians of the acting account, up to their threshold.
	RoleGuardian Role = 7
	// RoleParty: any one of those whom the kind lets act alone.
	RoleParty Role = 8
	// RoleGrantee: the key that the grant above was given to.
	RoleGrantee Role = 9
	// RoleApprover: admin keys of the acting account, each one for itself.
	RoleApprover Role = 10
)

// Sig is one signature of a transaction.
type Sig struct {
	Role  Role          `cbor:"1,keyasint"`
	Key   key.KeyID     `cbor:"2,keyasint"`
	Bytes key.Signature `cbor:"3,keyasint"`
}

// Envelope is what travels and what a block holds.
//
// Evolution: both fields are fixed. Sigs stand in strictly rising order of
// (role, key), so that a signed transaction has one form.
type Envelope struct {
	Body []byte `cbor:"1,keyasint"`
	Sigs []Sig  `cbor:"2,keyasint"`
}

// Body is the signed part.
//
// Evolution: fields 1 to 6 are fixed; new ones are optional and take no bytes
// when unset.
type Body struct {
	Version  uint8         `cbor:"1,keyasint"`
	Kind     Kind          `cbor:"2,keyasint"`
	Account  key.AccountID `cbor:"3,keyasint"` // the acting account, vendor or governor
	Sequence uint64        `cbor:"4,keyasint"` // the account's next sequence number
	Expires  uint64        `cbor:"5,keyasint"` // Unix seconds of block time; refused from then on
	Payload  codec.Raw     `cbor:"6,keyasint"`
}

// Payload is the kind-specific part of a body.
type Payload interface {
	// Kind is the number under which the payload travels.
	Kind() Kind
	// StaticValidate checks what needs no ledger state.
	StaticValidate() error
}

// Tx is a decoded transaction. Its fields must not be changed once it has
// been signed or decoded.
type Tx struct {
	Body    Body
	Payload Payload
	Sigs    []Sig

	raw []byte // the body's canonical bytes
}

// New builds an unsigned transaction. It refuses what Decode would refuse once
// the transaction is signed.
func New(account key.AccountID, sequence, expires uint64, p Payload) (*Tx, error) {
	if err := p.StaticValidate(); err != nil {
		return nil, err
	}
	if expires == 0 {
		return nil, malformed("no expiry")
	}
	t := &Tx{Payload: p, Body: Body{
		Version: Version, Kind: p.Kind(), Account: account,
		Sequence: sequence, Expires: expires, Payload: codec.MustMarshal(p),
	}}
	t.raw = codec.MustMarshal(t.Body)
	if len(t.raw) > maxBody {
		return nil, malformed(fmt.Sprintf("body of %d bytes, at most %d", len(t.raw), maxBody))
	}
	return t, nil
}

// Decode reads an envelope. Everything that is not the canonical form of a
// known kind within its caps is refused; no signature is checked.
func Decode(b []byte) (*Tx, error) {
	var e Envelope
	if err := codec.Unmarshal(b, &e, MaxBytes); err != nil {
		return nil, err
	}
	t := &Tx{Sigs: e.Sigs, raw: e.Body}
	if err := codec.Unmarshal(e.Body, &t.Body, MaxBytes); err != nil {
		return nil, err
	}
	if t.Body.Version != Version {
		return nil, &Error{Kind: BadVersion, Detail: fmt.Sprintf("body version %d", t.Body.Version)}
	}
	p, err := newPayload(t.Body.Kind)
	if err != nil {
		return nil, err
	}
	if err := codec.Unmarshal(t.Body.Payload, p, MaxBytes); err != nil {
		return nil, err
	}
	t.Payload = p
	return t, t.staticValidate()
}

func (t *Tx) staticValidate() error {
	if t.Body.Expires == 0 {
		return malformed("no expiry")
	}
	if len(t.Sigs) == 0 || len(t.Sigs) > MaxSigs {
		return malformed(fmt.Sprintf("%d signatures, want 1 to %d", len(t.Sigs), MaxSigs))
	}
	for i := range t.Sigs {
		if n := len(t.Sigs[i].Bytes); n == 0 || n > key.MaxSignature { // each algorithm's length is Verify's business
			return malformed("signature length")
		}
		if i > 0 && compareSigs(t.Sigs[i-1], t.Sigs[i]) >= 0 {
			return malformed("signatures repeated or out of order")
		}
	}
	return t.Payload.StaticValidate()
}

// Bytes is the envelope's canonical encoding.
func (t *Tx) Bytes() []byte {
	return codec.MustMarshal(Envelope{Body: t.raw, Sigs: t.Sigs})
}

// Digest is what signatures cover on the given ledger.
func (t *Tx) Digest(chain codec.ChainDigest) [32]byte {
	return codec.Digest(codec.LabelTx, chain, t.raw)
}

// ID is the digest as the transaction's name.
func (t *Tx) ID(chain codec.ChainDigest) ID { return ID(t.Digest(chain)) }

// Sign adds k's signature in the given role.
func (t *Tx) Sign(chain codec.ChainDigest, role Role, k key.Signer) {
	t.AddSig(Sig{Role: role, Key: k.Public().ID(), Bytes: k.Sign(t.Digest(chain))})
}

// AddSig adds a signature made elsewhere, replacing one by the same key in the
// same role.
func (t *Tx) AddSig(s Sig) {
	i, found := slices.BinarySearchFunc(t.Sigs, s, compareSigs)
	if found {
		t.Sigs[i] = s
		return
	}
	t.Sigs = slices.Insert(t.Sigs, i, s)
}

func compareSigs(a, b Sig) int {
	if c := cmp.Compare(a.Role, b.Role); c != 0 {
		return c
	}
	return bytes.Compare(a.Key[:], b.Key[:])
}
