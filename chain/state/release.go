package state

import "github.com/hybridos-net/hybridos/chain/tx"

// applyRelease begins an epoch in which nobody owns the device. The epoch is
// spent, so that no command or grant of before is alive in a later ownership.
func applyRelease(s Tree, b Block, t *tx.Tx) error {
	p := t.Payload.(*tx.Release)
	if err := thawed(s, t); err != nil {
		return err
	}
	dev, err := ownedDevice(s, t, p.Device)
	if err != nil {
		return err
	}
	return setOwner(s, b, t, p.Device, dev, nil, p.Epoch)
}
