// Package pairing makes somebody the owner of a device: the code that the
// device shows, and the conversation in which wallet and device sign one claim.
//
// It is not a transport (any io.ReadWriter will do) and it writes nothing to
// the ledger; the wallet submits the claim, the device arms itself only when it
// has found the claim there. Callers use ParseCode, Wallet and Device.
//
// Both sides prove that they know the secret of the code, bound to everything
// that was said, so that nobody between them can put in another key. The secret
// has 128 bits, so proofs of it give nothing to guess from.
//
// What must never change: the fields of messages, and the order of what the
// transcript covers.
package pairing

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/frame"
)

// Version is the conversation's version.
const Version = 1

// message is what travels in each frame: one field is set.
//
// Evolution: numbers are fixed; new steps get new numbers.
type message struct {
	Hello   *hello   `cbor:"1,keyasint,omitempty"`
	Offer   *offer   `cbor:"2,keyasint,omitempty"`
	Claim   *claim   `cbor:"3,keyasint,omitempty"`
	Signed  *signed  `cbor:"4,keyasint,omitempty"`
	Commit  *commit  `cbor:"5,keyasint,omitempty"`
	Armed   *Armed   `cbor:"6,keyasint,omitempty"`
	Refusal *Refusal `cbor:"7,keyasint,omitempty"`
}

// hello opens the conversation (wallet to device).
type hello struct {
	Version uint8             `cbor:"1,keyasint"`
	Chain   codec.ChainDigest `cbor:"2,keyasint"`
	Nonce   [32]byte          `cbor:"3,keyasint"`
	Account key.AccountID     `cbor:"4,keyasint"`
}

// offer shows the device's keys and proves its secret (device to wallet).
type offer struct {
	Device  key.Public    `cbor:"1,keyasint"`
	SealKey [32]byte      `cbor:"2,keyasint"`
	Model   string        `cbor:"3,keyasint"`
	Nonce   [32]byte      `cbor:"4,keyasint"`
	Sig     key.Signature `cbor:"5,keyasint"` // by the device key over the transcript so far
	Proof   [32]byte      `cbor:"6,keyasint"` // HMAC of the transcript so far under the secret

	Batch *tx.BatchMember `cbor:"7,keyasint,omitempty"` // of a device that was registered with a batch
}

// claim carries the owner's signed claim and proves the wallet's secret.
type claim struct {
	Tx    []byte   `cbor:"1,keyasint"`
	Proof [32]byte `cbor:"2,keyasint"`
}

// signed is the device's signature of the claim.
type signed struct {
	Sig tx.Sig `cbor:"1,keyasint"`
}

// commit tells the device that the claim stands on the ledger.
type commit struct {
	Tx     []byte `cbor:"1,keyasint"` // with both signatures
	Height uint64 `cbor:"2,keyasint"`
}

// Armed is the device's word that it found itself owned on the ledger and
// obeys its owner from now on.
type Armed struct {
	Epoch  uint64 `cbor:"1,keyasint"`
	Height uint64 `cbor:"2,keyasint"`
}

// Refusal ends the conversation with a reason.
type Refusal struct {
	Reason ErrorKind `cbor:"1,keyasint"`
	Detail string    `cbor:"2,keyasint"`
}

// Peer is the device that a wallet is talking to, once it has proved itself.
type Peer struct {
	Device  key.Public
	SealKey [32]byte
	Model   string
	Batch   *tx.BatchMember // nil: the device has none; the ledger judges it
}

// Roles in the proofs of the secret, so that neither side's proof can be sent
// back to it.
const (
	proofDevice = "device"
	proofWallet = "wallet"
)

// conversation is one side's state.
type conversation struct {
	r          *frame.Reader
	w          *frame.Writer
	secret     []byte
	transcript []byte // running hash of every message, in order
}

func newConversation(rw io.ReadWriter, chain codec.ChainDigest, secret []byte) *conversation {
	start := codec.Digest(codec.LabelPair, chain, nil)
	return &conversation{
		r: frame.NewReader(rw, MaxMessage), w: frame.NewWriter(rw, MaxMessage),
		secret: secret, transcript: start[:],
	}
}

// note puts a message's signed-over part into the transcript.
func (c *conversation) note(v any) {
	h := codec.Hash(codec.LabelPair, append(c.transcript, codec.MustMarshal(v)...))
	c.transcript = h[:]
}

func (c *conversation) proof(role string) [32]byte {
	m := hmac.New(sha256.New, c.secret)
	m.Write([]byte(role))
	m.Write(c.transcript)
	return [32]byte(m.Sum(nil))
}

func (c *conversation) proved(role string, got [32]byte) error {
	want := c.proof(role)
	if !hmac.Equal(want[:], got[:]) {
		return refuse(WrongSecret, "the other side does not know the secret of the pairing code")
	}
	return nil
}

func (c *conversation) send(m message) error {
	if err := c.w.Write(codec.MustMarshal(m)); err != nil {
		return fmt.Errorf("send pairing message: %w", err)
	}
	return nil
}

func (c *conversation) receive() (message, error) {
	var m message
	raw, err := c.r.Next()
	if err != nil {
		return m, fmt.Errorf("receive pairing message: %w", err)
	}
	if err := codec.Unmarshal(raw, &m, MaxMessage); err != nil {
		return m, refuse(BadMessage, "%v", err)
	}
	if m.Refusal != nil {
		return m, &Error{Kind: knownKind(m.Refusal.Reason), Detail: printable(m.Refusal.Detail), Remote: true}
	}
	return m, nil
}

// refusing tells the other side why the conversation ends, if the reason is
// one of ours.
func (c *conversation) refusing(err error) error {
	var e *Error
	if errors.As(err, &e) && !e.Remote {
		detail := e.Detail[:min(len(e.Detail), maxDetail)]
		return errors.Join(err, c.send(message{Refusal: &Refusal{Reason: e.Kind, Detail: detail}}))
	}
	return err
}

func unexpected(want string) error { return refuse(BadMessage, "expected %s", want) }

func nonce() (n [32]byte) {
	rand.Read(n[:]) // never fails (crypto/rand, since Go 1.24)
	return n
}
