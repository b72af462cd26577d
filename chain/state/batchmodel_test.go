package state_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// run is a production run of the model: which things are in it.
type run struct {
	things     []int
	registered bool
}

// ruled is what the model knows of a thing's policy.
type ruled struct {
	epoch, version uint64
	signer         *key.Private
}

// lifeModel is the model with batches and policies.
type lifeModel struct {
	*model
	runs     []*run
	policies map[*thing]ruled
	places   map[*thing]ruled // of addresses; version is how many
}

func newLifeModel(tb testing.TB) *lifeModel {
	m := &lifeModel{model: newModel(tb), policies: make(map[*thing]ruled), places: make(map[*thing]ruled)}
	m.runs = []*run{{things: []int{0, 1, 2}}, {things: []int{2, 3}}, {things: []int{3}}}
	v := must(state.GetVendor(m.w.Tree, m.w.Vendor.Public().AccountID()))
	v.Quota, m.gov.quota = 5, 5
	m.w.Put(state.VendorKey(m.w.Vendor.Public().AccountID()), v)
	return m
}

func (m *lifeModel) keys(b *run) (out []*key.Private) {
	for _, i := range b.things {
		out = append(out, m.things[i].key)
	}
	return out
}

func (m *lifeModel) registerBatch(r *rapid.T) {
	b := rapid.SampledFrom(m.runs).Draw(r, "run")
	n := uint64(len(b.things))
	if m.try(r, m.w.BatchTx(m.tb, m.keys(b)...), !b.registered && m.used+n <= m.gov.quota) {
		b.registered = true
		m.used += n
	}
}

// claimMember claims a thing with a proof, which may be of another thing or
// from a run that is not registered.
func (m *lifeModel) claimMember(r *rapid.T) {
	b, p := rapid.SampledFrom(m.runs).Draw(r, "run"), m.person(r)
	at := rapid.IntRange(0, len(b.things)-1).Draw(r, "at")
	d := m.things[b.things[at]]
	proof := m.w.Member(m.tb, at, m.keys(b)...)
	honest := rapid.IntRange(0, 3).Draw(r, "honest") > 0
	if !honest {
		proof.Index = (proof.Index + 1) % 4
		proof.SealKey[3] ^= 1
	}
	x := m.w.MemberTx(m.tb, p.root, d.key, proof)
	m.resign(x, tx.RoleAccount, p)
	if m.try(r, x, honest && b.registered && !d.registered) {
		d.registered, d.owner, p.known, d.epoch = true, p, true, 1
		pin := must(state.PinAccount(m.w.Tree, m.w.Block.Chain, p.root.Public().AccountID()))
		own := must(state.VerifyClaim(m.w.Block.Chain, d.key.Public(), pin, x.Bytes()))
		d.seen, d.ended = &own, false
	}
}

// present is the policy of a thing's present epoch.
func (m *lifeModel) present(of map[*thing]ruled, d *thing) ruled {
	if p := of[d]; p.epoch == d.epoch {
		return p
	}
	return ruled{}
}

func (m *lifeModel) setPolicy(r *rapid.T) {
	p, d := m.person(r), m.thing(r)
	if d.epoch == 0 {
		return
	}
	x := m.w.PolicyTx(m.tb, p.root, d.key, openBy(uint8(rapid.IntRange(1, 3).Draw(r, "signers"))))
	skip := rapid.IntRange(0, 3).Draw(r, "skip") == 0
	if skip {
		q := *x.Payload.(*tx.SetPolicy)
		q.Version++
		x = m.w.Build(m.tb, p.root.Public().AccountID(), &q)
	}
	m.resign(x, tx.RoleAccount, p)
	if m.try(r, x, !skip && d.owner == p && !p.frozen) {
		m.policies[d] = ruled{d.epoch, m.present(m.policies, d).version + 1, p.key}
	}
}

