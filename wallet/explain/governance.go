package explain

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// propose tells what a proposal would change. A change without words gets no
// summary, so that payload refuses it.
func propose(p *tx.Propose) Summary {
	action, err := p.Change.Action()
	if err != nil {
		return Summary{}
	}
	s := Summary{GivesRights: true}
	switch a := action.(type) {
	case *tx.AddValidator:
		s.Title = "Propose a new validator: it signs blocks like every other one"
		s.Lines = []Line{{"name", fmt.Sprintf("%q", a.ValidatorName)}, {"its key", a.Key.String()}}
	case *tx.RemoveValidator:
		s.Title = "Propose to remove a validator, for good"
		s.Lines = []Line{{"its key", a.Key.String()}}
	case *tx.ReplaceKey:
		s.Title = "Propose another key for a validator"
		s.Lines = []Line{{"old key", a.Old.String() + ", which is never used again"}, {"new key", a.New.String()}}
	case *tx.AdmitVendor:
		s.Title = "Propose to admit a vendor: it may register devices"
		s.Lines = []Line{{"name", fmt.Sprintf("%q", a.VendorName)}, {"vendor", a.Keys[0].AccountID().String()}}
		for _, k := range a.Keys {
			s.Lines = append(s.Lines, Line{"key", k.String()})
		}
		s.Lines = append(s.Lines, Line{"signs with", fmt.Sprintf("%d of %d keys", a.Threshold, len(a.Keys))}, Line{"may register", fmt.Sprintf("%d devices in all", a.Quota)})
	case *tx.SuspendVendor:
		s.Title = "Propose to suspend a vendor: it registers no more devices"
		s.Lines = []Line{{"vendor", a.Vendor.String()}}
	case *tx.SetQuota:
		s.Title = "Propose a vendor's quota"
		s.Lines = []Line{{"vendor", a.Vendor.String()}, {"may register", fmt.Sprintf("%d devices in all", a.Quota)}}
	default:
		title, lines := settings(action)
		if title == "" {
			return Summary{}
		}
		s.Title, s.Lines = title, lines
	}
	s.Lines = append(s.Lines, Line{"open until", moment(p.Until)})
	return s
}

func approve(p *tx.Approve) Summary {
	return Summary{Title: "Approve a proposal; with the last approval that it needs it is carried out", GivesRights: true,
		Lines: []Line{{"proposal", p.Proposal.String()}}}
}
