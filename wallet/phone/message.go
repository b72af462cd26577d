package phone

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// version is field 1 of every message.
const version = 1

// Message is one of Offer, Key, Tx, Proof and Done.
//
// Evolution: the fields of each are fixed; new ones are optional and free when
// unset. A list is there even when it is empty.
type Message interface {
	slot() Slot
	stamp() // sets the version
	validate() error
}

// Fits reports whether a message is in order and short enough for a box.
func Fits(m Message) bool {
	_, err := encode(m)
	return err == nil
}

// encode gives the canonical bytes of a message that decode would take.
func encode(m Message) ([]byte, error) {
	m.stamp()
	if err := m.validate(); err != nil {
		return nil, err
	}
	b := codec.MustMarshal(m)
	if len(b) > MaxPlain {
		return nil, refuse(BadMessage, "%s of %d bytes, at most %d", m.slot(), len(b), MaxPlain)
	}
	return b, nil
}

func decode(b []byte, m Message) error {
	if err := codec.Unmarshal(b, m, MaxPlain); err != nil {
		return refuse(BadMessage, "%s: %v", m.slot(), err)
	}
	return m.validate()
}

// Purpose says for whom a phone's key is.
type Purpose uint8

// The purposes. Numbers are append-only.
const (
	// Own: the key joins the account.
	Own Purpose = 1
	// Guest: the key is given a grant.
	Guest Purpose = 2
)

// Device tells a phone about a device: its key, against which receipts are
// checked, and what may be asked of one endpoint.
type Device struct {
	Key      key.Public `cbor:"1,keyasint"`
	Name     string     `cbor:"2,keyasint"`
	Model    string     `cbor:"3,keyasint"`
	Epoch    uint64     `cbor:"4,keyasint"`
	Endpoint string     `cbor:"5,keyasint"`
	Methods  []string   `cbor:"6,keyasint"` // rising
}

func (d Device) validate() error {
	if err := d.Key.Validate(); err != nil {
		return fmt.Errorf("key of a device: %w", err)
	}
	if !Printable(d.Name, maxName) || d.Name == "" || !Printable(d.Model, tx.MaxName) || d.Epoch == 0 || !tx.ValidName(d.Endpoint) {
		return fmt.Errorf("device without name, model, epoch or endpoint")
	}
	if len(d.Methods) == 0 || len(d.Methods) > maxMethods {
		return fmt.Errorf("%d methods, want 1 to %d", len(d.Methods), maxMethods)
	}
	for i, m := range d.Methods {
		if !tx.ValidName(m) || i > 0 && d.Methods[i-1] >= m {
			return fmt.Errorf("methods are no names, repeated or out of order")
		}
	}
	return nil
}

// Offer is the wallet's first word: which ledger, whose account, which page.
type Offer struct {
	Version uint8             `cbor:"1,keyasint"`
	Chain   codec.ChainDigest `cbor:"2,keyasint"`
	ChainID string            `cbor:"3,keyasint"`
	Account key.AccountID     `cbor:"4,keyasint"`
	Purpose Purpose           `cbor:"5,keyasint"`
	Label   string            `cbor:"6,keyasint"` // proposed name of the phone; may be empty
	RPID    string            `cbor:"7,keyasint"`
	Origin  string            `cbor:"8,keyasint"`
	Devices []Device          `cbor:"9,keyasint"`
	Root    key.Public        `cbor:"10,keyasint"` // the account's first key; its hash is the id
	Keys    state.KeySet      `cbor:"11,keyasint"`
}

func (*Offer) slot() Slot { return SlotOffer }
func (o *Offer) stamp()   { o.Version = version }

func (o *Offer) validate() error {
	switch origin, err := ParseOrigin(o.Origin); {
	case o.Version != version:
		return badVersion(SlotOffer, o.Version)
	case o.ChainID == "" || !Printable(o.ChainID, maxChainID):
		return refuse(BadMessage, "offer: chain id")
	case o.Purpose != Own && o.Purpose != Guest:
		return refuse(BadMessage, "offer: purpose %d", o.Purpose)
	case !Printable(o.Label, MaxLabel):
		return refuse(BadMessage, "offer: label")
	case err != nil:
		return refuse(BadMessage, "offer: %v", err)
	case origin.String() != o.Origin || origin.RPID() != o.RPID:
		return refuse(BadMessage, "offer: %q is not the form of the origin, or %q not its name", o.Origin, o.RPID)
	}
	if err := o.Root.Validate(); err != nil {
		return refuse(BadMessage, "offer: root key: %v", err)
	}
	if o.Root.AccountID() != o.Account {
		return refuse(BadMessage, "offer: the root key is not that of the account")
	}
	if err := validKeySet(o.Keys); err != nil {
		return refuse(BadMessage, "offer: %v", err)
	}
	return validDevices(SlotOffer, o.Devices)
}

// validKeySet asks what the ledger asks of every key set.
func validKeySet(s state.KeySet) error {
	p := tx.RotateKeys{Version: max(s.Version, 1), Keys: s.Keys, Threshold: s.Threshold}
	if err := p.StaticValidate(); err != nil || s.Guardians == nil {
		return err
	}
	return s.Guardians.Validate()
}