func (m *lifeModel) setAddresses(r *rapid.T) {
	p, d := m.person(r), m.thing(r)
	if d.epoch == 0 {
		return
	}
	x := m.w.AddressesTx(m.tb, p.root, d.key, home)
	m.resign(x, tx.RoleAccount, p)
	if m.try(r, x, d.owner == p) {
		m.places[d] = ruled{d.epoch, 1, p.key}
	}
}

// checkLife compares batches, policies and addresses with the model, and lets
// each device verify what it is shown.
func (m *lifeModel) checkLife(r *rapid.T) {
	m.check(r)
	if v := must(state.GetVendor(m.w.Tree, m.w.Vendor.Public().AccountID())); v.Used > v.Quota {
		r.Fatalf("used %d of %d", v.Used, v.Quota)
	}
	for _, b := range m.runs {
		proof := m.w.Member(m.tb, 0, m.keys(b)...)
		rec, err := state.GetBatch(m.w.Tree, proof.Vendor, proof.Root)
		if (err == nil) != b.registered || b.registered && rec.Size != uint64(len(b.things)) {
			r.Fatalf("batch: %+v, %v; registered %v", rec, err, b.registered)
		}
	}
	for _, d := range m.things {
		if !d.registered {
			continue
		}
		rec := must(state.GetDevice(m.w.Tree, d.key.Public().DeviceID()))
		want := m.present(m.policies, d)
		if rec.Policy != want.version {
			r.Fatalf("policy %d, model %d", rec.Policy, want.version)
		}
		if d.owner == nil {
			continue
		}
		acc := d.owner.root.Public().AccountID()
		own := state.Ownership{Device: d.key.Public().DeviceID(), Epoch: d.epoch,
			Owner: state.Pin{Account: acc, Keys: must(state.GetAccount(m.w.Tree, acc)).KeySet}}
		if want.version > 0 {
			p, err := state.VerifyPolicy(m.w.Block.Chain, own, must(state.GetPolicy(m.w.Tree, own.Device)))
			if p == nil || p.Version != want.version || (err == nil) != (want.signer == d.owner.key) {
				r.Fatalf("policy: %+v, %v", p, err)
			}
		}
		m.checkAddresses(r, d, own)
	}
}

func (m *lifeModel) checkAddresses(r *rapid.T, d *thing, own state.Ownership) {
	rec, err := state.GetAddresses(m.w.Tree, own.Device)
	if errors.Is(err, state.NoAddresses) {
		return
	}
	got, err := state.VerifyAddresses(m.w.Block.Chain, own, rec)
	want := m.present(m.places, d)
	if ok := want.version > 0 && want.signer == d.owner.key; (err == nil) != ok || ok && len(got) != 1 {
		r.Fatalf("addresses %v, %v; model %+v", got, err, want)
	}
}

// TestModel_Batches is TestModel with production runs, policies and addresses:
// no quota is exceeded whatever the way of registering, a device is born once,
// a policy's version only grows within its epoch and dies with it, and the owner
// of the present epoch alone sets it.
func TestModel_Batches(t *testing.T) {
	done := make(map[tx.Kind]int)
	rapid.Check(t, func(r *rapid.T) {
		m := newLifeModel(t)
		if rapid.IntRange(0, 3).Draw(r, "settled") == 0 {
			m.settle()
		}
		r.Repeat(map[string]func(*rapid.T){
			"":      m.checkLife,
			"batch": m.registerBatch, "member": m.claimMember, "member again": m.claimMember,
			"policy": m.setPolicy, "policy again": m.setPolicy, "addresses": m.setAddresses,
			"register": m.register, "claim": m.claim, "transfer": m.transfer, "rotate": m.rotate, "freeze": m.freeze,
			"release": m.release, "report": m.report, "replay": m.replay, "wake": m.wake, "next block": m.nextBlock,
		})
		for _, x := range m.past {
			done[x.Body.Kind]++
			if p, ok := x.Payload.(*tx.Claim); ok && p.Batch != nil {
				done[0]++
			}
		}
	})
	mustHave(t, done, 0, tx.KindRegisterBatch, tx.KindSetPolicy, tx.KindSetAddresses)
}
