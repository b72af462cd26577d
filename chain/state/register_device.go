package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/tx"
)

func registerDeviceSigners(v View, t *tx.Tx) ([]signer, error) {
	ven, err := GetVendor(v, t.Body.Account)
	if err != nil {
		return nil, err
	}
	return []signer{{role: tx.RoleVendor, keys: ven.Keys, threshold: int(ven.Threshold)}}, nil
}

func applyRegisterDevice(s Tree, _ Block, t *tx.Tx) error {
	p := t.Payload.(*tx.RegisterDevice)
	ven, err := GetVendor(s, t.Body.Account)
	if err != nil {
		return err
	}
	if ven.Suspended {
		return &Error{Kind: VendorSuspended, Detail: fmt.Sprintf("vendor %q", ven.Name)}
	}
	if ven.Used >= ven.Quota {
		return &Error{Kind: QuotaExceeded, Detail: fmt.Sprintf("vendor %q has registered %d devices", ven.Name, ven.Used)}
	}
	id := p.Key.DeviceID()
	if _, err := GetDevice(s, id); !isKind(err, NoDevice) {
		if err == nil {
			err = &Error{Kind: DeviceExists, Detail: id.String()}
		}
		return err
	}
	ven.Used++
	if err := put(s, VendorKey(t.Body.Account), ven); err != nil {
		return err
	}
	return put(s, DeviceKey(id), Device{Key: p.Key, SealKey: p.SealKey, Vendor: t.Body.Account, Model: p.Model})
}