func validDevices(s Slot, list []Device) error {
	if len(list) > MaxDevices {
		return refuse(BadMessage, "%s: %d devices, at most %d", s, len(list), MaxDevices)
	}
	for _, d := range list {
		if err := d.validate(); err != nil {
			return refuse(BadMessage, "%s: %v", s, err)
		}
	}
	return nil
}

// Key is the phone's answer: the key that it has made.
type Key struct {
	Version uint8      `cbor:"1,keyasint"`
	Public  key.Public `cbor:"2,keyasint"`
	Label   string     `cbor:"3,keyasint"` // what the phone calls itself; may be empty
}

func (*Key) slot() Slot { return SlotKey }
func (k *Key) stamp()   { k.Version = version }

func (k *Key) validate() error {
	if k.Version != version {
		return badVersion(SlotKey, k.Version)
	}
	if err := k.Public.Validate(); err != nil {
		return refuse(WrongKey, "%v", err)
	}
	if !Printable(k.Label, MaxLabel) {
		return refuse(BadMessage, "key: label")
	}
	return nil
}

// Takes checks that a key is a passkey of just the page that was offered: one
// that is bound to another page, or to further ones, is not what the owner's
// link was for.
func (o *Offer) Takes(p key.Public) error {
	r, err := p.Passkey()
	switch {
	case err != nil:
		return refuse(WrongKey, "it is no passkey: %v", err)
	case r.RPID != o.RPID:
		return refuse(WrongKey, "it is a passkey for %s, the offer is for %s", r.RPID, o.RPID)
	case len(r.Origins) != 1 || r.Origins[0] != o.Origin:
		return refuse(WrongKey, "it may be used on %s, the offer is for %s alone", strings.Join(r.Origins, ", "), o.Origin)
	}
	return nil
}

// Tx is the transaction that adds the key, for the phone to look at and sign.
type Tx struct {
	Version uint8  `cbor:"1,keyasint"`
	Body    []byte `cbor:"2,keyasint"` // canonical bytes of a tx.Body
}

func (*Tx) slot() Slot { return SlotTx }
func (t *Tx) stamp()   { t.Version = version }

func (t *Tx) validate() error {
	if t.Version != version {
		return badVersion(SlotTx, t.Version)
	}
	var b tx.Body
	if err := codec.Unmarshal(t.Body, &b, MaxPlain); err != nil {
		return refuse(BadMessage, "tx: %v", err)
	}
	if b.Version != tx.Version || b.Kind != tx.KindRotateKeys {
		return refuse(BadMessage, "tx: version %d of %s changes no keys", b.Version, b.Kind)
	}
	return nil
}

// Proof shows that the phone holds the key: a signature over the digest of the
// transaction.
type Proof struct {
	Version   uint8         `cbor:"1,keyasint"`
	Signature key.Signature `cbor:"2,keyasint"`
}

func (*Proof) slot() Slot { return SlotProof }
func (p *Proof) stamp()   { p.Version = version }

func (p *Proof) validate() error {
	if p.Version != version {
		return badVersion(SlotProof, p.Version)
	}
	if len(p.Signature) == 0 || len(p.Signature) > maxSignature {
		return refuse(BadMessage, "proof: signature of %d bytes, want 1 to %d", len(p.Signature), maxSignature)
	}
	return nil
}

// Status is how adding a phone ended.
type Status uint8

// The endings. Numbers are append-only.
const (
	// Added: the ledger has it.
	Added Status = 1
	// NotAdded: somebody said no, or something went wrong; the text tells.
	NotAdded Status = 2
)

// Done is the wallet's last word.
type Done struct {
	Version uint8    `cbor:"1,keyasint"`
	Status  Status   `cbor:"2,keyasint"`
	Text    string   `cbor:"3,keyasint"` // for people
	Grants  [][]byte `cbor:"4,keyasint"` // signed CreateGrant envelopes, for guests
	Devices []Device `cbor:"5,keyasint"` // for guests
}

func (*Done) slot() Slot { return SlotDone }
func (d *Done) stamp()   { d.Version = version }

func (d *Done) validate() error {
	switch {
	case d.Version != version:
		return badVersion(SlotDone, d.Version)
	case d.Status != Added && d.Status != NotAdded:
		return refuse(BadMessage, "done: status %d", d.Status)
	case !Printable(d.Text, MaxText):
		return refuse(BadMessage, "done: text")
	case len(d.Grants) > MaxGrants:
		return refuse(BadMessage, "done: %d grants, at most %d", len(d.Grants), MaxGrants)
	}
	for _, g := range d.Grants {
		t, err := tx.Decode(g)
		if err != nil {
			return refuse(BadMessage, "done: %v", err)
		}
		if t.Body.Kind != tx.KindCreateGrant {
			return refuse(BadMessage, "done: a %s is no grant", t.Body.Kind)
		}
	}
	return validDevices(SlotDone, d.Devices)
}

func badVersion(s Slot, v uint8) error { return refuse(BadMessage, "%s: version %d", s, v) }

// Printable reports whether s is at most limit bytes of text without anything
// that a terminal or a page would not show: control characters, characters that
// turn the direction of writing, spaces other than the plain one.
func Printable(s string, limit int) bool {
	if len(s) > limit || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
