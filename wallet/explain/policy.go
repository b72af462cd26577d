package explain

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/tx"
)

func registerBatch(p *tx.RegisterBatch) Summary {
	return Summary{Title: "Register a production run of devices that you made", Lines: []Line{
		{"devices", fmt.Sprintf("%d, taken from your quota now", p.Size)},
		{"root", p.Root.String()},
		{"model", fmt.Sprintf("%q", p.Model)},
	}}
}

// freshness is a class in words.
func freshness(f tx.Freshness) string {
	switch f {
	case tx.FreshRead:
		return "the ledger's word may be 24 hours old"
	case tx.FreshComfort:
		return "the ledger's word may be an hour old, so an ended grant may work for as long"
	case tx.FreshAccess:
		return "the ledger's word may be 60 seconds old"
	default:
		return "each command must be sealed in a block"
	}
}

// setPolicy may let devices obey on an older word of the ledger, so it is asked
// for like a right.
func setPolicy(p *tx.SetPolicy, names Names) Summary {
	s := Summary{Title: "Set what a device asks of commands", GivesRights: true, Lines: []Line{
		{"device", fmt.Sprintf("%s, epoch %d", named(p.Device, names), p.Epoch)},
		{"policy", fmt.Sprintf("version %d, in place of the one before", p.Version)},
	}}
	for _, r := range p.Rules {
		s.Lines = append(s.Lines, Line{r.Endpoint + "." + r.Method, fmt.Sprintf("%s: %s; %d key(s) of yours must sign", r.Class, freshness(r.Class), r.Signers)})
	}
	s.Lines = append(s.Lines, Line{"all else", "as the device's maker made it"})
	return s
}

func setAddresses(p *tx.SetAddresses, names Names) Summary {
	s := Summary{Title: "Say where a device can be reached, for everybody to see", Lines: []Line{
		{"device", fmt.Sprintf("%s, epoch %d", named(p.Device, names), p.Epoch)},
	}}
	for _, a := range p.Addrs {
		s.Lines = append(s.Lines, Line{"at", a})
	}
	if len(p.Addrs) == 0 {
		s.Lines = append(s.Lines, Line{"at", "nowhere any more"})
	}
	return s
}
