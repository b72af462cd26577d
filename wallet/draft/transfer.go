package draft

import (
	"errors"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Transfer drafts the old owner's half of a transfer to the account whose
// first key is to. The new owner adds the other half with AcceptTransfer.
func (l Ledger) Transfer(p Party, device key.DeviceID, to key.AccountID, first *key.Public) (*tx.Tx, error) {
	d, err := l.owned(p, device)
	if err != nil {
		return nil, err
	}
	a, err := l.account(p)
	if err != nil {
		return nil, err
	}
	_, err = state.GetAccount(l.View, to)
	switch {
	case err == nil:
		first = nil
	case !errors.Is(err, state.NoAccount):
		return nil, err
	case first == nil:
		return nil, fmt.Errorf("the new owner has no account yet, so the public key is needed: %w", err)
	}
	return l.build(p, a.Sequence, OfferLife, tx.RoleAccount,
		&tx.Transfer{Device: device, Epoch: d.Epoch + 1, To: to, Root: first})
}

// Release drafts that a device is given up: nobody owns it afterwards.
func (l Ledger) Release(p Party, device key.DeviceID) (*tx.Tx, error) {
	return l.ofDevice(p, device, func(epoch uint64) tx.Payload { return &tx.Release{Device: device, Epoch: epoch + 1} })
}

// ReportLost drafts that a device is lost.
func (l Ledger) ReportLost(p Party, device key.DeviceID) (*tx.Tx, error) {
	return l.ofDevice(p, device, func(epoch uint64) tx.Payload { return &tx.ReportLost{Device: device, Epoch: epoch} })
}

// ReportFound drafts that a lost device is found.
func (l Ledger) ReportFound(p Party, device key.DeviceID) (*tx.Tx, error) {
	return l.ofDevice(p, device, func(epoch uint64) tx.Payload { return &tx.ReportFound{Device: device, Epoch: epoch} })
}

// ofDevice drafts a transaction about a device of the party in its present
// epoch.
func (l Ledger) ofDevice(p Party, device key.DeviceID, payload func(epoch uint64) tx.Payload) (*tx.Tx, error) {
	d, err := l.owned(p, device)
	if err != nil {
		return nil, err
	}
	a, err := l.account(p)
	if err != nil {
		return nil, err
	}
	return l.build(p, a.Sequence, Life, tx.RoleAccount, payload(d.Epoch))
}

// AcceptTransfer adds the new owner's signature.
func (l Ledger) AcceptTransfer(p Party, t *tx.Tx) error {
	offer, ok := t.Payload.(*tx.Transfer)
	if !ok {
		return fmt.Errorf("%w: a %s is no transfer", ErrNotForUs, t.Body.Kind)
	}
	if offer.To != p.Account {
		return fmt.Errorf("%w: it is for %s, this wallet is %s", ErrNotForUs, offer.To, p.Account)
	}
	t.Sign(l.Chain, tx.RoleNewOwner, p.Key)
	return nil
}

// ErrNotForUs means that an offer is made to somebody else.
var ErrNotForUs = errors.New("the offer is not for this wallet")
