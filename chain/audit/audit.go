// Package audit checks a device's chain of receipts against the ledger: that
// none is missing, added or changed, who asked for what, and by what right.
//
// It fetches nothing and asks no clock. What it cannot tell is what the device's
// owner or the ledger knew at the moment of a command: that a key was one of the
// owner's in that epoch is signed for, at which minute it was is the device's
// word. Callers use Read for the ledger's part, and a Checker for the receipts;
// File holds both for somebody who has nothing but the genesis document.
//
// What must never change: an entry without a flag is one that device and sender
// have both signed, at its place in the chain.
package audit

import (
	"errors"
	"slices"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Entry is a receipt with the command that it answers, as the device keeps them.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type Entry struct {
	Receipt []byte `cbor:"1,keyasint"` // envelope
	Command []byte `cbor:"2,keyasint"` // envelope, without evidence; empty if the power cut has taken it
}

// MaxEntry is the longest encoded entry.
const MaxEntry = command.MaxReceipt + command.MaxBytes + 64

// Bytes is the canonical encoding.
func (e Entry) Bytes() []byte { return codec.MustMarshal(e) }

// Flag is something that is wrong with an entry.
type Flag string

// The flags.
const (
	// Malformed: not a receipt, or not a command.
	Malformed Flag = "malformed"
	// ForeignDevice: a receipt of another device.
	ForeignDevice Flag = "foreign_device"
	// BadReceipt: not signed by the device.
	BadReceipt Flag = "bad_receipt"
	// Gap: receipts between the one before and this one are missing.
	Gap Flag = "gap"
	// Repeated: a counter that was there before, or one below it.
	Repeated Flag = "repeated"
	// Broken: it does not lead on from the receipt before it: one of them was put
	// in from elsewhere, or the device was set back and went on from there.
	Broken Flag = "broken"
	// Backwards: the device's time or epoch went back.
	Backwards Flag = "backwards"
	// NoCommand: the command is not there.
	NoCommand Flag = "no_command"
	// OtherCommand: the command is not the one that the receipt answers.
	OtherCommand Flag = "other_command"
	// NoRight: no right is found by which its signer could ask for it.
	NoRight Flag = "no_right"
	// BadSigner: a signature under the command does not hold, or is by somebody
	// whom the ledger does not know.
	BadSigner Flag = "bad_signer"
)

// Flags lists every flag.
func Flags() []Flag {
	return []Flag{Malformed, ForeignDevice, BadReceipt, Gap, Repeated, Broken, Backwards, NoCommand, OtherCommand, NoRight, BadSigner}
}

// Signer is somebody who signed a command.
type Signer struct {
	Key   key.KeyID
	Owner bool   // one of the owner's keys in that epoch
	Grant *tx.ID // the grant that it used, if not as the owner
}

// Row is what an entry says, and what is wrong with it. Without a receipt that can
// be read, only Flags.
type Row struct {
	Receipt *command.Receipt
	Command *command.Command // nil if there is none that can be read
	Signers []Signer
	Flags   []Flag
}

func (r *Row) flag(f Flag) {
	if !slices.Contains(r.Flags, f) {
		r.Flags = append(r.Flags, f)
	}
}

// Checker goes through a device's entries in their order. It is not safe for
// concurrent use.
type Checker struct {
	chain   codec.ChainDigest
	device  key.Public
	history *History

	began   bool
	counter uint64
	hash    [32]byte
	time    uint64
	epoch   uint64
}

// NewChecker checks receipts of a device against what the ledger says about it.
func NewChecker(chain codec.ChainDigest, device key.Public, h *History) *Checker {
	return &Checker{chain: chain, device: device, history: h}
}

// Next checks the next entry. The first one may have any counter: what the device
// has let go is not there.
func (c *Checker) Next(raw []byte) Row {
	var row Row
	var e Entry
	if err := codec.Unmarshal(raw, &e, MaxEntry); err != nil {
		row.flag(Malformed)
		return row
	}
	r, err := command.DecodeReceipt(e.Receipt)
	if err != nil {
		row.flag(Malformed)
		return row
	}
	row.Receipt = r
	switch err := r.Verify(c.chain, c.device, r.Body.Command); {
	case errors.Is(err, command.WrongDevice):
		row.flag(ForeignDevice)
		return row
	case err != nil:
		row.flag(BadReceipt)
		return row
	}
	c.link(&row)
	c.judge(&row, e.Command)
	return row
}

// Last is counter and hash of the last receipt that the device signed: what an
// anchor on the ledger must show.
func (c *Checker) Last() (counter uint64, hash [32]byte) { return c.counter, c.hash }

// link holds a receipt of the device against the one before it, and goes on from
// there.
func (c *Checker) link(row *Row) {
	b := &row.Receipt.Body
	switch {
	case b.Counter == 0 || c.began && b.Counter <= c.counter:
		row.flag(Repeated)
		return
	case !c.began:
		if b.Counter == 1 && len(b.Prev) != 0 {
			row.flag(Broken)
		}
	case b.Counter > c.counter+1:
		row.flag(Gap)
	case string(b.Prev) != string(c.hash[:]):
		row.flag(Broken)
	}
	if c.began && (b.Time < c.time || b.Epoch < c.epoch) {
		row.flag(Backwards)
	}
	c.began, c.counter, c.hash, c.time, c.epoch = true, b.Counter, row.Receipt.Hash(), b.Time, b.Epoch
}

// judge finds out who asked for what.
func (c *Checker) judge(row *Row, raw []byte) {
	if len(raw) == 0 {
		row.flag(NoCommand)
		return
	}
	cmd, err := command.Decode(raw)
	switch {
	case err != nil:
		row.flag(Malformed)
		return
	case cmd.ID(c.chain) != row.Receipt.Body.Command || cmd.Body.Device != row.Receipt.Body.Device:
		row.flag(OtherCommand)
		return
	}
	row.Command = cmd
	right := false
	for _, s := range cmd.Sigs {
		who, ok := c.history.signer(c.chain, cmd, s.Key)
		if !ok {
			row.flag(BadSigner)
			continue
		}
		row.Signers = append(row.Signers, who)
		right = right || who.Key == cmd.Body.Key
	}
	if !right {
		row.flag(NoRight)
	}
}

// History is what the ledger says about a device: its owners with their keys, and
// the grants that were used on it.
type History struct {
	Device  state.Device
	Tenures []state.Tenure
	Grants  map[tx.ID]state.Grants
	Anchor  *state.Anchor // the newest; nil if there is none
}

// Read reads the history of a device, with the grants that entries name. Every
// signature in it is checked, but those of grants when they are used.
func Read(v state.View, chain codec.ChainDigest, device key.DeviceID, entries [][]byte) (*History, error) {
	dev, err := state.GetDevice(v, device)
	if err != nil {
		return nil, err
	}
	h := &History{Device: dev, Grants: make(map[tx.ID]state.Grants)}
	if h.Tenures, err = state.ReadTenures(v, chain, device); err != nil {
		return nil, err
	}
	anchor, err := state.GetAnchor(v, device)
	switch {
	case err == nil:
		if _, err := state.VerifyAnchor(chain, dev.Key, anchor); err != nil {
			return nil, err
		}
		h.Anchor = &anchor
	case !errors.Is(err, state.NoAnchor):
		return nil, err
	}
	for _, id := range named(entries) {
		g, err := state.ReadGrants(v, chain, id)
		switch {
		case err == nil:
			h.Grants[id] = g
		case !errors.Is(err, state.NoGrant) && !errors.Is(err, state.Forged):
			return nil, err
		}
	}
	return h, nil
}

// named lists the grants that entries use.
func named(entries [][]byte) (out []tx.ID) {
	for _, raw := range entries {
		var e Entry
		if codec.Unmarshal(raw, &e, MaxEntry) != nil {
			continue
		}
		cmd, err := command.Decode(e.Command)
		if err == nil && cmd.Body.Grant != nil && !slices.Contains(out, *cmd.Body.Grant) {
			out = append(out, *cmd.Body.Grant)
		}
	}
	return out
}

// signer finds the key behind a signature of a command, among the owner's of that
// epoch and in the grant that the command names, and checks the signature.
func (h *History) signer(chain codec.ChainDigest, cmd *command.Command, id key.KeyID) (Signer, bool) {
	b := &cmd.Body
	for _, t := range h.Tenures {
		if t.Epoch != b.Epoch {
			continue
		}
		for _, set := range t.Keys {
			if k, ok := set.Find(id); ok && cmd.VerifyBy(chain, k.Key) == nil && (b.Grant != nil || b.Principal == t.Account || id != b.Key) {
				return Signer{Key: id, Owner: true}, true
			}
		}
		if b.Grant != nil && id == b.Key {
			return h.guest(chain, cmd, t)
		}
	}
	return Signer{}, false
}

// guest checks that the grant was the owner's to give and that its grantee signed.
func (h *History) guest(chain codec.ChainDigest, cmd *command.Command, t state.Tenure) (Signer, bool) {
	b := &cmd.Body
	chainOf, ok := h.Grants[*b.Grant]
	if !ok {
		return Signer{}, false
	}
	for _, set := range t.Keys {
		if state.VerifyGrants(chain, state.Pin{Account: t.Account, Keys: set}, chainOf) != nil {
			continue
		}
		g := chainOf.Leaf().Grant
		if g.Private != nil {
			opened, err := g.Open(chain, b.GrantBody())
			if err != nil {
				return Signer{}, false
			}
			g = opened
		}
		if g.Grantee.ID() != b.Key || cmd.VerifyBy(chain, g.Grantee) != nil || !g.Covers(b.Device, b.Epoch, b.Endpoint, b.Method) {
			return Signer{}, false
		}
		return Signer{Key: b.Key, Grant: b.Grant}, true
	}
	return Signer{}, false
}
