package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	_ "time/tzdata" // not every system has the database of time zones

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/explain"
	"github.com/hybridos-net/hybridos/wallet/home"
)

// termOptions are the flags that narrow a grant.
type termOptions struct {
	windows []string
	uses    uint64
	rate    string
	depth   uint8
}

func (o *termOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&o.windows, "window", nil, "hours of the week, such as \"mon-fri 08:00-18:00 Europe/Berlin\" (repeatable)")
	f.Uint64Var(&o.uses, "uses", 0, "how often in all (default: any number)")
	f.StringVar(&o.rate, "rate", "", "how often in a time, such as 5/1h")
	f.Uint8Var(&o.depth, "delegate", 0, fmt.Sprintf("let the guest give a part of it on, so many one after the other (up to %d)", tx.MaxDepth))
}

func (o *termOptions) parse() (draft.Terms, error) {
	t := draft.Terms{Uses: o.uses, Depth: o.depth}
	for _, text := range o.windows {
		w, zone, err := draft.ParseWindow(text)
		if err != nil {
			return t, usagef("--window: %v", err)
		}
		if zone != "" && t.Zone != "" && zone != t.Zone {
			return t, usagef("--window: %s and %s: a grant has one time zone", t.Zone, zone)
		}
		if zone != "" {
			t.Zone = zone
		}
		t.Windows = append(t.Windows, w...)
	}
	if len(t.Windows) > 0 && t.Zone == "" {
		return t, usagef("--window: the time zone is missing, for instance \"%s Europe/Berlin\"", o.windows[0])
	}
	if t.Zone != "" {
		if _, err := time.LoadLocation(t.Zone); err != nil {
			return t, usagef("--window: no time zone is called %.64q; the names are those of the IANA database, such as Europe/Berlin", t.Zone)
		}
	}
	if n := len(tx.Weekly(t.Windows)); n > tx.MaxWindows {
		return t, usagef("--window: %d windows, at most %d; one over midnight is two", n, tx.MaxWindows)
	}
	if o.uses > tx.MaxUses {
		return t, usagef("--uses %d: at most %d", o.uses, uint64(tx.MaxUses))
	}
	if o.depth > tx.MaxDepth {
		return t, usagef("--delegate %d: at most %d", o.depth, tx.MaxDepth)
	}
	if o.rate == "" {
		return t, nil
	}
	var err error
	if t.Rate, err = draft.ParseRate(o.rate); err != nil {
		return t, usagef("--rate: %v", err)
	}
	return t, nil
}

// fits refuses what does not go together.
func (o *grantOptions) fits() error {
	switch {
	case o.private && o.toPhone:
		return usagef("--private and --phone exclude each other: a phone does not keep the private part")
	case o.private && o.terms.depth > 0:
		return usagef("--private and --delegate exclude each other: the ledger must see what is given on")
	case o.toPhone && o.terms.depth > 0:
		return usagef("--phone and --delegate exclude each other: a phone's key signs commands and nothing else")
	}
	return nil
}

func validGuestName(name string) error {
	if name != "" && !home.ValidName(name) {
		return usagef("--name %q: want 1 to %d of a-z, 0-9, '-' and '_'", name, home.MaxName)
	}
	return nil
}

// sealGrant drafts a private grant, and says in words what its private part is.
func (s *session) sealGrant(l draft.Ledger, p draft.Party, g draft.Grant) (*tx.Tx, []byte, error) {
	var salt [32]byte
	if _, err := io.ReadFull(s.app.cfg.Random, salt[:]); err != nil {
		return nil, nil, fmt.Errorf("make a random number: %w", err)
	}
	t, body, err := l.PrivateGrant(p, g, salt)
	if err != nil {
		return nil, nil, err
	}
	sum, err := explain.Private(s.chain, body, s.deviceName)
	if err != nil {
		return nil, nil, err
	}
	return t, body, s.app.tell(sum)
}

// limitInfo is the JSON about what narrows a grant.
type limitInfo struct {
	Windows string `json:"windows"` // empty: the whole week
	Uses    uint64 `json:"uses"`    // 0: any number
	Rate    string `json:"rate"`    // empty: any
	Depth   uint8  `json:"depth"`
	Private bool   `json:"private"`
	Parent  *tx.ID `json:"parent"` // null: the owner's own
}

// limitsOf gives what narrows the grant that a transaction gives.
func limitsOf(t *tx.Tx, g *tx.CreateGrant) home.Limits {
	l := home.Limits{Windows: explain.Hours(g), Uses: g.Uses, Depth: g.Depth}
	if g.Rate != nil {
		l.Rate = fmt.Sprintf("%d/%s", g.Rate.Count, time.Duration(g.Rate.Period)*time.Second)
	}
	switch p := t.Payload.(type) {
	case *tx.CreateGrant:
		l.Private = p.Private != nil
	case *tx.DelegateGrant:
		l.Parent = &p.Parent
	}
	return l
}

// words says it in a list.
func (l limitInfo) words() string {
	var out []string
	add := func(ok bool, format string, args ...any) {
		if ok {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(l.Windows != "", "%s", l.Windows)
	add(l.Uses > 0, "%d in all", l.Uses)
	add(l.Rate != "", "%s", l.Rate)
	add(l.Depth > 0, "may give on: %d", l.Depth)
	add(l.Private, "private")
	if l.Parent != nil {
		add(true, "given on from %.12s", l.Parent.String())
	}
	if out == nil {
		return "-"
	}
	return strings.Join(out, "; ")
}

// holds tells whether a grant holds now, as far as its hours say.
func holds(g *tx.CreateGrant, now time.Time) bool {
	if at := uint64(now.Unix()); at < g.NotBefore || at > g.NotAfter {
		return false
	}
	if len(g.Windows) == 0 {
		return true
	}
	zone, err := time.LoadLocation(g.Zone)
	if err != nil {
		return false
	}
	local := now.In(zone)
	return g.HoldsAt((uint8(local.Weekday())+6)%7+1, uint16(local.Hour()*60+local.Minute()))
}

var errNotReceived = errors.New("no invitation to it was accepted here")
