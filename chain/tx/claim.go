package tx

import "github.com/hybridos-net/hybridos/chain/key"

// Claim makes the acting account the owner of an unowned device. Device and
// owner both sign, so neither can be bound without consent.
//
// Evolution: fields 1 to 4 are fixed; new ones are optional.
type Claim struct {
	Device key.DeviceID `cbor:"1,keyasint"`
	Epoch  uint64       `cbor:"2,keyasint"`           // the device's present epoch + 1
	Root   *key.Public  `cbor:"3,keyasint,omitempty"` // first key of an account that does not exist yet
	Batch  *BatchMember `cbor:"4,keyasint,omitempty"` // the first claim of a device that was registered with a batch
}

// Kind is KindClaim.
func (*Claim) Kind() Kind { return KindClaim }

// StaticValidate checks that the fields are present, the root is a key, and the
// batch's leaf is of the device.
func (p *Claim) StaticValidate() error {
	if p.Device.IsZero() || p.Epoch == 0 {
		return malformed("no device or epoch")
	}
	if p.Batch != nil {
		if err := p.Batch.Validate(); err != nil {
			return err
		}
		if p.Batch.Key.DeviceID() != p.Device {
			return malformed("the batch's leaf is of another device")
		}
	}
	return validateRoot(p.Root)
}

func validateRoot(root *key.Public) error {
	if root == nil {
		return nil
	}
	return fullKey(*root, "the root of an account")
}
