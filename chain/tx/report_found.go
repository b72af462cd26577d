package tx

import "github.com/hybridos-net/hybridos/chain/key"

// ReportFound takes the mark of ReportLost away.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type ReportFound struct {
	Device key.DeviceID `cbor:"1,keyasint"`
	Epoch  uint64       `cbor:"2,keyasint"` // the device's present epoch
}

// Kind is KindReportFound.
func (*ReportFound) Kind() Kind { return KindReportFound }

// StaticValidate checks that the fields are present.
func (p *ReportFound) StaticValidate() error { return validateDeviceEpoch(p.Device, p.Epoch) }
