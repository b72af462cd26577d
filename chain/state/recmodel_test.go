package state_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// modelDelay is less than what passes between some blocks of the model, and
// more than between others.
const modelDelay = 1200

// guard names the guardians of an account, or none.
func (m *model) guard(r *rapid.T) {
	p := m.person(r)
	if !p.known {
		return
	}
	on := rapid.Bool().Draw(r, "guarded")
	payload := &tx.SetGuardians{Version: m.w.NextVersion(p.root)}
	if on {
		payload.Guardians = statetest.Guardians()
		payload.Guardians.Delay = modelDelay
	}
	if m.try(r, m.w.Build(m.tb, p.root.Public().AccountID(), payload, as(tx.RoleAccount, p.key)), !p.frozen && p.next == nil) {
		p.guarded = on
		p.version++
	}
}

// recover starts a recovery by some of the guardians.
func (m *model) recover(r *rapid.T) {
	p := m.person(r)
	if !p.known {
		return
	}
	m.spawned++
	next := statetest.Key(fmt.Sprintf("spawned %d", m.spawned))
	x := m.w.StartTx(m.tb, p.root, next)
	enough := rapid.Bool().Draw(r, "enough guardians")
	if !enough {
		x.Sigs = x.Sigs[:2]
	}
	if m.try(r, x, p.guarded && p.next == nil && enough) {
		p.next, p.due = next, m.w.Block.Time+modelDelay
	}
}

// recovering draws somebody whose recovery is open, if there is one.
func (m *model) recovering(r *rapid.T) *person {
	var open []*person
	for _, p := range m.people {
		if p.next != nil {
			open = append(open, p)
		}
	}
	if len(open) == 0 {
		open = m.people
	}
	return rapid.SampledFrom(open).Draw(r, "recovering")
}

func (m *model) finish(r *rapid.T) {
	p := m.recovering(r)
	if !p.known {
		return
	}
	if p.next != nil && rapid.Bool().Draw(r, "on time") {
		m.w.Block.Time = max(m.w.Block.Time, p.due)
	}
	by := statetest.Guardian(2)
	if p.next != nil && rapid.Bool().Draw(r, "by the new key") {
		by = p.next
	}
	if m.try(r, m.w.FinishTx(m.tb, p.root, by), p.next != nil && m.w.Block.Time >= p.due) {
		p.key, p.next = p.next, nil
		p.version++
	}
}

func (m *model) cancel(r *rapid.T) {
	p := m.recovering(r)
	if !p.known {
		return
	}
	x := m.w.CancelTx(m.tb, p.root)
	m.resign(x, tx.RoleAccount, p)
	if m.try(r, x, p.next != nil && m.w.Block.Time < p.due) {
		p.next = nil
		p.version++
	}
}

// freeze freezes an account, or ends that.
func (m *model) freeze(r *rapid.T) {
	p := m.person(r)
	if !p.known {
		return
	}
	on := rapid.Bool().Draw(r, "frozen")
	var x *tx.Tx
	if on {
		by := p.key
		if p.guarded && rapid.Bool().Draw(r, "by a guardian") {
			by = statetest.Guardian(0)
		}
		x = m.w.FreezeTx(m.tb, p.root, by)
	} else {
		x = m.w.UnfreezeTx(m.tb, p.root)
		m.resign(x, tx.RoleAccount, p)
	}
	if m.try(r, x, p.frozen != on) {
		p.frozen = on
	}
}

// checkPeople compares the accounts with the model.
func (m *model) checkPeople(r *rapid.T) {
	for _, p := range m.people {
		a, err := state.GetAccount(m.w.Tree, p.root.Public().AccountID())
		if (err == nil) != p.known {
			r.Fatalf("account: %v, known %v", err, p.known)
		}
		if !p.known {
			continue
		}
		k := a.KeySet
		if k.Version != p.version || len(k.Keys) != 1 || !k.Keys[0].Key.Equal(p.key.Public()) || (k.Guardians != nil) != p.guarded {
			r.Fatalf("keys are %+v, model %+v", k, p)
		}
		if a.Frozen != p.frozen || (a.Recovery != nil) != (p.next != nil) || p.next != nil && a.Recovery.Due != uint64(p.due) {
			r.Fatalf("account is %+v, model %+v", a, p)
		}
	}
}

// settle gives each person an account with guardians and a device that follows
// it.
func (m *model) settle() {
	for i, p := range m.people {
		d := m.things[i]
		m.w.Do(m.tb, m.w.RegisterTx(m.tb, d.key))
		claim := m.w.ClaimTx(m.tb, p.root, d.key)
		m.w.Do(m.tb, claim)
		g := statetest.Guardians()
		g.Delay = modelDelay
		m.w.Do(m.tb, m.w.Build(m.tb, p.root.Public().AccountID(), &tx.SetGuardians{Version: 1, Guardians: g}, as(tx.RoleAccount, p.root)))
		pin := must(state.PinAccount(m.w.Tree, m.w.Block.Chain, p.root.Public().AccountID()))
		own := must(state.VerifyClaim(m.w.Block.Chain, d.key.Public(), pin, claim.Bytes()))
		m.used++
		d.registered, d.owner, d.epoch, d.seen = true, p, 1, &own
		p.known, p.guarded, p.version = true, true, 1
	}
}

// TestModel_Recovery is TestModel among people who have guardians: no recovery
// without their threshold or before its delay, nothing given away by a frozen
// account, and devices follow through all of it. The histories together must
// have seen each end of a recovery.
func TestModel_Recovery(t *testing.T) {
	ends := make(map[tx.Kind]int)
	rapid.Check(t, func(r *rapid.T) {
		m := newModel(t)
		m.settle()
		r.Repeat(map[string]func(*rapid.T){
			"":      m.check,
			"guard": m.guard, "recover": m.recover, "recover again": m.recover, "finish": m.finish, "finish again": m.finish,
			"cancel": m.cancel, "freeze": m.freeze,
			"rotate": m.rotate, "transfer": m.transfer, "release": m.release, "report": m.report, "claim": m.claim,
			"grant": m.grant, "revoke": m.revoke, "replay": m.replay, "steal": m.steal, "wake": m.wake, "audit": m.audit, "next block": m.nextBlock,
		})
		for _, x := range m.past {
			ends[x.Body.Kind]++
		}
	})
	mustHave(t, ends, tx.KindStartRecovery, tx.KindFinishRecovery, tx.KindCancelRecovery)
}
