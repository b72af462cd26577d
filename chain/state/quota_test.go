package state_test

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// params sets the quota past governance.
func params(w *statetest.World, q state.Quota) {
	w.Put(state.ParamsKey(), state.Params{Chain: w.Block.Chain, Quota: &q})
}

// used gives an account's counters.
func used(tb testing.TB, w *statetest.World, id key.AccountID) (left uint64, a state.Account) {
	tb.Helper()
	a = must(state.GetAccount(w.Tree, id))
	return must(state.GetParams(w.Tree)).AccountQuota().Left(a, w.Block.Time), a
}

// spent leaves the owner of dev no unit.
func spent(tb testing.TB, w *statetest.World) {
	tb.Helper()
	params(w, state.Quota{Base: 4, PerDevice: 1, Period: 1 << 20})
	for left, _ := used(tb, w, owner.Public().AccountID()); left > 0; left-- {
		w.Do(tb, w.GrantTx(tb, owner, guest.Public(), dev, "open"))
	}
}

// TestQuota_Period: what is used up comes back with the next period and not a
// second before, a refused transaction costs nothing, and each account has its
// own.
func TestQuota_Period(t *testing.T) {
	w := owned(t)
	spent(t, w)
	params(w, state.Quota{Base: 4, PerDevice: 1, Period: 100})
	begin := must(state.GetParams(w.Tree)).AccountQuota().Begin(w.Block.Time + 100)
	w.Block.Time = int64(begin)
	id := owner.Public().AccountID()
	left, a := used(t, w, id)
	if left != 5 || a.Devices != 1 {
		t.Fatalf("%d units for %d devices", left, a.Devices)
	}
	for range 5 {
		refused(t, w, w.RevokeTx(t, owner, tx.ID{1}), state.NoGrant)
		if now, _ := used(t, w, id); now != left {
			t.Fatalf("a refused transaction costs %d", left-now)
		}
		w.Do(t, w.GrantTx(t, owner, guest.Public(), dev, "open"))
		left--
	}
	w.Block.Time = int64(begin) + 99
	refused(t, w, w.GrantTx(t, owner, guest.Public(), dev, "open"), state.AccountQuotaExceeded)
	other := w.Clone()
	other.Do(t, other.TransferTx(t, buyer, owner, spare)) // the buyer has its own
	w.Block.Time++
	w.Do(t, w.GrantTx(t, owner, guest.Public(), dev, "open"))
}

// TestQuota_Cost: long payloads cost more.
func TestQuota_Cost(t *testing.T) {
	for size, want := range map[int]uint64{1: 1, state.QuotaUnit - 1: 1, state.QuotaUnit: 2, tx.MaxBytes: 17} {
		if got := state.Cost(&tx.Tx{Body: tx.Body{Payload: make([]byte, size)}}); got != want {
			t.Errorf("%d bytes cost %d, want %d", size, got, want)
		}
	}
	q := state.Quota{Base: tx.MaxQuotaUnits, PerDevice: tx.MaxQuotaUnits}
	if q.Units(1<<63) < q.Units(1<<39) || q.Begin(77) != 77 || q.Begin(-1) != 0 {
		t.Error("the arithmetic overflows")
	}
}

// TestQuota_Defaults: a ledger that never set parameters has a quota.
func TestQuota_Defaults(t *testing.T) {
	w := owned(t)
	if q := must(state.GetParams(w.Tree)).AccountQuota(); q != state.DefaultQuota() || q.Base < tx.MinQuotaBase || q.Period < tx.MinQuotaPeriod {
		t.Errorf("%+v", q)
	}
	decide(t, w, tx.Change{SetParams: &tx.SetParams{Base: 7, PerDevice: 8, Period: 60}})
	p := must(state.GetParams(w.Tree))
	if p.AccountQuota() != (state.Quota{Base: 7, PerDevice: 8, Period: 60}) || p.Chain != w.Block.Chain {
		t.Errorf("%+v", p)
	}
}

// quotaModel counts what everybody has and wrote, in the simplest way.
type quotaModel struct {
	w      *statetest.World
	people []*key.Private
	things []*key.Private
	quota  state.Quota
	owner  map[int]int // of a thing
	used   map[int]uint64
	moves  map[int]uint64
	period int64
}

func (m *quotaModel) devices(person int) (n uint64) {
	for _, p := range m.owner {
		if p == person {
			n++
		}
	}
	return n
}

// try executes a transaction of a person and demands that it passes exactly if
// the rules besides the quota say so and the quota has room.
func (m *quotaModel) try(r *rapid.T, person int, x *tx.Tx, want bool) bool {
	if now := m.w.Block.Time / int64(m.quota.Period); now != m.period {
		m.period, m.used, m.moves = now, map[int]uint64{}, map[int]uint64{}
	}
	room := m.used[person] < m.quota.Base+m.quota.PerDevice*m.devices(person)
	err := state.Execute(m.w.Tree, m.w.Block, x)
	if (err == nil) != (want && room) || errors.Is(err, state.AccountQuotaExceeded) == room {
		r.Fatalf("%s: %v; the model says %v, with room %v", x.Body.Kind, err, want, room)
	}
	if err == nil {
		m.used[person]++
	}
	return err == nil
}

