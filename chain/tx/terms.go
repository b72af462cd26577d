package tx

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hybridos-net/hybridos/chain/key"
)

// Window is a part of each week in which a grant holds, by the clock on the
// wall in the grant's zone. It never goes over midnight: one that should is two
// windows.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional and must narrow it.
type Window struct {
	Day  uint8  `cbor:"1,keyasint"` // 1 Monday to 7 Sunday
	From uint16 `cbor:"2,keyasint"` // first minute of the day in it, 0 to 1439
	To   uint16 `cbor:"3,keyasint"` // first minute after it, 1 to 1440
}

// Rate allows at most Count commands in any span of Period seconds.
//
// Evolution: fields 1 and 2 are fixed.
type Rate struct {
	Count  uint16 `cbor:"1,keyasint"` // 1 to MaxRate
	Period uint32 `cbor:"2,keyasint"` // 1 to MaxPeriod seconds
}

// validateTerms checks what narrows a grant beyond its targets and times.
func (p *CreateGrant) validateTerms() error {
	if err := p.validateWindows(); err != nil {
		return err
	}
	if p.Uses > MaxUses {
		return malformed(fmt.Sprintf("%d uses, at most %d", p.Uses, uint64(MaxUses)))
	}
	if r := p.Rate; r != nil && (r.Count == 0 || r.Count > MaxRate || r.Period == 0 || r.Period > MaxPeriod) {
		return malformed(fmt.Sprintf("%d uses in %d s, want 1 to %d in 1 to %d s", r.Count, r.Period, MaxRate, MaxPeriod))
	}
	// Each device counts for itself, so a count over several would be a lie.
	for _, t := range p.Targets {
		if (p.Uses > 0 || p.Rate != nil) && t.Device != p.Targets[0].Device {
			return malformed("uses or rate over more than one device")
		}
	}
	if p.Depth > MaxDepth {
		return malformed(fmt.Sprintf("depth %d, at most %d", p.Depth, MaxDepth))
	}
	if p.Depth > 0 && p.Grantee.Alg.InvokeOnly() {
		return &Error{Kind: InvokeOnly, Detail: fmt.Sprintf("a key of algorithm %d cannot give grants on", p.Grantee.Alg)}
	}
	return nil
}

func (p *CreateGrant) validateWindows() error {
	if len(p.Windows) > MaxWindows {
		return malformed(fmt.Sprintf("%d windows, at most %d", len(p.Windows), MaxWindows))
	}
	if (len(p.Windows) == 0) != (p.Zone == "") {
		return malformed("windows and their zone go together")
	}
	if p.Zone != "" && !ValidZone(p.Zone) {
		return malformed(fmt.Sprintf("time zone %q", p.Zone))
	}
	for i, w := range p.Windows {
		if w.Day < 1 || w.Day > 7 || w.From >= w.To || w.To > minutesOfDay {
			return malformed(fmt.Sprintf("window on day %d from minute %d to %d", w.Day, w.From, w.To))
		}
		if i == 0 {
			continue
		}
		if last := p.Windows[i-1]; w.Day < last.Day || w.Day == last.Day && w.From <= last.To {
			return malformed("windows overlap, touch or are out of order")
		}
	}
	return nil
}

// ValidZone reports whether s can name a time zone of the IANA database: parts
// of letters, digits, '_', '-' and '+' between slashes. Whether there is such a
// zone is for those who have the database.
func ValidZone(s string) bool {
	if len(s) > MaxName || s == "Local" { // Local would be another zone on each machine
		return false
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" {
			return false
		}
		for i := range len(part) {
			c := part[i]
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '+' {
				return false
			}
		}
	}
	return true
}

// HoldsAt reports whether the grant's windows hold at a minute of a day of the
// week (1 Monday to 7 Sunday) by the clock in its zone. Without windows it
// always does.
func (p *CreateGrant) HoldsAt(day uint8, minute uint16) bool {
	if len(p.Windows) == 0 {
		return true
	}
	for _, w := range p.Windows {
		if w.Day == day && minute >= w.From && minute < w.To {
			return true
		}
	}
	return false
}

// Weekly puts windows into the one order that a grant takes, and joins those
// that touch or overlap.
func Weekly(windows []Window) []Window {
	in := slices.Clone(windows)
	slices.SortFunc(in, func(a, b Window) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.From, b.From)) })
	var out []Window
	for _, w := range in {
		if n := len(out); n > 0 && out[n-1].Day == w.Day && w.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, w.To)
			continue
		}
		out = append(out, w)
	}
	return out
}

// Narrower tells why child is no narrower grant than p, or nil if it is: it
// allows nothing that p does not, and can be given on less often. What p limits,
// child must limit too, so that each grant says for itself what it allows.
func (p *CreateGrant) Narrower(child *CreateGrant) error {
	switch {
	case p.Private != nil || child.Private != nil:
		return malformed("a private grant is not given on")
	case child.Depth >= p.Depth:
		return malformed(fmt.Sprintf("depth %d under depth %d", child.Depth, p.Depth))
	case child.NotBefore < p.NotBefore || child.NotAfter > p.NotAfter:
		return malformed("holds before or after the grant above it")
	case p.Uses > 0 && (child.Uses == 0 || child.Uses > p.Uses):
		return malformed(fmt.Sprintf("%d uses, the grant above has %d", child.Uses, p.Uses))
	case p.Rate != nil && (child.Rate == nil || child.Rate.Count > p.Rate.Count || child.Rate.Period < p.Rate.Period):
		return malformed("a higher rate than the grant above it")
	}
	for _, t := range child.Targets {
		for _, m := range t.Methods {
			if !p.Covers(t.Device, t.Epoch, t.Endpoint, m) {
				return malformed(fmt.Sprintf("%s.%s of %s is not in the grant above", t.Endpoint, m, t.Device))
			}
		}
	}
	return p.narrowerWindows(child)
}

func (p *CreateGrant) narrowerWindows(child *CreateGrant) error {
	if len(p.Windows) == 0 {
		return nil
	}
	if child.Zone != p.Zone {
		return malformed(fmt.Sprintf("windows in zone %q, the grant above has %q", child.Zone, p.Zone))
	}
	for _, c := range child.Windows {
		inside := slices.ContainsFunc(p.Windows, func(w Window) bool { return w.Day == c.Day && w.From <= c.From && c.To <= w.To })
		if !inside {
			return malformed("a window outside those of the grant above")
		}
	}
	return nil
}

// Devices lists the devices of a grant with their epochs, each once.
func (p *CreateGrant) Devices() []DeviceEpoch {
	if p.Private != nil {
		return p.Private.Devices
	}
	var out []DeviceEpoch
	for _, t := range p.Targets {
		d := DeviceEpoch{t.Device, t.Epoch}
		if !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

// DeviceEpoch is a device in one ownership.
//
// Evolution: fields 1 and 2 are fixed.
type DeviceEpoch struct {
	Device key.DeviceID `cbor:"1,keyasint"`
	Epoch  uint64       `cbor:"2,keyasint"`
}
