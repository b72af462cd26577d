package tx

import "github.com/hybridos-net/hybridos/chain/key"

// RotateVendorKeys replaces the keys of the acting vendor. The old threshold
// signs, and every key that was not there before proves that somebody holds it.
// The vendor's id stays.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type RotateVendorKeys struct {
	Version   uint64       `cbor:"1,keyasint"` // the vendor's present key version + 1
	Keys      []key.Public `cbor:"2,keyasint"`
	Threshold uint8        `cbor:"3,keyasint"`
}

// Kind is KindRotateVendorKeys.
func (*RotateVendorKeys) Kind() Kind { return KindRotateVendorKeys }

// StaticValidate checks distinct valid keys and a threshold that they reach.
func (p *RotateVendorKeys) StaticValidate() error {
	if err := validateVersion(p.Version); err != nil {
		return err
	}
	return validateVendorKeys(p.Keys, p.Threshold)
}
