package draft

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Maker is a vendor with those of its keys that are at hand.
type Maker struct {
	Vendor key.AccountID
	Keys   []*key.Private
}

func isKind(err error, k state.ErrorKind) bool { return errors.Is(err, k) }

// ByVendor drafts a transaction of a vendor, signed by its keys at hand.
func (l Ledger) ByVendor(m Maker, p tx.Payload) (*tx.Tx, error) {
	v, err := state.GetVendor(l.View, m.Vendor)
	if err != nil {
		return nil, err
	}
	for _, k := range m.Keys {
		if !slices.ContainsFunc(v.Keys, k.Public().Equal) {
			return nil, &state.Error{Kind: state.WrongSigner, Detail: fmt.Sprintf("%s is no key of vendor %q", k.Public().ID(), v.Name)}
		}
	}
	t, err := tx.New(m.Vendor, v.Sequence, l.expires(Life), p)
	if err != nil {
		return nil, err
	}
	for _, k := range m.Keys {
		t.Sign(l.Chain, tx.RoleVendor, k)
	}
	return t, nil
}

// RotateVendorKeys drafts that next become the vendor's only keys; each that is
// new proves that it is held.
func (l Ledger) RotateVendorKeys(m Maker, next []*key.Private, threshold uint8) (*tx.Tx, error) {
	v, err := state.GetVendor(l.View, m.Vendor)
	if err != nil {
		return nil, err
	}
	p := &tx.RotateVendorKeys{Version: v.KeyVersion + 1, Threshold: threshold}
	for _, k := range next {
		p.Keys = append(p.Keys, k.Public())
	}
	t, err := l.ByVendor(m, p)
	if err != nil {
		return nil, err
	}
	for _, k := range next {
		if !slices.ContainsFunc(v.Keys, k.Public().Equal) {
			t.Sign(l.Chain, tx.RoleNewKey, k)
		}
	}
	return t, nil
}

// Published is a version on a shelf, as the vendor's present keys signed it.
type Published struct {
	Version string
	Record  state.Publication
	Payload tx.Payload // *tx.PublishRelease or *tx.PublishApp; nil if Refusal is not
	Refusal error      // why a device would refuse it; nil: it takes it
}

// PublishedRelease reads a firmware version of a vendor and verifies it.
func (l Ledger) PublishedRelease(vendor key.AccountID, model, version string) (Published, error) {
	return l.published(vendor, state.Releases(vendor, model), version, func(pin state.VendorPin, r state.Publication) (tx.Payload, error) {
		return state.VerifyRelease(l.Chain, pin, model, version, r)
	})
}

// PublishedApp reads a version of a vendor's app and verifies it.
func (l Ledger) PublishedApp(vendor key.AccountID, app, version string) (Published, error) {
	return l.published(vendor, state.Apps(vendor, app), version, func(pin state.VendorPin, r state.Publication) (tx.Payload, error) {
		return state.VerifyApp(l.Chain, pin, app, version, r)
	})
}

func (l Ledger) published(vendor key.AccountID, shelf state.Shelf, version string, verify func(state.VendorPin, state.Publication) (tx.Payload, error)) (Published, error) {
	out := Published{Version: version}
	v, err := state.GetVendor(l.View, vendor)
	if err != nil {
		return out, err
	}
	if out.Record, err = shelf.Get(l.View, version); err != nil {
		return out, err
	}
	p, err := verify(state.VendorPin{Vendor: vendor, Keys: v.KeySet()}, out.Record)
	if err != nil {
		out.Refusal = err
		return out, nil
	}
	out.Payload = p
	return out, nil
}
