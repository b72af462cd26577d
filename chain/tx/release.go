package tx

import "github.com/hybridos-net/hybridos/chain/key"

// Release gives a device up: from the epoch that it begins, the device has no
// owner and may be claimed.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type Release struct {
	Device key.DeviceID `cbor:"1,keyasint"`
	Epoch  uint64       `cbor:"2,keyasint"` // the device's present epoch + 1
}

// Kind is KindRelease.
func (*Release) Kind() Kind { return KindRelease }

// StaticValidate checks that the fields are present.
func (p *Release) StaticValidate() error { return validateDeviceEpoch(p.Device, p.Epoch) }

// validateDeviceEpoch checks what every change of a device names.
func validateDeviceEpoch(id key.DeviceID, epoch uint64) error {
	if id.IsZero() || epoch == 0 {
		return malformed("no device or epoch")
	}
	return nil
}
