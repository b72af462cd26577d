// Package ticket holds what people hand to one another to share devices: the
// invitation that an owner sends to a guest, and the offer of a transaction
// that the other side has yet to sign.
//
// Neither is a secret and neither is a right: the right is the signed
// transaction inside, and the ledger has the last word on it. Callers use
// Invite.String and ParseInvite, Offer.Bytes and ParseOffer.
//
// What must never change: the numbers of fields, and that a parsed ticket's
// parts have been checked against the signed transaction.
package ticket

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

const (
	// InvitePrefix begins the text form of an invitation.
	InvitePrefix = "hosinv1"

	inviteVersion = 1
	checksumSize  = 4
)

var inviteText = base64.RawURLEncoding.Strict()

// wireInvite is the encoded form.
//
// Evolution: fields 1 to 8 are fixed; new ones are optional.
type wireInvite struct {
	Version uint8             `cbor:"1,keyasint"`
	Chain   codec.ChainDigest `cbor:"2,keyasint"`
	Grant   []byte            `cbor:"3,keyasint"` // the signed CreateGrant or DelegateGrant envelope
	Device  key.Public        `cbor:"4,keyasint"`
	Addrs   []string          `cbor:"5,keyasint"`
	Nodes   []string          `cbor:"6,keyasint"`
	Genesis []byte            `cbor:"7,keyasint,omitempty"` // JSON form, if it is small
	Private []byte            `cbor:"8,keyasint,omitempty"` // body of a private grant
}

// Invite tells a guest about a grant: the grant itself, and how to reach the
// device and the ledger.
type Invite struct {
	Chain   codec.ChainDigest
	Tx      *tx.Tx          // the signed grant
	Grant   *tx.CreateGrant // what it gives
	Private []byte          // its body, which goes with each command; nil if it is not private
	Target  tx.Target       // the part of it that is about Device
	Device  key.Public      // receipts are checked against it; the grant signs its id
	Addrs   []string
	Nodes   []string
	Genesis *genesis.Doc // nil: the guest must have it already
}

// ID is the grant's id.
func (i Invite) ID() tx.ID { return i.Tx.ID(i.Chain) }

// NewInvite makes an invitation to a granted device; body is that of a private
// grant, or nil.
func NewInvite(doc *genesis.Doc, t *tx.Tx, body []byte, device key.Public, addrs, nodes []string) (Invite, error) {
	i := Invite{Chain: doc.Chain(), Tx: t, Private: body, Device: device,
		Addrs: addrs[:min(len(addrs), maxAddrs)], Nodes: nodes[:min(len(nodes), maxNodes)]}
	if len(doc.JSON()) <= maxGenesis {
		i.Genesis = doc
	}
	return i, i.validate()
}

// String is the text form: "hosinv1", then base64url of the canonical encoding
// and the first 4 bytes of its SHA-256, against copying errors.
func (i Invite) String() string {
	w := wireInvite{Version: inviteVersion, Chain: i.Chain, Grant: i.Tx.Bytes(), Device: i.Device, Addrs: i.Addrs, Nodes: i.Nodes, Private: i.Private}
	if i.Genesis != nil {
		w.Genesis = i.Genesis.JSON()
	}
	raw := codec.MustMarshal(w)
	sum := sha256.Sum256(raw)
	return InvitePrefix + inviteText.EncodeToString(append(raw, sum[:checksumSize]...))
}

// ParseInvite reads the text form; white space does not matter.
func ParseInvite(s string) (Invite, error) {
	if len(s) > MaxText {
		return Invite{}, refuse(BadInvite, "longer than %d characters", MaxText)
	}
	text, ok := strings.CutPrefix(strings.Join(strings.Fields(s), ""), InvitePrefix)
	if !ok {
		return Invite{}, refuse(BadInvite, "does not begin with %s", InvitePrefix)
	}
	raw, err := inviteText.DecodeString(text)
	if err != nil || len(raw) <= checksumSize {
		return Invite{}, refuse(BadInvite, "has characters that do not belong into it, or is cut off")
	}
	body, check := raw[:len(raw)-checksumSize], raw[len(raw)-checksumSize:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:checksumSize], check) {
		return Invite{}, refuse(BadInvite, "is damaged or cut off")
	}
	var w wireInvite
	if err := codec.Unmarshal(body, &w, maxBytes); err != nil {
		return Invite{}, refuse(BadInvite, "%v", err)
	}
	return w.invite()
}

func (w wireInvite) invite() (Invite, error) {
	if w.Version != inviteVersion {
		return Invite{}, refuse(BadInvite, "version %d", w.Version)
	}
	t, err := tx.Decode(w.Grant)
	if err != nil {
		return Invite{}, refuse(BadInvite, "grant: %v", err)
	}
	i := Invite{Chain: w.Chain, Tx: t, Device: w.Device, Addrs: w.Addrs, Nodes: w.Nodes, Private: w.Private}
	if len(w.Genesis) > maxGenesis {
		return Invite{}, refuse(BadInvite, "genesis document of %d bytes", len(w.Genesis))
	}
	if len(w.Genesis) > 0 {
		if i.Genesis, err = genesis.Parse(w.Genesis); err != nil {
			return Invite{}, refuse(BadInvite, "%v", err)
		}
	}
	return i, i.validate()
}

// validate holds the parts against the signed grant and sets Grant and Target.
func (i *Invite) validate() error {
	grant, err := i.grant()
	if err != nil {
		return err
	}
	if err := i.Device.Validate(); err != nil {
		return refuse(BadInvite, "device key: %v", err)
	}
	n := slices.IndexFunc(grant.Targets, func(t tx.Target) bool { return t.Device == i.Device.DeviceID() })
	if n < 0 {
		return refuse(BadInvite, "the grant is not about the device of the invitation")
	}
	if i.Genesis != nil && i.Genesis.Chain() != i.Chain {
		return refuse(BadInvite, "the genesis document is not that of the ledger it names")
	}
	if err := errors.Join(checkAddrs(i.Addrs, maxAddrs), checkAddrs(i.Nodes, maxNodes)); err != nil {
		return refuse(BadInvite, "%v", err)
	}
	i.Grant, i.Target = grant, grant.Targets[n]
	return nil
}

// grant gives what the signed transaction gives, together with the body of a
// private grant.
func (i *Invite) grant() (*tx.CreateGrant, error) {
	var g *tx.CreateGrant
	switch p := i.Tx.Payload.(type) {
	case *tx.CreateGrant:
		g = p
	case *tx.DelegateGrant:
		g = p.Grant
	}
	switch {
	case g == nil:
		return nil, refuse(BadInvite, "holds a %s, not a grant", i.Tx.Body.Kind)
	case g.Private == nil && i.Private != nil:
		return nil, refuse(BadInvite, "holds the private part of a grant that is not private")
	case g.Private == nil:
		return g, nil
	}
	opened, err := g.Open(i.Chain, i.Private)
	if err != nil {
		return nil, refuse(BadInvite, "private grant: %v", err)
	}
	return opened, nil
}

func checkAddrs(addrs []string, most int) error {
	if len(addrs) > most {
		return fmt.Errorf("%d addresses, at most %d", len(addrs), most)
	}
	for _, a := range addrs {
		if a == "" || a[0] != '/' || len(a) > maxAddr {
			return fmt.Errorf("%.40q is not a multiaddress", a)
		}
	}
	return nil
}
