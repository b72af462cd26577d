// Package draft builds the transactions and commands of an owner, a guest or a
// vendor from ledger state, and signs them.
//
// It sends nothing, stores nothing and asks nobody; wallet/cli shows a draft
// (wallet/explain) before it signs. Callers fill a Ledger, call one of its
// methods, and rehearse the result.
//
// What must never change: a draft is built from proven records only, and
// Rehearse runs the very rules that validators run, on a copy.
package draft

import (
	"errors"
	"fmt"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

const (
	// Life is how long a transaction lives that is submitted at once.
	Life = 10 * time.Minute
	// OfferLife is how long somebody else has to add a signature. The ledger
	// allows 24 hours from block time, which may lie behind the clock.
	OfferLife = 23 * time.Hour
)

// Ledger is the ledger as known at one moment.
type Ledger struct {
	View   state.View
	Chain  codec.ChainDigest
	Height int64
	Now    time.Time
}

// Party is who acts: an account or vendor with one of its keys.
type Party struct {
	Account key.AccountID
	Key     *key.Private
}

// ErrMoreSigners means that the account wants more than one key's signature;
// this wallet signs with one.
var ErrMoreSigners = errors.New("the account wants more signatures than this wallet's")

// account reads the acting account and checks that the party's key may sign
// for it, and is enough.
func (l Ledger) account(p Party) (state.Account, error) {
	a, err := state.GetAccount(l.View, p.Account)
	if err != nil {
		return a, err
	}
	id := p.Key.Public().ID()
	if k, ok := a.KeySet.Find(id); !ok || k.Rights&tx.RightAdmin == 0 {
		return a, &state.Error{Kind: state.WrongSigner, Detail: fmt.Sprintf("%s is no admin key of %s", id, p.Account)}
	}
	if a.KeySet.Threshold > 1 {
		return a, fmt.Errorf("%w: %d", ErrMoreSigners, a.KeySet.Threshold)
	}
	return a, nil
}

func (l Ledger) expires(life time.Duration) uint64 { return uint64(l.Now.Add(life).Unix()) }

// build makes a transaction of the acting account and signs it.
func (l Ledger) build(p Party, sequence uint64, life time.Duration, role tx.Role, payload tx.Payload) (*tx.Tx, error) {
	t, err := tx.New(p.Account, sequence, l.expires(life), payload)
	if err != nil {
		return nil, err
	}
	t.Sign(l.Chain, role, p.Key)
	return t, nil
}

// Rehearse runs t on a copy of the state, as the next block would, so that a
// refusal is known before anything is sent.
func (l Ledger) Rehearse(t *tx.Tx) error {
	b := state.Block{Chain: l.Chain, Height: l.Height + 1, Time: l.Now.Unix()}
	o := state.NewOverlay(readOnly{l.View})
	if err := state.Check(o, b, t); err != nil {
		return err
	}
	return state.Apply(o, b, t)
}

// readOnly lets an overlay stand on a view that is never written.
type readOnly struct{ state.View }

// Set refuses; an overlay that is not flushed does not call it.
func (readOnly) Set([]byte, []byte) error { return errors.New("the rehearsed state is read only") }

// RegisterDevice drafts a vendor's registration of a device.
func (l Ledger) RegisterDevice(p Party, device key.Public, sealKey [32]byte, model string) (*tx.Tx, error) {
	v, err := state.GetVendor(l.View, p.Account)
	if err != nil {
		return nil, err
	}
	return l.build(p, v.Sequence, Life, tx.RoleVendor, &tx.RegisterDevice{Key: device, SealKey: sealKey, Model: model})
}

// Claim drafts the owner's half of a claim; the device's signature comes with
// the pairing. The account is made by it if it does not exist, which takes its
// first key.
func (l Ledger) Claim(p Party, device key.DeviceID) (*tx.Tx, error) {
	d, err := state.GetDevice(l.View, device)
	if err != nil {
		return nil, err
	}
	if d.Owner != nil {
		return nil, &state.Error{Kind: state.DeviceOwned, Detail: device.String()}
	}
	root, sequence, err := l.root(p)
	if err != nil {
		return nil, err
	}
	return l.build(p, sequence, Life, tx.RoleAccount, &tx.Claim{Device: device, Epoch: d.Epoch + 1, Root: root})
}

// ClaimMember is Claim for a device that a batch has registered: one without a
// record is claimed with its proof of membership, one with a record as ever.
func (l Ledger) ClaimMember(p Party, m *tx.BatchMember) (*tx.Tx, error) {
	device := m.Key.DeviceID()
	if _, err := state.GetDevice(l.View, device); !errors.Is(err, state.NoDevice) {
		return l.Claim(p, device)
	}
	root, sequence, err := l.root(p)
	if err != nil {
		return nil, err
	}
	return l.build(p, sequence, Life, tx.RoleAccount, &tx.Claim{Device: device, Epoch: 1, Root: root, Batch: m})
}

// root gives what a transaction needs that may create the account: the first
// key if it does, and the sequence number.
func (l Ledger) root(p Party) (*key.Public, uint64, error) {
	a, err := l.account(p)
	if err == nil {
		return nil, a.Sequence, nil
	}
	pub := p.Key.Public()
	if errors.Is(err, state.NoAccount) && pub.AccountID() == p.Account {
		return &pub, 0, nil
	}
	return nil, 0, err
}
