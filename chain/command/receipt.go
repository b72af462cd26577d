package command

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
)

// Status is what became of a command. Numbers are append-only.
type Status uint8

// The statuses.
const (
	// Executed: the actuator did it and said so.
	Executed Status = 1
	// Rejected: nothing was done, and sending the same bytes again changes
	// nothing.
	Rejected Status = 2
	// Deferred: nothing was done, but the same command may succeed later or with
	// evidence.
	Deferred Status = 3
	// Unknown: it was begun and the outcome is not known; it will not be run
	// again.
	Unknown Status = 4
)

// String is the status's name in logs, JSON and docs.
func (s Status) String() string {
	switch s {
	case Executed:
		return "executed"
	case Rejected:
		return "rejected"
	case Deferred:
		return "deferred"
	case Unknown:
		return "unknown"
	default:
		return fmt.Sprintf("status_%d", uint8(s))
	}
}

// ReceiptBody is the signed part of a receipt.
//
// Evolution: fields 1 to 12 are fixed; new ones are optional.
type ReceiptBody struct {
	Version  uint8        `cbor:"1,keyasint"`
	Command  ID           `cbor:"2,keyasint"` // for bytes that are no command: SHA-256 of them
	Device   key.DeviceID `cbor:"3,keyasint"`
	Epoch    uint64       `cbor:"4,keyasint"`
	Counter  uint64       `cbor:"5,keyasint"` // rises by one with each persisted receipt; 0: not persisted
	Status   Status       `cbor:"6,keyasint"`
	Code     Code         `cbor:"7,keyasint"`
	Result   []byte       `cbor:"8,keyasint,omitempty"`
	Height   uint64       `cbor:"9,keyasint"`  // the device's verified ledger head
	HeadHash []byte       `cbor:"10,keyasint"` // hash of that header; empty before the first
	Time     uint64       `cbor:"11,keyasint"` // device time, Unix milliseconds
	Prev     []byte       `cbor:"12,keyasint"` // hash of the previous persisted receipt; empty for the first and for counter 0
	// Envelope is SHA-256 of the bytes that were answered, in receipts with
	// counter 0. A refusal is about these bytes: the same command in another
	// envelope may fare better, so a carrier that spoils a signature must not
	// get an answer that passes for one to what its owner has sent.
	Envelope []byte `cbor:"13,keyasint,omitempty"`
}

// ReceiptEnvelope is what travels.
type ReceiptEnvelope struct {
	Body []byte        `cbor:"1,keyasint"`
	Sig  key.Signature `cbor:"2,keyasint"`
}

// Receipt is a device's signed answer. Its fields must not be changed once it
// has been signed or decoded.
type Receipt struct {
	Body ReceiptBody
	Sig  key.Signature

	raw []byte
}

// SignReceipt makes the device's answer.
func SignReceipt(chain codec.ChainDigest, b ReceiptBody, device *key.Private) *Receipt {
	b.Version = Version
	r := &Receipt{Body: b, raw: codec.MustMarshal(b)}
	r.Sig = device.Sign(codec.Digest(codec.LabelReceipt, chain, r.raw))
	return r
}

// DecodeReceipt reads an envelope; the signature is not checked.
func DecodeReceipt(b []byte) (*Receipt, error) {
	var e ReceiptEnvelope
	if err := codec.Unmarshal(b, &e, MaxReceipt); err != nil {
		return nil, codecRefusal(err)
	}
	r := &Receipt{Sig: e.Sig, raw: e.Body}
	if err := codec.Unmarshal(e.Body, &r.Body, MaxReceipt); err != nil {
		return nil, codecRefusal(err)
	}
	if r.Body.Version != Version {
		return nil, refuse(BadVersion, "receipt version %d", r.Body.Version)
	}
	if r.Body.Status < Executed || r.Body.Status > Unknown {
		return nil, refuse(Malformed, "receipt status %d", r.Body.Status)
	}
	if (r.Body.Status == Executed) != (r.Body.Code == OK) {
		return nil, refuse(Malformed, "receipt says %s with code %s", r.Body.Status, r.Body.Code)
	}
	if n := len(r.Body.Envelope); n != 0 && (n != sha256.Size || r.Body.Counter != 0) {
		return nil, refuse(Malformed, "receipt %d names an envelope by %d bytes", r.Body.Counter, n)
	}
	return r, nil
}

// Bytes is the envelope's canonical encoding.
func (r *Receipt) Bytes() []byte {
	return codec.MustMarshal(ReceiptEnvelope{Body: r.raw, Sig: r.Sig})
}

// Hash is what the next receipt's Prev holds.
func (r *Receipt) Hash() [32]byte { return codec.Hash(codec.LabelReceipts, r.Bytes()) }

// Answers is what a sender asks of a receipt: Verify, and that a receipt which
// was not persisted is about the very bytes that were sent. What fails is no
// answer: the command may yet be executed.
func (r *Receipt) Answers(chain codec.ChainDigest, device key.Public, c *Command) error {
	if err := r.Verify(chain, device, c.ID(chain)); err != nil {
		return err
	}
	if sum := sha256.Sum256(c.Bytes()); r.Body.Counter == 0 && !bytes.Equal(r.Body.Envelope, sum[:]) {
		return refuse(Malformed, "the receipt says %s of other bytes of this command", r.Body.Code)
	}
	return nil
}

// Verify checks that the device with the given key answered this command, in
// whatever envelope; senders use Answers. The key comes from the ledger or the
// pairing, never from the message.
func (r *Receipt) Verify(chain codec.ChainDigest, device key.Public, id ID) error {
	if r.Body.Device != device.DeviceID() {
		return refuse(WrongDevice, "receipt by %s", r.Body.Device)
	}
	if r.Body.Command != id {
		return refuse(Malformed, "receipt for command %s, not %s", r.Body.Command, id)
	}
	if device.Alg.InvokeOnly() {
		return refuse(UnknownAlg, "a device does not sign with algorithm %d", device.Alg)
	}
	if err := device.Verify(codec.Digest(codec.LabelReceipt, chain, r.raw), r.Sig); err != nil {
		return keyRefusal(err)
	}
	return nil
}
