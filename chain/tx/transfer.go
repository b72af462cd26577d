package tx

import "github.com/hybridos-net/hybridos/chain/key"

// Transfer gives a device to another account. Both owners sign, so that nobody
// is made responsible for a device that they do not want.
//
// Evolution: fields 1 to 4 are fixed; new ones are optional.
type Transfer struct {
	Device key.DeviceID  `cbor:"1,keyasint"`
	Epoch  uint64        `cbor:"2,keyasint"`           // the device's present epoch + 1
	To     key.AccountID `cbor:"3,keyasint"`           // the new owner
	Root   *key.Public   `cbor:"4,keyasint,omitempty"` // first key of To, if To does not exist yet
}

// Kind is KindTransfer.
func (*Transfer) Kind() Kind { return KindTransfer }

// StaticValidate checks that the fields are present and consistent.
func (p *Transfer) StaticValidate() error {
	if p.Device.IsZero() || p.Epoch == 0 || p.To.IsZero() {
		return malformed("no device, epoch or new owner")
	}
	if p.Root != nil && p.Root.AccountID() != p.To {
		return malformed("root key does not belong to the new owner's id")
	}
	return validateRoot(p.Root)
}
