// Package attest is the wire form of what a device says unasked and signs:
// telemetry, segments of a camera, events, what is installed. Each statement
// stands in a stream and names the one before it, so that whoever has the
// device's key from the ledger can tell what was forged, left out, repeated or
// moved (docs/spec/attest.md).
//
// It knows bytes, shapes, signatures and order; who may read a stream is the
// gate's affair, and whether what a device saw was true is nobody's. A device
// uses Sign, whoever reads a stream Verifier.Accept.
//
// What must never change: the numbers of fields, kinds and flags, and what the
// hash of a statement covers.
package attest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Version is the body version that this code writes and accepts.
const Version = 1

// Kind says what a statement is about. Numbers are append-only.
type Kind uint8

// The kinds.
const (
	// Telemetry: a measurement.
	Telemetry Kind = 1
	// Segment: a piece of a camera's stream.
	Segment Kind = 2
	// Installed: a version that runs.
	Installed Kind = 3
	// Event: something happened.
	Event Kind = 4
)

// String is the kind's name in logs, JSON and docs.
func (k Kind) String() string {
	switch k {
	case Telemetry:
		return "telemetry"
	case Segment:
		return "segment"
	case Installed:
		return "installed"
	case Event:
		return "event"
	default:
		return fmt.Sprintf("kind_%d", uint8(k))
	}
}

// Body is the signed part of a statement.
//
// Evolution: fields 1 to 16 are fixed; new ones go into Ext. An extension with
// a number below 128 is critical: a reader that does not know it refuses the
// statement.
type Body struct {
	Version  uint8                         `cbor:"1,keyasint"`
	Chain    [command.ChainPrefixSize]byte `cbor:"2,keyasint"`
	Device   key.DeviceID                  `cbor:"3,keyasint"`
	Epoch    uint64                        `cbor:"4,keyasint"`
	Stream   string                        `cbor:"5,keyasint"` // a name, of this device in this epoch
	Kind     Kind                          `cbor:"6,keyasint"`
	Seq      uint64                        `cbor:"7,keyasint"`            // 1 for the first of the stream
	Prev     []byte                        `cbor:"8,keyasint"`            // hash of number Seq-1; empty for the first, and after a crash
	Unsure   uint64                        `cbor:"9,keyasint,omitempty"`  // after a crash: so many numbers before this one may never have been used
	Time     uint64                        `cbor:"10,keyasint"`           // device time, Unix milliseconds
	Height   uint64                        `cbor:"11,keyasint"`           // the device's verified ledger head
	HeadHash []byte                        `cbor:"12,keyasint"`           // hash of that header; empty before the first
	Sum      [sha256.Size]byte             `cbor:"13,keyasint"`           // SHA-256 of the payload
	Size     uint64                        `cbor:"14,keyasint"`           // its length
	Payload  []byte                        `cbor:"15,keyasint,omitempty"` // the payload itself, if it is small
	Subject  string                        `cbor:"16,keyasint,omitempty"` // what the payload is about, as the name of an event
	Ext      map[uint64]codec.Raw          `cbor:"17,keyasint,omitempty"`
}

// Envelope is what travels.
type Envelope struct {
	Body []byte        `cbor:"1,keyasint"`
	Sig  key.Signature `cbor:"2,keyasint"`
}

// Statement is a device's signed word. Its fields must not be changed once it
// has been signed or decoded.
type Statement struct {
	Body Body
	Sig  key.Signature

	raw []byte // the body's canonical bytes
}

// Sign makes a statement about a payload, which it carries if that is small.
// Version, prefix of the ledger, device, sum and size are filled in.
func Sign(chain codec.ChainDigest, b Body, payload []byte, device *key.Private) (*Statement, error) {
	b.Version, b.Chain, b.Device = Version, command.Prefix(chain), device.Public().DeviceID()
	b.Sum, b.Size, b.Payload = sha256.Sum256(payload), uint64(len(payload)), nil
	if len(payload) <= MaxInline {
		b.Payload = payload
	}
	raw, err := codec.Marshal(b)
	if err != nil {
		return nil, refuse(Malformed, "%v", err)
	}
	s := &Statement{Body: b, raw: raw}
	s.Sig = device.Sign(codec.Digest(codec.LabelAttest, chain, raw))
	return Decode(s.Bytes()) // what no reader takes is not sent
}

