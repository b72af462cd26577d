package tx

import "github.com/hybridos-net/hybridos/chain/key"

// OpenSeal asks that the ledger counter-signs a command: it is sealed when the
// given number of the account's keys have signed for it. Each key that signs
// this transaction is an approval.
//
// Evolution: fields 1 to 5 are fixed; new ones are optional and must narrow the
// seal.
type OpenSeal struct {
	Device  key.DeviceID `cbor:"1,keyasint"`
	Epoch   uint64       `cbor:"2,keyasint"` // the device's present epoch
	Command ID           `cbor:"3,keyasint"` // the command's id, which is the digest of its body
	Needed  uint8        `cbor:"4,keyasint"` // distinct admin keys of the account that must approve
	Until   uint64       `cbor:"5,keyasint"` // Unix seconds of block time; void from then on, if it is not sealed
}

// Kind is KindOpenSeal.
func (*OpenSeal) Kind() Kind { return KindOpenSeal }

// StaticValidate checks that the fields are present and the number of approvals
// is one that an account can have.
func (p *OpenSeal) StaticValidate() error {
	if err := validateDeviceEpoch(p.Device, p.Epoch); err != nil {
		return err
	}
	if p.Command.IsZero() || p.Until == 0 {
		return malformed("no command or end")
	}
	if p.Needed == 0 || p.Needed > MaxKeys {
		return malformed("a seal needs 1 to 16 approvals")
	}
	return nil
}
