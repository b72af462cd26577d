package state_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// grantModel is what a tree of grants should be: each with the set of what it
// allows, counted out.
type grantModel struct {
	tb     testing.TB
	w      *statetest.World
	keys   []*key.Private // who may be given something
	grants []*modelGrant
	frozen bool
	epoch  uint64 // of dev, while it is the owner's
	gone   bool   // dev is the buyer's
	moves  int
}

type modelGrant struct {
	id      tx.ID
	up      *modelGrant
	to      *key.Private
	allows  map[moment]bool
	depth   uint8
	uses    uint64
	next    uint64
	epoch   uint64
	windows bool
	terms   *tx.CreateGrant
	revoked bool
}

// moment is a command: what, and when.
type moment struct {
	method string
	at     uint64 // seconds after the start
	minute uint16 // of a Monday
}

func (g *modelGrant) alive() bool { return g == nil || !g.revoked && g.up.alive() }

// allowed counts out what a grant's terms allow.
func allowed(g *tx.CreateGrant, from int64) map[moment]bool {
	out := map[moment]bool{}
	for _, m := range g.Targets[0].Methods {
		for at := uint64(0); at < 6; at++ {
			for minute := uint16(0); minute < 6; minute++ {
				if t := uint64(from) + at; t >= g.NotBefore && t <= g.NotAfter && g.HoldsAt(1, minute) {
					out[moment{m, at, minute}] = true
				}
			}
		}
	}
	return out
}

func within(child, parent map[moment]bool) bool {
	for m := range child {
		if !parent[m] {
			return false
		}
	}
	return true
}

const modelStart = 1_800_000_004 // when owned's world stands

func (m *grantModel) terms(r *rapid.T) (*tx.CreateGrant, *key.Private) {
	to := rapid.SampledFrom(m.keys).Draw(r, "to")
	methods := slices.Sorted(slices.Values(rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"lock", "open"}), 1, 2, rapid.ID).Draw(r, "methods")))
	g := &tx.CreateGrant{
		Grantee:   to.Public(),
		Targets:   []tx.Target{{Device: dev.Public().DeviceID(), Epoch: m.epoch, Endpoint: "lock", Methods: methods}},
		NotBefore: modelStart + rapid.Uint64Range(0, 1).Draw(r, "from"), NotAfter: modelStart + rapid.Uint64Range(4, 5).Draw(r, "to"),
		Depth: rapid.Uint8Range(0, 3).Draw(r, "depth"), Uses: rapid.SampledFrom([]uint64{0, 2, 3}).Draw(r, "uses"),
	}
	if rapid.Bool().Draw(r, "windows") {
		g.Zone, g.Windows = "UTC", []tx.Window{{Day: 1, From: rapid.Uint16Range(0, 1).Draw(r, "open"), To: rapid.Uint16Range(3, 6).Draw(r, "close")}}
	}
	return g, to
}

// try executes x and demands that it passes exactly if the model says so.
func (m *grantModel) try(r *rapid.T, x *tx.Tx, want bool) bool {
	before := m.w.Tree.Clone()
	err := state.Execute(m.w.Tree, m.w.Block, x)
	if (err == nil) != want {
		r.Fatalf("%s: %v, the model says %v", x.Body.Kind, err, want)
	}
	if err != nil && !m.w.Tree.Equal(before) {
		r.Fatalf("%s: refused, but the state has changed", x.Body.Kind)
	}
	return err == nil
}

func (m *grantModel) add(x *tx.Tx, up *modelGrant, g *tx.CreateGrant, to *key.Private) {
	m.grants = append(m.grants, &modelGrant{id: x.ID(m.w.Block.Chain), up: up, to: to, allows: allowed(g, modelStart),
		depth: g.Depth, uses: g.Uses, epoch: g.Targets[0].Epoch, windows: len(g.Windows) > 0, terms: g})
}

func (m *grantModel) create(r *rapid.T) {
	g, to := m.terms(r)
	x := m.w.GiveTx(m.tb, owner, g)
	if m.try(r, x, !m.gone && !m.frozen) {
		m.add(x, nil, g, to)
	}
}

func (m *grantModel) any(r *rapid.T) *modelGrant {
	return rapid.SampledFrom(m.grants).Draw(r, "grant")
}

