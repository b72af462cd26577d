package api

import (
	"encoding/hex"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Grant is a grant's record. Of a private one the ledger knows no more than
// digest, devices and issuer; its targets name no endpoints.
type Grant struct {
	ID        tx.ID         `json:"id"`
	Issuer    key.AccountID `json:"issuer"`
	Status    string        `json:"status"` // active or revoked; whether one above it is revoked stands there
	Grantee   *key.Public   `json:"grantee,omitempty"`
	NotBefore uint64        `json:"not_before"`
	NotAfter  uint64        `json:"not_after"`
	Targets   []Target      `json:"targets"`
	Windows   []Window      `json:"windows,omitempty"` // none: the whole week
	Zone      string        `json:"zone,omitempty"`
	Uses      uint64        `json:"uses,omitempty"` // 0: any number
	Rate      *Rate         `json:"rate,omitempty"`
	Depth     uint8         `json:"depth,omitempty"`
	Parent    *tx.ID        `json:"parent,omitempty"`         // which it was given on from
	Digest    string        `json:"private_digest,omitempty"` // hex; of a private one only
}

// Window is a part of each week in which a grant holds.
type Window struct {
	Day  uint8  `json:"day"`  // 1 Monday to 7 Sunday
	From uint16 `json:"from"` // minute of the day
	To   uint16 `json:"to"`   // first minute after it
}

// Rate is how many commands a grant allows in a span of time.
type Rate struct {
	Count  uint16 `json:"count"`
	Period uint32 `json:"period"` // seconds
}

func describeGrant(id tx.ID, g state.Grant) (*Grant, error) {
	l, err := state.DecodeLink(id, g)
	if err != nil {
		return nil, err
	}
	p := l.Grant
	out := &Grant{
		ID: id, Issuer: g.Issuer, Status: "active", NotBefore: p.NotBefore, NotAfter: p.NotAfter, Targets: []Target{},
		Zone: p.Zone, Uses: p.Uses, Depth: p.Depth,
	}
	if g.Status != state.Active {
		out.Status = "revoked"
	}
	if d, ok := l.Tx.Payload.(*tx.DelegateGrant); ok {
		out.Parent = &d.Parent
	}
	if p.Private != nil {
		out.Digest = hex.EncodeToString(p.Private.Digest[:])
		for _, d := range p.Private.Devices {
			out.Targets = append(out.Targets, Target{Device: d.Device, Epoch: d.Epoch, Methods: []string{}})
		}
		return out, nil
	}
	out.Grantee = &p.Grantee
	for _, x := range p.Targets {
		out.Targets = append(out.Targets, Target{x.Device, x.Epoch, x.Endpoint, x.Methods})
	}
	for _, w := range p.Windows {
		out.Windows = append(out.Windows, Window{w.Day, w.From, w.To})
	}
	if p.Rate != nil {
		out.Rate = &Rate{p.Rate.Count, p.Rate.Period}
	}
	return out, nil
}
