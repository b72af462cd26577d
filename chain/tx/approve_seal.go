package tx

import "github.com/hybridos-net/hybridos/chain/key"

// ApproveSeal is the word of further keys of the account for a seal. The one
// that makes them enough seals the command.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type ApproveSeal struct {
	Device  key.DeviceID `cbor:"1,keyasint"`
	Epoch   uint64       `cbor:"2,keyasint"` // the device's present epoch
	Command ID           `cbor:"3,keyasint"` // what the seal was opened for
}

// Kind is KindApproveSeal.
func (*ApproveSeal) Kind() Kind { return KindApproveSeal }

// StaticValidate checks that the fields are present.
func (p *ApproveSeal) StaticValidate() error {
	if err := validateDeviceEpoch(p.Device, p.Epoch); err != nil {
		return err
	}
	if p.Command.IsZero() {
		return malformed("no command")
	}
	return nil
}
