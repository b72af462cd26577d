package tx

import "github.com/hybridos-net/hybridos/chain/key"

// Claim makes the acting account the owner of an unowned device. Device and
// owner both sign, so neither can be bound without consent.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type Claim struct {
	Device key.DeviceID `cbor:"1,keyasint"`
	Epoch  uint64       `cbor:"2,keyasint"`           // the device's present epoch + 1
	Root   *key.Public  `cbor:"3,keyasint,omitempty"` // first key of an account that does not exist yet
}

// Kind is KindClaim.
func (*Claim) Kind() Kind { return KindClaim }

// StaticValidate checks that the fields are present and the root is a key.
func (p *Claim) StaticValidate() error {
	if p.Device.IsZero() || p.Epoch == 0 {
		return malformed("no device or epoch")
	}
	return validateRoot(p.Root)
}

func validateRoot(root *key.Public) error {
	if root == nil {
		return nil
	}
	return fullKey(*root, "the root of an account")
}
