package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Batch is a production run that a vendor registered as a whole.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type Batch struct {
	Size  uint64 `cbor:"1,keyasint"` // devices in its tree
	Model string `cbor:"2,keyasint"`
}

// GetBatch reads a batch; kind NoBatch if the vendor has registered none with
// this root.
func GetBatch(v View, vendor key.AccountID, root batch.Hash) (r Batch, err error) {
	err = get(v, BatchKey(vendor, root), &r, NoBatch)
	return r, err
}

// applyRegisterBatch charges the whole batch at once: each of its devices can
// be claimed without the vendor from then on.
func applyRegisterBatch(s Tree, _ Block, t *tx.Tx) error {
	p := t.Payload.(*tx.RegisterBatch)
	ven, err := GetVendor(s, t.Body.Account)
	if err != nil {
		return err
	}
	if _, err := GetBatch(s, t.Body.Account, p.Root); !isKind(err, NoBatch) {
		if err == nil {
			err = &Error{Kind: BatchExists, Detail: p.Root.String()}
		}
		return err
	}
	if err := ven.charge(p.Size); err != nil {
		return err
	}
	if err := put(s, VendorKey(t.Body.Account), ven); err != nil {
		return err
	}
	return put(s, BatchKey(t.Body.Account, p.Root), Batch{Size: p.Size, Model: p.Model})
}

// charge takes n devices from the vendor's quota.
func (v *Vendor) charge(n uint64) error {
	if v.Suspended {
		return &Error{Kind: VendorSuspended, Detail: fmt.Sprintf("vendor %q", v.Name)}
	}
	if v.Used >= v.Quota || n > v.Quota-v.Used {
		return &Error{Kind: QuotaExceeded, Detail: fmt.Sprintf("vendor %q has registered %d devices of %d, and not room for %d", v.Name, v.Used, v.Quota, n)}
	}
	v.Used += n
	return nil
}

// claimed gives the record of the device that a claim is about: its own, or the
// one that follows from its batch, which has been paid for. A device with a
// record is claimed without a proof, so that no second batch can change what
// the first said.
func claimed(v View, p *tx.Claim) (Device, error) {
	dev, err := GetDevice(v, p.Device)
	if p.Batch == nil {
		return dev, err
	}
	if !isKind(err, NoDevice) {
		if err == nil {
			err = &Error{Kind: DeviceExists, Detail: p.Device.String() + " is registered, and claimed without a batch"}
		}
		return dev, err
	}
	return memberOf(v, p.Batch)
}

// memberOf checks a proof of membership against the ledger.
func memberOf(v View, m *tx.BatchMember) (Device, error) {
	b, err := GetBatch(v, m.Vendor, m.Root)
	if err != nil {
		return Device{}, err
	}
	want := batch.PathLen(m.Index, b.Size)
	switch {
	case m.Index >= b.Size:
		return Device{}, &Error{Kind: BatchIndex, Detail: fmt.Sprintf("index %d in a batch of %d", m.Index, b.Size)}
	case len(m.Path) != want:
		return Device{}, &Error{Kind: BatchPath, Detail: fmt.Sprintf("%d hashes, want %d", len(m.Path), want)}
	case !m.Leads(b.Size):
		return Device{}, &Error{Kind: NotInBatch, Detail: fmt.Sprintf("%s at index %d of %s", m.Key.DeviceID(), m.Index, m.Root)}
	}
	return Device{Key: m.Key, SealKey: m.SealKey, Vendor: m.Vendor, Model: b.Model}, nil
}
