package explain

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// settings gives the words for changes of the ledger itself; none for others.
func settings(action tx.Action) (title string, lines []Line) {
	switch a := action.(type) {
	case *tx.SetParams:
		return "Propose how much every account may write", []Line{
			{"in a period of", (time.Duration(a.Period) * time.Second).String()},
			{"each account", fmt.Sprintf("%d transactions", a.Base)},
			{"and for each device", fmt.Sprintf("%d more", a.PerDevice)},
		}
	case *tx.ScheduleUpgrade:
		lines = []Line{{"upgrade", a.Upgrade}, {"from block", fmt.Sprint(a.Height)}}
		for _, h := range a.Hashes {
			lines = append(lines, Line{"program", "hosd with SHA-256 " + hex.EncodeToString(h[:])})
		}
		if a.URL != "" {
			lines = append(lines, Line{"from", fmt.Sprintf("%q", a.URL)})
		}
		return "Propose an upgrade: every node with another program halts at that block", lines
	case *tx.CancelUpgrade:
		return "Propose to take an upgrade off the schedule", []Line{{"upgrade", a.Upgrade}}
	case *tx.SetGovernors:
		lines = []Line{{"decide", fmt.Sprintf("%d of %d governors", a.Threshold, len(a.Governors))}}
		for _, g := range a.Governors {
			lines = append(lines, Line{"governor", fmt.Sprintf("%q, %s", g.GovernorName, g.Key)})
		}
		return "Propose other governors: who is not among them has no say any more, and all open proposals end", lines
	}
	return "", nil
}
