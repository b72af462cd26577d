package state_test

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// govModel is what governance should have made of the ledger.
type govModel struct {
	used      map[string]bool   // keys that are or were validators'
	on        map[string]bool   // those with power
	next      map[string]string // which key replaced which
	before    int               // validators before this block
	changed   int               // changes in it
	suspended bool
	quota     uint64
	motions   []*motion
}

// motion is a proposal.
type motion struct {
	id       tx.ID
	by       int
	until    uint64
	approved map[int]bool
	applied  bool
	fits     func() bool
	enact    func()
}

func newGovModel() *govModel {
	g := &govModel{used: map[string]bool{}, on: map[string]bool{}, next: map[string]string{}, quota: 3}
	for i := range statetest.Validators {
		g.add(fmt.Sprintf("validator %d", i))
	}
	g.before, g.changed = len(g.on), 0
	return g
}

func (g *govModel) add(name string) { g.used[name], g.on[name] = true, true; g.changed++ }

func (g *govModel) remove(name string) { delete(g.on, name); g.changed++ }

// room reports whether one more validator may change in this block.
func (g *govModel) room() bool { return g.changed < max(1, g.before/3) }

// nextBlock lets time pass, up to the end of proposals.
func (m *model) nextBlock(r *rapid.T) {
	m.w.Block.Height++
	m.w.Block.Time += rapid.SampledFrom([]int64{1, 1, 1, 1500}).Draw(r, "seconds")
	m.gov.before, m.gov.changed = len(m.gov.on), 0
}

// change draws a change and what the model says to it.
func (m *model) change(r *rapid.T) (c tx.Change, fits func() bool, enact func()) {
	g := m.gov
	name := func(what string) (string, tx.ValidatorKey) {
		n := fmt.Sprintf("validator %d", rapid.IntRange(0, 6).Draw(r, what))
		return n, statetest.ValidatorPub(statetest.ValidatorKey(n))
	}
	a, ka := name("validator")
	vendor := m.w.Vendor.Public()
	switch rapid.IntRange(0, 5).Draw(r, "change") {
	case 0:
		c.AddValidator = &tx.AddValidator{ValidatorName: a, Key: ka, Proof: statetest.Prove(m.w.Block.Chain, statetest.ValidatorKey(a))}
		return c, func() bool { return !g.used[a] && g.room() }, func() { g.add(a) }
	case 1:
		c.RemoveValidator = &tx.RemoveValidator{Key: ka}
		return c, func() bool { return g.on[a] && len(g.on) > 1 && g.room() }, func() { g.remove(a) }
	case 2:
		b, kb := name("new key")
		if a == b {
			r.Skip("a key cannot replace itself")
		}
		c.ReplaceKey = &tx.ReplaceKey{Old: ka, New: kb, Proof: statetest.Prove(m.w.Block.Chain, statetest.ValidatorKey(b))}
		return c, func() bool { return g.on[a] && !g.used[b] && g.room() },
			func() { g.remove(a); g.add(b); g.changed--; g.next[a] = b }
	case 3:
		v := must(state.GetVendor(m.w.Tree, vendor.AccountID()))
		quota := uint64(rapid.IntRange(0, 4).Draw(r, "quota"))
		c.AdmitVendor = &tx.AdmitVendor{VendorName: v.Name, Keys: v.Keys, Threshold: v.Threshold, Quota: quota}
		return c, func() bool { return g.suspended }, func() { g.suspended, g.quota = false, quota }
	case 4:
		c.SuspendVendor = &tx.SuspendVendor{Vendor: vendor.AccountID()}
		return c, func() bool { return !g.suspended }, func() { g.suspended = true }
	default:
		quota := uint64(rapid.IntRange(0, 4).Draw(r, "quota"))
		c.SetQuota = &tx.SetQuota{Vendor: vendor.AccountID(), Quota: quota}
		return c, func() bool { return true }, func() { g.quota = quota }
	}
}

func (m *model) propose(r *rapid.T) {
	i := rapid.IntRange(0, statetest.Governors-1).Draw(r, "governor")
	c, fits, enact := m.change(r)
	x := m.w.ProposeTx(m.tb, statetest.Governor(i), c)
	open := 0
	for _, o := range m.gov.motions {
		if o.by == i && !o.applied && o.until > uint64(m.w.Block.Time) {
			open++
		}
	}
	if m.try(r, x, fits() && open < state.MaxOpenProposals) {
		m.gov.motions = append(m.gov.motions, &motion{id: x.ID(m.w.Block.Chain), by: i, until: x.Payload.(*tx.Propose).Until,
			approved: map[int]bool{i: true}, fits: fits, enact: enact})
	}
}

func (m *model) approve(r *rapid.T) {
	if len(m.gov.motions) == 0 {
		return
	}
	o := rapid.SampledFrom(m.gov.motions).Draw(r, "proposal")
	i := rapid.IntRange(0, statetest.Governors-1).Draw(r, "governor")
	alive := !o.applied && o.until > uint64(m.w.Block.Time)
	if m.try(r, m.w.ApproveTx(m.tb, statetest.Governor(i), o.id), alive && !o.approved[i] && o.fits()) {
		o.approved[i], o.applied = true, true // the second of the threshold of two
		o.enact()
	}
}

// punish brings evidence against any key.
func (m *model) punish(r *rapid.T) {
	name := fmt.Sprintf("validator %d", rapid.IntRange(0, 6).Draw(r, "validator"))
	if err := state.Punish(m.w.Tree, m.w.Block, statetest.ValidatorPub(statetest.ValidatorKey(name)).Address()); err != nil {
		r.Fatal(err)
	}
	for m.gov.next[name] != "" {
		name = m.gov.next[name]
	}
	if m.gov.on[name] && len(m.gov.on) > 1 {
		m.gov.remove(name)
	}
}

// checkValidators compares the set and every validator's record with the model.
func (m *model) checkValidators(r *rapid.T) {
	set := must(state.GetValidatorSet(m.w.Tree))
	if len(set.Members) == 0 || len(set.Members) != len(m.gov.on) {
		r.Fatalf("%d validators, model %d", len(set.Members), len(m.gov.on))
	}
	for i, a := range set.Members {
		v := must(state.GetValidator(m.w.Tree, a))
		if v.Key.Address() != a || v.Power != state.Power || v.Status != state.Validating {
			r.Fatalf("member %s is %+v", a, v)
		}
		if i > 0 && string(set.Members[i-1][:]) >= string(a[:]) {
			r.Fatal("members are not in ascending order")
		}
	}
	for i := range 7 {
		name := fmt.Sprintf("validator %d", i)
		v, err := state.GetValidator(m.w.Tree, statetest.ValidatorPub(statetest.ValidatorKey(name)).Address())
		if (err == nil) != m.gov.used[name] || (v.Power > 0) != m.gov.on[name] {
			r.Fatalf("%s is %+v, %v; model has it %v, with power %v", name, v, err, m.gov.used[name], m.gov.on[name])
		}
	}
}
