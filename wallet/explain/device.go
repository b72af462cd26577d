package explain

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/tx"
)

func release(p *tx.Release, names Names) Summary {
	return Summary{Title: "Give a device up, for good", GivesRights: true, Lines: []Line{
		{"device", named(p.Device, names)},
		{"afterwards", fmt.Sprintf("nobody owns it from epoch %d on; every grant and command of earlier epochs ends", p.Epoch)},
		{"then", "whoever holds its pairing code can become its owner"},
	}}
}

func reportLost(p *tx.ReportLost, names Names) Summary {
	return Summary{Title: "Report a device lost", Lines: []Line{
		{"device", fmt.Sprintf("%s, epoch %d", named(p.Device, names), p.Epoch)},
		{"afterwards", "it can be neither transferred nor released until it is found; it obeys you and your guests as before"},
	}}
}

func reportFound(p *tx.ReportFound, names Names) Summary {
	return Summary{Title: "Report a lost device found", Lines: []Line{
		{"device", fmt.Sprintf("%s, epoch %d", named(p.Device, names), p.Epoch)},
		{"afterwards", "it can be transferred and released again"},
	}}
}
