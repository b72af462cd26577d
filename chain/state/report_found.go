package state

import "github.com/hybridos-net/hybridos/chain/tx"

func applyReportFound(s Tree, _ Block, t *tx.Tx) error {
	p := t.Payload.(*tx.ReportFound)
	dev, err := reported(s, t, p.Device, p.Epoch)
	if err != nil {
		return err
	}
	if !dev.Lost {
		return &Error{Kind: NotLost, Detail: p.Device.String()}
	}
	dev.Lost = false
	return put(s, DeviceKey(p.Device), dev)
}
