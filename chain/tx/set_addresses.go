package tx

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
)

// SetAddresses says where the owner's device can be reached. An address gives
// no right: whoever answers there proves itself by the device's key.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type SetAddresses struct {
	Device key.DeviceID `cbor:"1,keyasint"`
	Epoch  uint64       `cbor:"2,keyasint"` // the device's present epoch
	Addrs  []string     `cbor:"3,keyasint"` // in the owner's order; none: take them back
}

// Kind is KindSetAddresses.
func (*SetAddresses) Kind() Kind { return KindSetAddresses }

// StaticValidate checks that the fields are present and each address is one.
func (p *SetAddresses) StaticValidate() error {
	if err := validateDeviceEpoch(p.Device, p.Epoch); err != nil {
		return err
	}
	if len(p.Addrs) > MaxAddrs {
		return malformed(fmt.Sprintf("%d addresses, at most %d", len(p.Addrs), MaxAddrs))
	}
	for i, a := range p.Addrs {
		if !ValidAddr(a) {
			return malformed(fmt.Sprintf("address %q", a))
		}
		for _, had := range p.Addrs[:i] {
			if had == a {
				return malformed("an address stands twice")
			}
		}
	}
	return nil
}
