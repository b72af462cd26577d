package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func transferSigners(v View, t *tx.Tx) ([]signer, error) {
	p := t.Payload.(*tx.Transfer)
	old, err := accountSigners(v, t)
	if err != nil {
		return nil, err
	}
	next, err := accountOrRoot(v, p.To, p.Root)
	if err != nil {
		return nil, err
	}
	return append(old, adminSigner(tx.RoleNewOwner, next)), nil
}

func applyTransfer(s Tree, b Block, t *tx.Tx) error {
	p := t.Payload.(*tx.Transfer)
	if err := thawed(s, t); err != nil {
		return err
	}
	dev, err := ownedDevice(s, t, p.Device)
	if err != nil {
		return err
	}
	if err := createAccount(s, p.To, p.Root); err != nil {
		return err
	}
	return setOwner(s, b, t, p.Device, dev, &p.To, p.Epoch)
}

// ownedDevice reads a device that the acting account must own.
func ownedDevice(v View, t *tx.Tx, id key.DeviceID) (Device, error) {
	dev, err := GetDevice(v, id)
	if err != nil {
		return dev, err
	}
	if dev.Owner == nil || *dev.Owner != t.Body.Account {
		return dev, &Error{Kind: NotOwner, Detail: fmt.Sprintf("%s does not own %s", t.Body.Account, id)}
	}
	return dev, nil
}

func staleEpoch(got, want uint64) error {
	return &Error{Kind: StaleEpoch, Detail: fmt.Sprintf("epoch %d, want %d", got, want)}
}
