// Package command is the wire form of requests to devices and of their signed
// answers.
//
// It knows bytes, shapes and signatures. Whether a command may run is decided
// by deviceos/gate; where keys come from by chain/state. Senders use New and
// Command.Sign; devices use Decode; whoever waits for the answer uses
// Receipt.Answers.
//
// What must never change: the numbers of fields, types, statuses and codes, and
// that params reach the actuator as the very bytes that were signed.
package command

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Version is the body version that this code writes and accepts.
const Version = 1

// Type says what kind of request a body is. Numbers are append-only.
type Type uint8

const (
	// TypeInvoke calls a method of an endpoint.
	TypeInvoke Type = 1
	// TypeCancel ends a command that has not been begun. (2 is left out: vectors
	// hold it as one that is refused.)
	TypeCancel Type = 3
)

// ID names a command: the digest that its signatures cover.
type ID [32]byte

// String is the hex form.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText gives the hex form, for JSON.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the hex form.
func (id *ID) UnmarshalText(b []byte) error {
	raw, err := hex.DecodeString(string(b))
	if err != nil || len(raw) != len(id) {
		return refuse(Malformed, "command id %q is not 64 hex digits", b)
	}
	*id = ID(raw)
	return nil
}

// ChainPrefixSize is how much of the chain digest a body repeats, so that a
// device can refuse another ledger's command before it checks a signature. The
// signature covers the whole digest.
const ChainPrefixSize = 8

// Body is the signed part of a command.
//
// Evolution: fields 1 to 16 are fixed; new ones go into Ext. An extension
// with a number below 128 is critical: a device that does not know it refuses
// the command.
type Body struct {
	Version   uint8                 `cbor:"1,keyasint"`
	Type      Type                  `cbor:"2,keyasint"`
	Chain     [ChainPrefixSize]byte `cbor:"3,keyasint"`
	Device    key.DeviceID          `cbor:"4,keyasint"`
	Endpoint  string                `cbor:"5,keyasint"`
	Epoch     uint64                `cbor:"6,keyasint"`
	Principal key.AccountID         `cbor:"7,keyasint"`           // whose right is used: the owner, or the account id of a grantee's key
	Key       key.KeyID             `cbor:"8,keyasint"`           // the key that signs; others of the owner may too
	Grant     *tx.ID                `cbor:"9,keyasint,omitempty"` // absent: the principal is the owner
	Salt      uint64                `cbor:"10,keyasint"`          // with Key: the replay lane
	Nonce     uint64                `cbor:"11,keyasint"`          // rises within the lane
	IssuedAt  uint64                `cbor:"12,keyasint"`          // Unix milliseconds
	Expires   uint64                `cbor:"13,keyasint"`          // Unix milliseconds
	Method    string                `cbor:"14,keyasint"`
	Params    []byte                `cbor:"15,keyasint,omitempty"` // opaque, executed exactly as signed
	Seen      uint64                `cbor:"16,keyasint,omitempty"` // highest ledger height that the signer has verified
	Ext       map[uint64]codec.Raw  `cbor:"17,keyasint,omitempty"`
}

// Sig is one signature of a command.
type Sig struct {
	Key   key.KeyID     `cbor:"1,keyasint"`
	Bytes key.Signature `cbor:"2,keyasint"`
}

// Envelope is what travels.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type Envelope struct {
	Body []byte `cbor:"1,keyasint"`
	Sigs []Sig  `cbor:"2,keyasint"`
	// Evidence is what the sender brings of the ledger (chain/light), unsigned: it
	// convinces by itself or not at all.
	Evidence []byte `cbor:"3,keyasint,omitempty"`
}

// Command is a decoded command. Its fields must not be changed once it has
// been signed or decoded.
type Command struct {
	Body     Body
	Sigs     []Sig
	Evidence []byte // no part of what is signed: the same command may bring other evidence

	raw []byte // the body's canonical bytes
}

// New builds an unsigned command; version and type are filled in.
func New(b Body) (*Command, error) {
	b.Type = TypeInvoke
	return build(b)
}

func build(b Body) (*Command, error) {
	b.Version = Version
	raw, err := codec.Marshal(b)
	if err != nil {
		return nil, refuse(Malformed, "%v", err)
	}
	c := &Command{Body: b, raw: raw}
	if len(c.raw) > maxBody {
		return nil, refuse(TooLarge, "command body of %d bytes, at most %d", len(c.raw), maxBody)
	}
	if len(b.Ext) > 0 { // raw values come from the caller and need a look
		if err := codec.Unmarshal(raw, new(Body), MaxBytes); err != nil {
			return nil, codecRefusal(err)
		}
	}
	return c, c.validate()
}

