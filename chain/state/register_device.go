package state

import "github.com/hybridos-net/hybridos/chain/tx"

// vendorSigners is the signer list of kinds that only the acting vendor signs.
func vendorSigners(v View, t *tx.Tx) ([]signer, error) {
	ven, err := GetVendor(v, t.Body.Account)
	if err != nil {
		return nil, err
	}
	return []signer{vendorSigner(ven.KeySet())}, nil
}

func applyRegisterDevice(s Tree, _ Block, t *tx.Tx) error {
	p := t.Payload.(*tx.RegisterDevice)
	ven, err := GetVendor(s, t.Body.Account)
	if err != nil {
		return err
	}
	if err := ven.charge(1); err != nil {
		return err
	}
	id := p.Key.DeviceID()
	if _, err := GetDevice(s, id); !isKind(err, NoDevice) {
		if err == nil {
			err = &Error{Kind: DeviceExists, Detail: id.String()}
		}
		return err
	}
	if err := put(s, VendorKey(t.Body.Account), ven); err != nil {
		return err
	}
	return put(s, DeviceKey(id), Device{Key: p.Key, SealKey: p.SealKey, Vendor: t.Body.Account, Model: p.Model})
}