func (m *quotaModel) move(r *rapid.T, make func(from, to *key.Private, thing *key.Private) *tx.Tx, claim, release bool) {
	from, to, d := rapid.IntRange(0, len(m.people)-1).Draw(r, "from"), rapid.IntRange(0, len(m.people)-1).Draw(r, "to"), rapid.IntRange(0, len(m.things)-1).Draw(r, "thing")
	had, owned := m.owner[d]
	if !owned && !claim { // its account may not exist
		r.Skip()
	}
	if owned && !claim {
		from = had
	}
	if !release && m.period == m.w.Block.Time/int64(m.quota.Period) && m.moves[d] >= state.MaxMoves {
		r.Skip()
	}
	if m.try(r, from, make(m.people[from], m.people[to], m.things[d]), owned != claim) {
		switch {
		case release:
			delete(m.owner, d)
			return
		case claim:
			to = from
		}
		m.owner[d] = to
		m.moves[d]++
	}
}

// TestQuota_Model: in random histories of claims, transfers, releases, writes
// and passing time, an account's count of devices is always how many it owns,
// and it never writes more than its quota, nor is it ever refused within it.
func TestQuota_Model(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := &quotaModel{w: statetest.NewWorld(), owner: map[int]int{}, used: map[int]uint64{}, moves: map[int]uint64{}, period: -1,
			quota: state.Quota{Base: 4, PerDevice: uint64(rapid.IntRange(0, 2).Draw(r, "per device")), Period: 100}}
		params(m.w, m.quota)
		m.w.Block.Verify = func(key.Public, [32]byte, key.Signature) error { return nil } // TestModel has the signatures
		for i := range 3 {
			m.people = append(m.people, statetest.Key(fmt.Sprint("person ", i)))
			k := statetest.Key(fmt.Sprint("thing ", i))
			m.things = append(m.things, k)
			m.w.Do(t, m.w.RegisterTx(t, k))
		}
		r.Repeat(map[string]func(*rapid.T){
			"": m.check,
			"claim": func(r *rapid.T) {
				m.move(r, func(from, _, d *key.Private) *tx.Tx { return m.w.ClaimTx(t, from, d) }, true, false)
			},
			"transfer": func(r *rapid.T) {
				m.move(r, func(from, to, d *key.Private) *tx.Tx { return m.w.TransferTx(t, from, to, d) }, false, false)
			},
			"release": func(r *rapid.T) {
				m.move(r, func(from, _, d *key.Private) *tx.Tx { return m.w.ReleaseTx(t, from, d) }, false, true)
			},
			"write": func(r *rapid.T) {
				i := rapid.IntRange(0, len(m.people)-1).Draw(r, "person")
				if a, err := state.GetAccount(m.w.Tree, m.people[i].Public().AccountID()); err == nil {
					m.try(r, i, m.w.RotateTx(t, m.people[i], m.people[i], m.people[i]), a.KeySet.Threshold == 1)
				}
			},
			"time": func(r *rapid.T) { m.w.Block.Time += rapid.Int64Range(1, 60).Draw(r, "seconds"); m.w.Block.Height++ },
		})
	})
}

func (m *quotaModel) check(r *rapid.T) {
	for i, p := range m.people {
		a, err := state.GetAccount(m.w.Tree, p.Public().AccountID())
		if err == nil && a.Devices != m.devices(i) || err != nil && m.devices(i) > 0 {
			r.Fatalf("person %d: %v, counts %d devices, owns %d", i, err, a.Devices, m.devices(i))
		}
		if a.Used > m.quota.Base+m.quota.PerDevice*uint64(len(m.things)) {
			r.Fatalf("person %d wrote %d", i, a.Used)
		}
	}
}

// TestMoves: a device gets so many owners in a period, and more in the next.
func TestMoves(t *testing.T) {
	w := owned(t)
	w.Block.Time += int64(state.DefaultQuota().Period)
	from, to := owner, buyer
	for range state.MaxMoves {
		w.Do(t, w.TransferTx(t, from, to, dev))
		from, to = to, from
	}
	refused(t, w, w.TransferTx(t, from, to, dev), state.TooManyMoves)
	late := w.Clone()
	late.Block.Time += int64(state.DefaultQuota().Period)
	late.Do(t, late.TransferTx(t, from, to, dev))
	w.Do(t, w.ReleaseTx(t, from, dev)) // gives nobody a quota
	refused(t, w, w.ClaimTx(t, to, dev), state.TooManyMoves)
}