// Decode reads an envelope. Everything that is not canonical or not within its
// caps is refused with the Code that a receipt shows; no signature is checked.
func Decode(b []byte) (*Command, error) {
	var e Envelope
	limit := MaxBytes
	if len(b) > 0 && b[0] == threeFields {
		limit = MaxWithEvidence
	}
	if err := codec.Unmarshal(b, &e, limit); err != nil {
		return nil, codecRefusal(err)
	}
	c := &Command{Sigs: e.Sigs, Evidence: e.Evidence, raw: e.Body}
	if len(b) > MaxBytes && len(c.Bare().Bytes()) > MaxBytes {
		return nil, refuse(TooLarge, "more than %d bytes without the evidence", MaxBytes)
	}
	if err := codec.Unmarshal(e.Body, &c.Body, MaxBytes); err != nil {
		return nil, codecRefusal(err)
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	return c, c.validateSigs()
}

func (c *Command) validate() error {
	b := &c.Body
	if b.Version != Version {
		return refuse(BadVersion, "body version %d", b.Version)
	}
	if b.Type != TypeInvoke && b.Type != TypeCancel {
		return refuse(BadType, "type %d", b.Type)
	}
	if !tx.ValidName(b.Endpoint) || !tx.ValidName(b.Method) {
		return refuse(Malformed, "endpoint %q or method %q", b.Endpoint, b.Method)
	}
	if b.Epoch == 0 || b.Nonce == 0 || b.Expires <= b.IssuedAt {
		return refuse(Malformed, "no epoch, no nonce, or expires before it was issued")
	}
	for n := range b.Ext {
		if n < firstOptionalExt && n != ExtGrantBody && n != ExtNotarised {
			return refuse(UnknownExtension, "critical extension %d", n)
		}
	}
	for _, check := range []func() error{b.checkGrantBody, b.checkNotarised, b.checkCancel} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// threeFields is the head of an envelope with evidence, the only one that may be
// longer than MaxBytes.
const threeFields = 0xa3

// firstOptionalExt is the lowest extension number that may be ignored.
const firstOptionalExt = 128

func (c *Command) validateSigs() error {
	if len(c.Sigs) == 0 || len(c.Sigs) > MaxSigs {
		return refuse(Malformed, "%d signatures, want 1 to %d", len(c.Sigs), MaxSigs)
	}
	for i, s := range c.Sigs {
		if len(s.Bytes) == 0 || len(s.Bytes) > key.MaxSignature { // each algorithm's length is Verify's business
			return refuse(Malformed, "signature of %d bytes", len(s.Bytes))
		}
		if i > 0 && bytes.Compare(c.Sigs[i-1].Key[:], s.Key[:]) >= 0 {
			return refuse(Malformed, "signatures repeated or out of order")
		}
	}
	return nil
}

// Bytes is the envelope's canonical encoding.
func (c *Command) Bytes() []byte {
	return codec.MustMarshal(Envelope{Body: c.raw, Sigs: c.Sigs, Evidence: c.Evidence})
}

// Bare is the command without evidence: what is worth keeping of it.
func (c *Command) Bare() *Command { return &Command{Body: c.Body, Sigs: c.Sigs, raw: c.raw} }

// Digest is what signatures cover on the given ledger.
func (c *Command) Digest(chain codec.ChainDigest) [32]byte {
	return codec.Digest(codec.LabelCommand, chain, c.raw)
}

// ID is the digest as the command's name.
func (c *Command) ID(chain codec.ChainDigest) ID { return ID(c.Digest(chain)) }

// Sign adds k's signature.
func (c *Command) Sign(chain codec.ChainDigest, k key.Signer) {
	s := Sig{Key: k.Public().ID(), Bytes: k.Sign(c.Digest(chain))}
	i, found := slices.BinarySearchFunc(c.Sigs, s, func(a, b Sig) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	if found {
		c.Sigs[i] = s
		return
	}
	c.Sigs = slices.Insert(c.Sigs, i, s)
}

// Fits reports whether the command with its signatures is short enough to be
// sent.
func (c *Command) Fits() bool {
	return len(c.Bare().Bytes()) <= MaxBytes && len(c.Bytes()) <= MaxWithEvidence
}

// VerifyBy checks that k has signed, whoever else has.
func (c *Command) VerifyBy(chain codec.ChainDigest, k key.Public) error {
	i, found := slices.BinarySearchFunc(c.Sigs, k.ID(), func(s Sig, id key.KeyID) int { return bytes.Compare(s.Key[:], id[:]) })
	if !found {
		return refuse(UnknownKey, "no signature by %s", k.ID())
	}
	if err := k.Verify(c.Digest(chain), c.Sigs[i].Bytes); err != nil {
		return keyRefusal(err)
	}
	return nil
}

// Prefix is the part of a chain digest that a body repeats.
func Prefix(chain codec.ChainDigest) [ChainPrefixSize]byte {
	return [ChainPrefixSize]byte(chain[:ChainPrefixSize])
}

func refuse(c Code, format string, args ...any) error {
	return &Error{Code: c, Detail: fmt.Sprintf(format, args...)}
}
