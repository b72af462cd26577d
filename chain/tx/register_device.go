package tx

import "github.com/hybridos-net/hybridos/chain/key"

// RegisterDevice records a device that a vendor made. It is unowned until
// somebody claims it.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type RegisterDevice struct {
	Key     key.Public `cbor:"1,keyasint"`
	SealKey [32]byte   `cbor:"2,keyasint"` // X25519 public key for bodies sealed to the device (RFC 7748)
	Model   string     `cbor:"3,keyasint"`
}

// Kind is KindRegisterDevice.
func (*RegisterDevice) Kind() Kind { return KindRegisterDevice }

// StaticValidate checks key and model.
func (p *RegisterDevice) StaticValidate() error {
	if err := fullKey(p.Key, "a device"); err != nil {
		return err
	}
	if p.SealKey == [32]byte{} {
		return malformed("no X25519 key")
	}
	if !validModel(p.Model) {
		return malformed("model must be 1 to 64 printable ASCII characters")
	}
	return nil
}
