package state

import (
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func applyReportLost(s Tree, _ Block, t *tx.Tx) error {
	p := t.Payload.(*tx.ReportLost)
	dev, err := reported(s, t, p.Device, p.Epoch)
	if err != nil {
		return err
	}
	if dev.Lost {
		return deviceLost(p.Device)
	}
	dev.Lost = true
	return put(s, DeviceKey(p.Device), dev)
}

// reported reads the device of a report: the actor's, in its present epoch.
func reported(v View, t *tx.Tx, id key.DeviceID, epoch uint64) (Device, error) {
	dev, err := ownedDevice(v, t, id)
	if err == nil && epoch != dev.Epoch {
		err = staleEpoch(epoch, dev.Epoch)
	}
	return dev, err
}

func deviceLost(id key.DeviceID) error {
	return &Error{Kind: DeviceLost, Detail: id.String()}
}
