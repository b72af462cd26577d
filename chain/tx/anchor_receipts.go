package tx

import "github.com/hybridos-net/hybridos/chain/key"

// AnchorReceipts puts the head of a device's chain of receipts on the ledger.
// The device signs it, so that it cannot deny later what it has answered, and
// its owner submits it.
//
// Evolution: fields 1 to 5 are fixed; new ones are optional.
type AnchorReceipts struct {
	Device key.DeviceID `cbor:"1,keyasint"`
	Epoch  uint64       `cbor:"2,keyasint"` // the device's present epoch
	From   uint64       `cbor:"3,keyasint"` // counter of the first receipt since the last anchor
	To     uint64       `cbor:"4,keyasint"` // counter of the last one
	Head   [32]byte     `cbor:"5,keyasint"` // hash of the last one, which commits to all before
}

// Kind is KindAnchorReceipts.
func (*AnchorReceipts) Kind() Kind { return KindAnchorReceipts }

// StaticValidate checks that the fields are present and the counters rise.
func (p *AnchorReceipts) StaticValidate() error {
	if err := validateDeviceEpoch(p.Device, p.Epoch); err != nil {
		return err
	}
	if p.From == 0 || p.To < p.From {
		return malformed("counters do not rise from 1 on")
	}
	if p.Head == [32]byte{} {
		return malformed("no head")
	}
	return nil
}
