package explain

import (
	"fmt"
	"strings"

	"github.com/hybridos-net/hybridos/chain/tx"
)

func version(v uint64) Line { return Line{"version", fmt.Sprintf("%d", v)} }

func setGuardians(p *tx.SetGuardians) Summary {
	s := Summary{Title: "Say who can recover the account", GivesRights: true}
	g := p.Guardians
	if g == nil {
		s.Lines = []Line{{"guardians", "nobody any more: with the keys, the account is lost"}, version(p.Version)}
		return s
	}
	for _, k := range g.Keys {
		s.Lines = append(s.Lines, Line{"guardian", holder(k)})
	}
	s.Lines = append(s.Lines,
		Line{"they may", fmt.Sprintf("together, %d of them, give the account other keys; each alone may freeze it", g.Threshold)},
		Line{"not before", span(g.Delay) + " after they start, in which you can cancel"},
		version(p.Version))
	return s
}

// startRecovery tells the whole new key set, as rotateKeys does.
func startRecovery(p *tx.StartRecovery) Summary {
	s := rotateKeys(&tx.RotateKeys{Version: p.Version, Keys: p.Keys, Threshold: p.Threshold}, nil)
	s.Title = "Recover an account: give it other keys when the guardians' delay is over"
	s.Lines = append(s.Lines, Line{"not before", "the delay that the account has set is over; its owner can cancel until then"})
	return s
}

func cancelRecovery(p *tx.CancelRecovery) Summary {
	return Summary{Title: "Cancel the recovery of the account", Lines: []Line{
		{"afterwards", "the keys stay as they are, and what the guardians signed is void"}, version(p.Version),
	}}
}

func finishRecovery(p *tx.FinishRecovery) Summary {
	return Summary{Title: "Put the keys of a recovery in force", GivesRights: true, Lines: []Line{
		{"afterwards", "the old keys lose every right, and the grants that they signed end"}, version(p.Version),
	}}
}

func freeze() Summary {
	return Summary{Title: "Freeze the account", Lines: []Line{
		{"afterwards", "it makes no grant, transfer, release or change of keys, until its keys unfreeze it"},
		{"still", "guardians can recover it, and its devices obey as before"},
	}}
}

func unfreeze() Summary {
	return Summary{Title: "Unfreeze the account", GivesRights: true, Lines: []Line{
		{"afterwards", "it can make grants, transfers, releases and changes of keys again"},
	}}
}

// span is a number of seconds in words.
func span(seconds uint64) string {
	var out []string
	for _, u := range []struct {
		size uint64
		name string
	}{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}} {
		if n := seconds / u.size; n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, u.name))
		}
		seconds %= u.size
	}
	return strings.Join(out, " ")
}
