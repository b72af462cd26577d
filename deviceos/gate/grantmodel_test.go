package gate_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

// node is a grant as the model has it: its terms, and every moment at which a
// command under it or under one below it was begun.
type node struct {
	id    tx.ID
	up    *node
	by    *key.Private
	terms *tx.CreateGrant
	dead  bool
	used  []time.Time
}

// path is the grants that bind a command, the owner's first.
func (n *node) path() []*node {
	if n.up == nil {
		return []*node{n}
	}
	return append(n.up.path(), n)
}

// verdict is what the device must answer, by the plainest reading of the terms.
func (n *node) verdict(method string, now time.Time) command.Code {
	for _, g := range n.path() {
		if g.dead {
			return command.GrantRevoked
		}
	}
	for _, g := range n.path() {
		switch {
		case now.Unix() > int64(g.terms.NotAfter):
			return command.GrantExpired
		case !slices.Contains(g.terms.Targets[0].Methods, method):
			return command.NotGranted
		case !g.inWindow(now):
			return command.OutsideWindow
		}
	}
	for _, g := range n.path() {
		if g.terms.Uses > 0 && len(g.used) >= int(g.terms.Uses) {
			return command.UsedUp
		}
		if r := g.terms.Rate; r != nil {
			recent := 0
			for _, t := range g.used {
				if now.Sub(t) < time.Duration(r.Period)*time.Second {
					recent++
				}
			}
			if recent >= int(r.Count) {
				return command.GrantRate
			}
		}
	}
	return command.OK
}

func (n *node) inWindow(now time.Time) bool {
	if len(n.terms.Windows) == 0 {
		return true
	}
	minute := uint16(now.UTC().Hour()*60 + now.UTC().Minute())
	return slices.ContainsFunc(n.terms.Windows, func(w tx.Window) bool { return minute >= w.From && minute < w.To })
}

// narrowAt draws terms that stand under those of up.
func narrowAt(r *rapid.T, up *tx.CreateGrant) *tx.CreateGrant {
	g := *up
	g.Depth--
	if rapid.Bool().Draw(r, "fewer methods") {
		g.Targets = []tx.Target{up.Targets[0]}
		g.Targets[0].Methods = up.Targets[0].Methods[:1]
	}
	if rapid.Bool().Draw(r, "shorter") {
		g.NotAfter -= 60
	}
	if rapid.Bool().Draw(r, "fewer uses") && up.Uses != 1 {
		g.Uses = max(up.Uses, 4) - 1
	}
	if rapid.Bool().Draw(r, "slower") {
		g.Rate = &tx.Rate{Count: 2, Period: 120}
		if up.Rate != nil {
			g.Rate = &tx.Rate{Count: max(up.Rate.Count, 2) - 1, Period: up.Rate.Period + 60}
		}
	}
	if rapid.Bool().Draw(r, "fewer hours") {
		from, to := uint16(541), uint16(545)
		if len(up.Windows) > 0 {
			from, to = up.Windows[0].From, max(up.Windows[0].To-1, up.Windows[0].From+1)
		}
		g.Windows, g.Zone = []tx.Window{{Day: 1, From: from, To: to}}, "Etc/UTC"
	}
	return &g
}

// TestHandle_GrantModel: whatever is given on, in whatever order commands,
// revocations and restarts come, the device answers as the terms say, and what
// it begins under a grant every one above it would have allowed.
func TestHandle_GrantModel(t *testing.T) {
	deep, codes := 0, map[command.Code]int{}
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t, gate.Limits{})
		root := w.terms(func(p *tx.CreateGrant) {
			p.Depth, p.NotAfter = 3, uint64(w.now.Add(8*time.Minute).Unix())
			p.Uses = rapid.SampledFrom([]uint64{0, 3, 6}).Draw(r, "uses")
		})
		nodes := []*node{{id: w.createGrant(root), by: w.guest, terms: root}}
		any := func() *node { return rapid.SampledFrom(nodes).Draw(r, "grant") }
		r.Repeat(map[string]func(*rapid.T){
			"give on": func(r *rapid.T) {
				up := any()
				for _, g := range up.path() {
					if g.dead || up.terms.Depth == 0 {
						return
					}
				}
				p := narrowAt(r, up.terms)
				by := newKey(uint64(100 + len(nodes)))
				p.Grantee = by.Public()
				nodes = append(nodes, &node{id: w.delegate(up.by, up.id, p), up: up, by: by, terms: p})
			},
			"send":     func(r *rapid.T) { send(r, w, any(), codes, &deep) },
			"and send": func(r *rapid.T) { send(r, w, any(), codes, &deep) },
			"and more": func(r *rapid.T) { send(r, w, nodes[len(nodes)-1], codes, &deep) },
			"wait": func(r *rapid.T) {
				w.at(w.now.Add(time.Duration(rapid.IntRange(1, 90).Draw(r, "seconds")) * time.Second))
			},
			"restart": func(*rapid.T) { w.restart() },
			"revoke": func(r *rapid.T) {
				g := any()
				if g.dead || rapid.IntRange(0, 3).Draw(r, "seldom") > 0 {
					return
				}
				if g.up != nil && rapid.Bool().Draw(r, "by the grantee above") {
					w.commit(w.give(g.up.by, &tx.DelegateGrant{Parent: g.up.id, Revoke: &g.id}))
				} else {
					w.execute(w.owner, &tx.RevokeGrant{Grant: g.id}, tx.RoleAccount)
				}
				g.dead = true
				// As the agent does with every head: a method that only reads would
				// otherwise do with an older one.
				if err := w.gate.Refresh(t.Context()); err != nil {
					r.Fatal(err)
				}
			},
		})
	})
	if deep == 0 {
		t.Error("nothing was ever begun under a grant that was given on twice: the model tests nothing")
	}
	for _, c := range []command.Code{command.OK, command.GrantRevoked, command.NotGranted, command.OutsideWindow, command.UsedUp, command.GrantRate} {
		if codes[c] == 0 {
			t.Errorf("no command was ever answered with %s", c)
		}
	}
}

// send sends a command under a grant and demands the model's verdict.
func send(r *rapid.T, w *world, n *node, codes map[command.Code]int, deep *int) {
	b := w.body()
	b.Principal, b.Key, b.Grant = n.by.Public().AccountID(), n.by.Public().ID(), &n.id
	b.Method = rapid.SampledFrom([]string{"open", "state"}).Draw(r, "method")
	want := n.verdict(b.Method, w.now)
	before := w.bolt.total()
	got := w.send(w.sign(b, n.by)).Body
	if got.Code != want || (w.bolt.total() > before) != (want == command.OK) {
		r.Fatalf("%s at %s: got %s, the model says %s", b.Method, w.now, got.Code, want)
	}
	codes[want]++
	if want != command.OK {
		return
	}
	for _, g := range n.path() {
		if c := g.verdict(b.Method, w.now); c != command.OK {
			r.Fatalf("begun under a grant, and one above it says %s", c)
		}
	}
	if n.up != nil && n.up.up != nil {
		*deep++
	}
	for _, g := range n.path() {
		g.used = append(g.used, w.now)
	}
}