// Decode reads an envelope; the signature is not checked.
func Decode(b []byte) (*Statement, error) {
	var e Envelope
	if err := codec.Unmarshal(b, &e, MaxBytes); err != nil {
		return nil, codecRefusal(err)
	}
	s := &Statement{Sig: e.Sig, raw: e.Body}
	if err := codec.Unmarshal(e.Body, &s.Body, MaxBytes); err != nil {
		return nil, codecRefusal(err)
	}
	return s, s.validate()
}

func (s *Statement) validate() error {
	b := &s.Body
	switch {
	case b.Version != Version:
		return refuse(BadVersion, "statement version %d", b.Version)
	case b.Kind < Telemetry || b.Kind > Event:
		return refuse(Malformed, "statement kind %d", b.Kind)
	case !tx.ValidName(b.Stream) || len(b.Subject) > tx.MaxName:
		return refuse(Malformed, "stream %.80q or subject %.80q", b.Stream, b.Subject)
	case b.Epoch == 0 || b.Seq == 0 || b.Unsure >= b.Seq:
		return refuse(Malformed, "epoch %d, number %d, unsure of %d", b.Epoch, b.Seq, b.Unsure)
	case b.Size > MaxPayload || len(b.Payload) > MaxInline:
		return refuse(Malformed, "payload of %d bytes, %d of them here", b.Size, len(b.Payload))
	case len(b.HeadHash) != 0 && len(b.HeadHash) != sha256.Size, (b.Height == 0) != (len(b.HeadHash) == 0):
		return refuse(Malformed, "head %d with a hash of %d bytes", b.Height, len(b.HeadHash))
	}
	// A statement that names none before it must say why.
	if begins := b.Seq == 1 || b.Unsure > 0; begins != (len(b.Prev) == 0) || !begins && len(b.Prev) != sha256.Size {
		return refuse(Malformed, "number %d names the one before by %d bytes", b.Seq, len(b.Prev))
	}
	for n := range b.Ext {
		if n < firstOptionalExt {
			return refuse(Malformed, "unknown critical extension %d", n)
		}
	}
	if len(b.Payload) > 0 {
		return s.Covers(b.Payload)
	}
	return nil
}

// firstOptionalExt is the lowest extension number that may be ignored.
const firstOptionalExt = 128

// Bytes is the envelope's canonical encoding.
func (s *Statement) Bytes() []byte { return codec.MustMarshal(Envelope{Body: s.raw, Sig: s.Sig}) }

// Hash is what the next statement's Prev holds. The signature is left out of
// it: bytes that say the same are the same statement.
func (s *Statement) Hash() [sha256.Size]byte { return codec.Hash(codec.LabelAttests, s.raw) }

// Verify checks the signature. The key comes from the ledger or the pairing,
// never from the message.
func (s *Statement) Verify(chain codec.ChainDigest, device key.Public) error {
	switch {
	case s.Body.Chain != command.Prefix(chain):
		return refuse(WrongChain, "for ledger %x", s.Body.Chain)
	case s.Body.Device != device.DeviceID():
		return refuse(ForeignDevice, "by %s", s.Body.Device)
	case device.Alg.InvokeOnly():
		return refuse(BadSignature, "a device does not sign with algorithm %d", device.Alg)
	}
	if err := device.Verify(codec.Digest(codec.LabelAttest, chain, s.raw), s.Sig); err != nil {
		return refuse(BadSignature, "%v", err)
	}
	return nil
}

// Covers checks that a payload is the one that the statement is about.
func (s *Statement) Covers(payload []byte) error {
	if sum := sha256.Sum256(payload); uint64(len(payload)) != s.Body.Size || !bytes.Equal(sum[:], s.Body.Sum[:]) {
		return refuse(PayloadMismatch, "%d bytes with hash %x, want %d with %x", len(payload), sum, s.Body.Size, s.Body.Sum)
	}
	return nil
}

func codecRefusal(err error) error {
	switch {
	case errors.Is(err, codec.TooLarge):
		return refuse(TooLarge, "%v", err)
	case errors.Is(err, codec.NotCanonical):
		return refuse(NotCanonical, "%v", err)
	default:
		return refuse(Malformed, "%v", err)
	}
}
