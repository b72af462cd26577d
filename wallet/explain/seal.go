package explain

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func at(device key.DeviceID, epoch uint64, names Names) Line {
	return Line{"device", fmt.Sprintf("%s, epoch %d", named(device, names), epoch)}
}

func openSeal(p *tx.OpenSeal, names Names) Summary {
	return Summary{Title: "Have the ledger seal a command", GivesRights: true, Lines: []Line{
		at(p.Device, p.Epoch, names),
		{"command", p.Command.String()},
		{"sealed when", fmt.Sprintf("%d keys of the account have approved it, yours among them", p.Needed)},
		{"not after", moment(p.Until)},
	}}
}

func approveSeal(p *tx.ApproveSeal, names Names) Summary {
	return Summary{Title: "Approve a command; with the last approval that it needs it is sealed", GivesRights: true, Lines: []Line{
		at(p.Device, p.Epoch, names), {"command", p.Command.String()},
	}}
}

func anchorReceipts(p *tx.AnchorReceipts, names Names) Summary {
	return Summary{Title: "Anchor a device's receipts on the ledger", Lines: []Line{
		at(p.Device, p.Epoch, names),
		{"receipts", fmt.Sprintf("%d to %d", p.From, p.To)},
		{"head", fmt.Sprintf("%x", p.Head)},
	}}
}