func (m *grantModel) delegate(r *rapid.T) {
	if len(m.grants) == 0 {
		return
	}
	up := m.any(r)
	g, to := m.terms(r)
	if rapid.IntRange(0, 3).Draw(r, "close") > 0 { // as the one above, which is often enough not enough
		near := *up.terms
		near.Grantee, near.Depth = g.Grantee, max(near.Depth, 1)-1
		g = &near
	}
	by := up.to
	if rapid.IntRange(0, 5).Draw(r, "thief") == 0 {
		by = thief
	}
	x := m.w.DelegateTx(m.tb, by, &tx.DelegateGrant{Parent: up.id, Grant: g})
	a := allowed(g, modelStart)
	want := by == up.to && up.alive() && g.Depth < up.depth && within(a, up.allows) && (up.uses == 0 || g.Uses > 0 && g.Uses <= up.uses) &&
		!m.gone && !m.frozen && m.epoch == up.epoch
	want = want && (!up.windows || len(g.Windows) > 0) // said again, even where the times leave no difference
	if m.try(r, x, want) {
		up.next++
		m.add(x, up, g, to)
	}
}

func (m *grantModel) revoke(r *rapid.T) {
	if len(m.grants) == 0 {
		return
	}
	g := m.any(r)
	if m.try(r, m.w.RevokeTx(m.tb, owner, g.id), !g.revoked) {
		g.revoked = true
	}
}

// takeBack is a grantee's ending of what it may have given on.
func (m *grantModel) takeBack(r *rapid.T) {
	if len(m.grants) == 0 {
		return
	}
	up, g := m.any(r), m.any(r)
	if up == g {
		return
	}
	x := m.w.DelegateTx(m.tb, up.to, &tx.DelegateGrant{Parent: up.id, Revoke: &g.id})
	if m.try(r, x, g.up == up && !g.revoked) {
		g.revoked = true
		up.next++
	}
}

func (m *grantModel) move(r *rapid.T) {
	from, to := owner, buyer
	if m.gone {
		from, to = buyer, owner
	}
	want := !m.frozen || m.gone
	if want && m.moves == state.MaxMoves-1 { // the claim was one, and time stands still
		return
	}
	if m.try(r, m.w.TransferTx(m.tb, from, to, dev), want) {
		m.gone = !m.gone
		m.epoch++
		m.moves++
	}
}

func (m *grantModel) freeze(r *rapid.T) {
	if m.try(r, m.w.FreezeTx(m.tb, owner, owner), !m.frozen) {
		m.frozen = true
		return
	}
	if m.try(r, m.w.UnfreezeTx(m.tb, owner), true) {
		m.frozen = false
	}
}

// check counts out what every grant allows, against all above it.
func (m *grantModel) check(r *rapid.T) {
	for i, g := range m.grants {
		for up := g.up; up != nil; up = up.up {
			if !within(g.allows, up.allows) || g.depth >= up.depth || g.epoch != up.epoch || up.uses > 0 && (g.uses == 0 || g.uses > up.uses) {
				r.Fatalf("grant %d allows what one above it does not", i)
			}
		}
	}
}

// audit shows every grant to a verifier.
func (m *grantModel) audit(r *rapid.T) {
	pin := must(state.PinAccount(m.w.Tree, m.w.Block.Chain, owner.Public().AccountID()))
	for i, g := range m.grants {
		chain, err := state.ReadGrants(m.w.Tree, m.w.Block.Chain, g.id)
		if err != nil {
			r.Fatalf("grant %d: %v", i, err)
		}
		if err := state.VerifyGrants(m.w.Block.Chain, pin, chain); err != nil {
			r.Fatalf("grant %d does not verify: %v", i, err)
		}
		if _, err := state.GetRight(m.w.Tree, m.w.Block.Chain, g.id); errors.Is(err, state.GrantRevoked) == g.alive() {
			r.Fatalf("grant %d: %v, alive %v", i, err, g.alive())
		}
		if leaf := chain.Leaf(); leaf.Record.Next != g.next {
			r.Fatalf("grant %d: next %d, want %d", i, leaf.Record.Next, g.next)
		}
	}
}

// TestGrantModel: whatever is given on, by whom and under what, a grant allows
// no command that any above it would not, dies with every one above it, and
// nobody but the grantee above or the owner has a say.
func TestGrantModel(t *testing.T) {
	deep := 0
	rapid.Check(t, func(r *rapid.T) {
		m := &grantModel{tb: t, w: owned(t), epoch: 1}
		for i := range 3 {
			m.keys = append(m.keys, statetest.Key(fmt.Sprintf("grantee %d", i)))
		}
		m.w.Block.Time = modelStart
		generous(m.w)
		r.Repeat(map[string]func(*rapid.T){
			"": m.check, "create": m.create, "delegate": m.delegate, "delegate more": m.delegate, "and more": m.delegate,
			"revoke": m.revoke, "take back": m.takeBack, "move": m.move, "audit": m.audit, "freeze": m.freeze,
		})
		for _, g := range m.grants {
			if g.up != nil && g.up.up != nil {
				deep++
			}
		}
	})
	if deep == 0 && complete && !testing.Short() {
		t.Error("no grant was ever given on twice: the model tests nothing")
	}
}
