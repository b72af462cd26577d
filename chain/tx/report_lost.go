package tx

import "github.com/hybridos-net/hybridos/chain/key"

// ReportLost marks the owner's device as lost: it changes no hands until it is
// reported found.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type ReportLost struct {
	Device key.DeviceID `cbor:"1,keyasint"`
	Epoch  uint64       `cbor:"2,keyasint"` // the device's present epoch
}

// Kind is KindReportLost.
func (*ReportLost) Kind() Kind { return KindReportLost }

// StaticValidate checks that the fields are present.
func (p *ReportLost) StaticValidate() error { return validateDeviceEpoch(p.Device, p.Epoch) }
