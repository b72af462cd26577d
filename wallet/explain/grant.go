package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// days are the days of the week, Monday first.
var days = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// terms are the lines about what narrows a grant.
func terms(p *tx.CreateGrant) []Line {
	lines := []Line{{"from", moment(p.NotBefore)}, {"until", moment(p.NotAfter)}}
	if len(p.Windows) > 0 {
		lines = append(lines, Line{"only at", Hours(p)})
	}
	if p.Uses > 0 {
		lines = append(lines, Line{"how often", times(p.Uses) + " in all"})
	}
	if p.Rate != nil {
		lines = append(lines, Line{"at most", fmt.Sprintf("%s in any %s", times(uint64(p.Rate.Count)), period(p.Rate.Period))})
	}
	if p.Depth > 0 {
		lines = append(lines, Line{"may give it on", fmt.Sprintf("yes, narrower, %s; what others do counts as theirs", chain(p.Depth))})
	}
	return lines
}

func chain(depth uint8) string {
	if depth == 1 {
		return "and those no further"
	}
	return fmt.Sprintf("up to %d one after the other", depth)
}

func times(n uint64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func period(seconds uint32) string {
	s := (time.Duration(seconds) * time.Second).String()
	return strings.TrimSuffix(strings.TrimSuffix(s, "0s"), "0m")
}

// Hours says a grant's windows as people write them: "mon-fri 08:00-18:00,
// sat 10:00-12:00 Europe/Berlin". Empty for none.
func Hours(p *tx.CreateGrant) string {
	if len(p.Windows) == 0 {
		return ""
	}
	type span struct{ from, to uint16 }
	var order []span
	on := map[span][]int{}
	for _, w := range p.Windows {
		s := span{w.From, w.To}
		if on[s] == nil {
			order = append(order, s)
		}
		on[s] = append(on[s], int(w.Day)-1)
	}
	var parts []string
	for _, s := range order {
		parts = append(parts, fmt.Sprintf("%s %s-%s", weekdays(on[s]), clock(s.from), clock(s.to)))
	}
	return strings.Join(parts, ", ") + " " + p.Zone
}

// weekdays joins days that follow each other.
func weekdays(on []int) string {
	slices.Sort(on)
	var parts []string
	for i := 0; i < len(on); {
		j := i
		for j+1 < len(on) && on[j+1] == on[j]+1 {
			j++
		}
		switch {
		case j == i:
			parts = append(parts, days[on[i]])
		case j == i+1:
			parts = append(parts, days[on[i]], days[on[j]])
		default:
			parts = append(parts, days[on[i]]+"-"+days[on[j]])
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

func clock(minute uint16) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

// Limits says in a few words what narrows a grant beyond methods and times;
// empty for nothing.
func Limits(p *tx.CreateGrant) string {
	var parts []string
	if h := Hours(p); h != "" {
		parts = append(parts, h)
	}
	if p.Uses > 0 {
		parts = append(parts, times(p.Uses))
	}
	if p.Rate != nil {
		parts = append(parts, fmt.Sprintf("%d/%s", p.Rate.Count, period(p.Rate.Period)))
	}
	if p.Depth > 0 {
		parts = append(parts, fmt.Sprintf("given on %d deep", p.Depth))
	}
	return strings.Join(parts, "; ")
}

func mays(p *tx.CreateGrant, names Names) (lines []Line) {
	for _, t := range p.Targets {
		methods := make([]string, len(t.Methods))
		for i, m := range t.Methods {
			methods[i] = t.Endpoint + "." + m
		}
		lines = append(lines, Line{"may", fmt.Sprintf("%s of %s, epoch %d", strings.Join(methods, ", "), named(t.Device, names), t.Epoch)})
	}
	return lines
}

func createGrant(p *tx.CreateGrant, names Names) Summary {
	if p.Private != nil {
		return privateGrant(p.Private, names)
	}
	s := Summary{Title: "Let somebody else use a device", GivesRights: true, Lines: []Line{{"who", holder(p.Grantee)}}}
	s.Lines = append(append(s.Lines, mays(p, names)...), terms(p)...)
	return s
}

func privateGrant(p *tx.Private, names Names) Summary {
	s := Summary{Title: "Let somebody else use a device, without the ledger knowing who and how", GivesRights: true}
	for _, d := range p.Devices {
		s.Lines = append(s.Lines, Line{"device", fmt.Sprintf("%s, epoch %d", named(d.Device, names), d.Epoch)})
	}
	s.Lines = append(s.Lines, Line{"private part", fmt.Sprintf("%x", p.Digest)})
	return s
}

// Private puts the body of a private grant into words, with the digest that the
// transaction must show. It reads the bytes again, as Tx does.
func Private(id codec.ChainDigest, body []byte, names Names) (Summary, error) {
	var b tx.PrivateBody
	if err := codec.Unmarshal(body, &b, tx.MaxPrivate); err != nil {
		return Summary{}, fmt.Errorf("%w: %v", ErrUnknown, err)
	}
	if err := b.Grant.StaticValidate(); err != nil || b.Grant.Private != nil {
		return Summary{}, fmt.Errorf("%w: no grant in a private body: %v", ErrUnknown, err)
	}
	s := createGrant(&b.Grant, names)
	s.Title = "The private part of the grant: it goes to the guest, not to the ledger"
	s.Lines = append(s.Lines, Line{"private part", fmt.Sprintf("%x", codec.Digest(codec.LabelGrant, id, body))})
	return s, nil
}

func delegateGrant(p *tx.DelegateGrant, names Names) Summary {
	if p.Revoke != nil {
		return Summary{Title: "End a grant that you gave on, for good", Lines: []Line{
			{"grant", p.Revoke.String()}, {"given on from", p.Parent.String()},
		}}
	}
	s := createGrant(p.Grant, names)
	s.Title = "Give a grant that you have on to somebody else"
	s.Lines = append(s.Lines, Line{"given on from", p.Parent.String() + "; it ends when that does"})
	return s
}
