package draft

import (
	"fmt"
	"time"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// OpenSeal drafts that the ledger seals a command to a device of the party's
// account when needed of its keys have approved it; the party's is the first.
func (l Ledger) OpenSeal(p Party, device key.DeviceID, command tx.ID, needed uint8, open time.Duration) (*tx.Tx, error) {
	return l.asApprover(p, device, func(epoch uint64) tx.Payload {
		return &tx.OpenSeal{Device: device, Epoch: epoch, Command: command, Needed: needed, Until: l.expires(open)}
	})
}

// ApproveSeal drafts the approval of a seal by the party's key.
func (l Ledger) ApproveSeal(p Party, device key.DeviceID, command tx.ID) (*tx.Tx, error) {
	return l.asApprover(p, device, func(epoch uint64) tx.Payload {
		return &tx.ApproveSeal{Device: device, Epoch: epoch, Command: command}
	})
}

// asApprover needs no threshold: each key of the account approves for itself.
func (l Ledger) asApprover(p Party, device key.DeviceID, payload func(epoch uint64) tx.Payload) (*tx.Tx, error) {
	a, err := state.GetAccount(l.View, p.Account)
	if err != nil {
		return nil, err
	}
	d, err := state.GetDevice(l.View, device)
	if err != nil {
		return nil, err
	}
	return l.build(p, a.Sequence, Life, tx.RoleApprover, payload(d.Epoch))
}

// Seal is what the ledger shows of a seal, and what a device makes of it.
type Seal struct {
	state.Seal
	Present int   // admin keys of the owner now
	Refusal error // why a device would refuse it; nil: it takes it
}

// Seal reads the seal of a command and verifies the owner's signatures, as the
// device does with at least as many approvals as the seal itself asks for.
func (l Ledger) Seal(device key.DeviceID, command tx.ID) (s Seal, err error) {
	if s.Seal, err = state.GetSeal(l.View, device, command); err != nil {
		return s, err
	}
	d, err := state.GetDevice(l.View, device)
	if err != nil {
		return s, err
	}
	if d.Owner == nil {
		return s, &state.Error{Kind: state.NotOwner, Detail: "nobody owns " + device.String()}
	}
	pin, err := state.PinAccount(l.View, l.Chain, *d.Owner)
	if err != nil {
		return s, err
	}
	for _, k := range pin.Keys.Keys {
		if k.Rights&tx.RightAdmin != 0 {
			s.Present++
		}
	}
	s.Refusal = state.VerifySeal(l.Chain, state.Ownership{Device: device, Epoch: d.Epoch, Owner: pin}, command, 1, s.Seal)
	return s, nil
}

// Anchor drafts that the receipts of a device since its last anchor, up to the
// one with the given counter and hash, are anchored. The device adds its
// signature.
func (l Ledger) Anchor(p Party, device key.DeviceID, counter uint64, head [32]byte) (*tx.Tx, error) {
	a, err := l.account(p)
	if err != nil {
		return nil, err
	}
	d, err := state.GetDevice(l.View, device)
	if err != nil {
		return nil, err
	}
	last, err := l.Anchored(device)
	if err != nil {
		return nil, err
	}
	if counter <= last.Counter {
		return nil, &state.Error{Kind: state.BadCounter, Detail: fmt.Sprintf("receipt %d, anchored up to %d", counter, last.Counter)}
	}
	return l.build(p, a.Sequence, OfferLife, tx.RoleAccount,
		&tx.AnchorReceipts{Device: device, Epoch: d.Epoch, From: last.Counter + 1, To: counter, Head: head})
}

// Anchored reads a device's newest anchor, which the device's key must have
// signed; empty if there is none.
func (l Ledger) Anchored(device key.DeviceID) (state.Anchor, error) {
	d, err := state.GetDevice(l.View, device)
	if err != nil {
		return state.Anchor{}, err
	}
	r, err := state.GetAnchor(l.View, device)
	if isKind(err, state.NoAnchor) {
		return state.Anchor{}, nil
	}
	if err != nil {
		return r, err
	}
	_, err = state.VerifyAnchor(l.Chain, d.Key, r)
	return r, err
}
