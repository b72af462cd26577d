// Package phone is what a wallet and the page on a phone say to each other when
// the phone's key is added: the link that one shows and the other opens, the
// box on a node through which their sealed messages go, and the five messages.
//
// It decides nothing and signs nothing: wallet/cli asks the owner, the ledger
// has the last word. The node sees a box's number and sealed bytes only. Callers
// use NewSecret with Secret.Link and Secret.Box, and Client for the node.
//
// What must never change: how number, key and comparison code come from the
// secret, the names of the slots, and the numbers of fields; pages of another
// version than the wallet's rely on them.
package phone

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
)

const (
	labelBox     = "hybridos/box/v1"
	labelBoxKey  = "hybridos/box-key/v1"
	labelCompare = "hybridos/compare/v1"

	linkMark = "/#phone="
)

var linkText = base64.RawURLEncoding.Strict()

// Secret is what the link carries. Whoever has it can read and write the box.
type Secret struct {
	b [SecretSize]byte
	_ [0]func() // not comparable
}

// NewSecret makes a secret from a cryptographic source.
func NewSecret(random io.Reader) (Secret, error) {
	var s Secret
	if _, err := io.ReadFull(random, s.b[:]); err != nil {
		return Secret{}, fmt.Errorf("make the secret of a link: %w", err)
	}
	return s, nil
}

// String hides the secret.
func (Secret) String() string { return "secret of a link (hidden)" }

// Format hides the secret from every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// Link is what the phone opens. The secret stands behind the #, which browsers
// never send to a server.
func (s Secret) Link(o Origin) string { return o.String() + linkMark + linkText.EncodeToString(s.b[:]) }

// ParseLink reads a link.
func ParseLink(text string) (Origin, Secret, error) {
	if len(text) > maxLink {
		return Origin{}, Secret{}, refuse(BadLink, "longer than %d characters", maxLink)
	}
	base, mark, ok := strings.Cut(text, linkMark)
	if !ok {
		return Origin{}, Secret{}, refuse(BadLink, "has no %s", linkMark)
	}
	o, err := ParseOrigin(base)
	if err != nil {
		return Origin{}, Secret{}, err
	}
	raw, err := linkText.DecodeString(mark)
	if err != nil || len(raw) != SecretSize {
		return Origin{}, Secret{}, refuse(BadLink, "what follows the # is damaged or cut off")
	}
	return o, Secret{b: [SecretSize]byte(raw)}, nil
}

// Compare is the short code that wallet and phone both show: it is the same on
// both if the key that came through the box is the one that the phone made. It
// tells two phones apart; it is too short to stand against somebody who has the
// link and the node and time to search.
func (s Secret) Compare(p key.Public) string {
	h := sha256.New()
	h.Write([]byte(labelCompare))
	h.Write([]byte{0})
	h.Write(s.b[:])
	h.Write(codec.MustMarshal(p))
	first20 := binary.BigEndian.Uint32(h.Sum(nil)) >> 12
	return fmt.Sprintf("%06d", first20%1_000_000)
}

// Box opens the box of the secret.
func (s Secret) Box() Box {
	id := sha256.Sum256(append([]byte(labelBox+"\x00"), s.b[:]...))
	k, err := hkdf.Key(sha256.New, s.b[:], nil, labelBoxKey, 32)
	if err != nil {
		panic("phone: " + err.Error())
	}
	block, err := aes.NewCipher(k)
	if err != nil {
		panic("phone: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("phone: " + err.Error())
	}
	return Box{id: hex.EncodeToString(id[:boxIDSize]), aead: aead}
}

// Slot is a place for one message in a box.
type Slot string

// The slots, in the order in which they are filled.
const (
	SlotOffer Slot = "offer" // wallet
	SlotKey   Slot = "key"   // phone
	SlotTx    Slot = "tx"    // wallet; not for guests
	SlotProof Slot = "proof" // phone; not for guests
	SlotDone  Slot = "done"  // wallet
)

// Slots lists every slot.
func Slots() []Slot { return []Slot{SlotOffer, SlotKey, SlotTx, SlotProof, SlotDone} }

// Box seals and opens messages. Safe for concurrent use.
type Box struct {
	id   string
	aead cipher.AEAD
}

// ID is the box's number, which the node sees: 32 hex digits.
func (b Box) ID() string { return b.id }

// Seal encodes and seals a message for its slot, under a nonce of random. Each
// slot takes one message only, and nonces are 96 random bits, so that none
// comes twice under a box's key.
func (b Box) Seal(random io.Reader, m Message) ([]byte, error) {
	plain, err := encode(m)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, nonceSize)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	return b.seal(nonce, m.slot(), plain), nil
}

func (b Box) seal(nonce []byte, s Slot, plain []byte) []byte {
	out := make([]byte, nonceSize, nonceSize+len(plain)+tagSize)
	copy(out, nonce)
	return b.aead.Seal(out, nonce, plain, []byte(s))
}

// Open opens and decodes what stands in the message's slot.
func (b Box) Open(sealed []byte, into Message) error {
	if len(sealed) < nonceSize+tagSize || len(sealed) > MaxSealed {
		return refuse(NotSealed, "%s of %d bytes", into.slot(), len(sealed))
	}
	plain, err := b.aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], []byte(into.slot()))
	if err != nil {
		return refuse(NotSealed, "%s is not sealed by whoever has the link", into.slot())
	}
	return decode(plain, into)
}
