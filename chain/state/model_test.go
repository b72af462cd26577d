package state_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// TestMain makes rapid run thousands of short histories, unless told else.
func TestMain(m *testing.M) {
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{"rapid.checks": histories, "rapid.steps": "15"} {
		if given[name] || testing.Short() {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// mustHave fails a model that never did something of each kind: it would test
// nothing.
func mustHave(t *testing.T, did map[tx.Kind]int, kinds ...tx.Kind) {
	t.Helper()
	t.Logf("executed: %v", did)
	for _, k := range kinds {
		if did[k] == 0 && complete && !testing.Short() {
			t.Errorf("no history has a %s", k)
		}
	}
}

// model is what the ledger should hold, kept in the simplest way.
type model struct {
	tb      testing.TB
	w       *statetest.World
	people  []*person
	things  []*thing
	used    uint64
	spawned int
	grants  []*given
	past    []*tx.Tx // everything that was executed
	gov     *govModel
}

type person struct {
	root, key *key.Private // the account's first and its only present key
	known     bool         // has an account
	version   uint64
	guarded   bool
	frozen    bool
	next      *key.Private // to be put in key's place by a recovery that is open
	due       int64
}

type thing struct {
	key        *key.Private
	registered bool
	epoch      uint64
	owner      *person
	lost       bool
	ended      bool             // the ownership in seen has ended with a release
	seen       *state.Ownership // what the device itself has last followed
}

type given struct {
	id      tx.ID
	issuer  *person
	signer  *key.Private
	revoked bool
}

func newModel(tb testing.TB) *model {
	m := &model{tb: tb, w: statetest.NewWorld(), gov: newGovModel()}
	v := must(state.GetVendor(m.w.Tree, m.w.Vendor.Public().AccountID()))
	v.Quota = 3
	m.w.Put(state.VendorKey(m.w.Vendor.Public().AccountID()), v)
	generous(m.w)
	for i := range 3 {
		k := statetest.Key(fmt.Sprintf("person %d", i))
		m.people = append(m.people, &person{root: k, key: k})
	}
	for i := range 4 {
		m.things = append(m.things, &thing{key: statetest.Key(fmt.Sprintf("thing %d", i))})
	}
	return m
}

// generous makes the quota of accounts so large that nobody meets it: it has a
// model of its own.
func generous(w *statetest.World) {
	w.Put(state.ParamsKey(), state.Params{Chain: w.Block.Chain, Quota: &state.Quota{Base: tx.MaxQuotaUnits, Period: tx.MaxQuotaPeriod}})
}

func (m *model) person(r *rapid.T) *person { return rapid.SampledFrom(m.people).Draw(r, "person") }
func (m *model) thing(r *rapid.T) *thing   { return rapid.SampledFrom(m.things).Draw(r, "thing") }

// try executes x and demands that it passes exactly if the model says so.
func (m *model) try(r *rapid.T, x *tx.Tx, want bool) bool {
	before, plain := m.w.Tree.Clone(), m.w.Tree.Clone()
	err := state.Execute(m.w.Tree, m.w.Block, x)
	other := state.ExecutePlainly(plain, m.w.Block, x)
	if fmt.Sprint(err) != fmt.Sprint(other) || !m.w.Tree.Equal(plain) {
		r.Fatalf("%s: %v, without the memory of records %v; or the states differ", x.Body.Kind, err, other)
	}
	if want && errors.Is(err, state.TooManyMoves) {
		r.Skip("a device moved as often as it may in these weeks")
	}
	if (err == nil) != want {
		r.Fatalf("%s: %v, the model says %v", x.Body.Kind, err, want)
	}
	if err != nil {
		if !m.w.Tree.Equal(before) {
			r.Fatalf("%s: refused, but the state has changed", x.Body.Kind)
		}
		return false
	}
	m.past = append(m.past, x)
	return true
}

func (m *model) register(r *rapid.T) {
	d := m.thing(r)
	if m.try(r, m.w.RegisterTx(m.tb, d.key), !d.registered && !m.gov.suspended && m.used < m.gov.quota) {
		d.registered = true
		m.used++
	}
}

// resign replaces the signature of a role by that of the account's present
// key.
func (m *model) resign(x *tx.Tx, role tx.Role, p *person) {
	for i, s := range x.Sigs {
		if s.Role == role {
			x.Sigs = append(x.Sigs[:i:i], x.Sigs[i+1:]...)
			break
		}
	}
	x.Sign(m.w.Block.Chain, role, p.key)
}

func (m *model) claim(r *rapid.T) {
	p, d := m.person(r), m.thing(r)
	x := m.w.ClaimTx(m.tb, p.root, d.key)
	m.resign(x, tx.RoleAccount, p)
	if m.try(r, x, d.registered && d.owner == nil) {
		d.owner, p.known = p, true
		d.epoch++
		pin := must(state.PinAccount(m.w.Tree, m.w.Block.Chain, p.root.Public().AccountID()))
		own, err := state.VerifyClaim(m.w.Block.Chain, d.key.Public(), pin, x.Bytes())
		if err != nil {
			r.Fatalf("device refuses its claim: %v", err)
		}
		d.seen, d.ended = &own, false
	}
}

func (m *model) release(r *rapid.T) {
	p, d := m.person(r), m.thing(r)
	x := m.w.ReleaseTx(m.tb, p.root, d.key)
	m.resign(x, tx.RoleAccount, p)
	if m.try(r, x, d.owner == p && !d.lost && !p.frozen) {
		d.owner, d.ended = nil, true
		d.epoch++
	}
}

// report loses and finds devices.
func (m *model) report(r *rapid.T) {
	p, d := m.person(r), m.thing(r)
	if d.epoch == 0 {
		return
	}
	x, lost := m.w.LostTx(m.tb, p.root, d.key), rapid.Bool().Draw(r, "lost")
	if !lost {
		x = m.w.FoundTx(m.tb, p.root, d.key)
	}
	m.resign(x, tx.RoleAccount, p)
	if m.try(r, x, d.owner == p && d.lost != lost) {
		d.lost = lost
	}
}

func (m *model) transfer(r *rapid.T) {
	from, to, d := m.person(r), m.person(r), m.thing(r)
	x := m.w.TransferTx(m.tb, from.root, to.root, d.key)
	m.resign(x, tx.RoleAccount, from)
	m.resign(x, tx.RoleNewOwner, to)
	if m.try(r, x, d.owner == from && from.known && !d.lost && !from.frozen) {
		d.owner, to.known = to, true
		d.epoch++
	}
}

func (m *model) rotate(r *rapid.T) {
	p := m.person(r)
	if !p.known {
		return
	}
	m.spawned++
	next := statetest.Key(fmt.Sprintf("spawned %d", m.spawned))
	if rapid.Bool().Draw(r, "back to the root") {
		next = p.root
	}
	if m.try(r, m.w.RotateTx(m.tb, p.root, p.key, next), !p.frozen && p.next == nil) {
		p.key = next
		p.version++
	}
}

func (m *model) grant(r *rapid.T) {
	p, d := m.person(r), m.thing(r)
	if d.epoch == 0 {
		return
	}
	x := m.w.GrantTx(m.tb, p.root, guest.Public(), d.key, "open")
	m.resign(x, tx.RoleAccount, p)
	if m.try(r, x, d.owner == p && !p.frozen) {
		m.grants = append(m.grants, &given{id: x.ID(m.w.Block.Chain), issuer: p, signer: p.key})
	}
}

func (m *model) revoke(r *rapid.T) {
	if len(m.grants) == 0 {
		return
	}
	p, g := m.person(r), rapid.SampledFrom(m.grants).Draw(r, "grant")
	x := m.w.RevokeTx(m.tb, p.root, g.id)
	m.resign(x, tx.RoleAccount, p)
	if m.try(r, x, g.issuer == p && !g.revoked) {
		g.revoked = true
	}
}

// replay sends an old transaction again, as it was.
func (m *model) replay(r *rapid.T) {
	if len(m.past) > 0 {
		m.try(r, rapid.SampledFrom(m.past).Draw(r, "past"), false)
	}
}

// steal lets somebody sign for an account that is not theirs.
func (m *model) steal(r *rapid.T) {
	p, d := m.person(r), m.thing(r)
	if d.owner == nil {
		return
	}
	x := m.w.TransferTx(m.tb, d.owner.root, p.root, d.key)
	x.Sigs = nil
	x.Sign(m.w.Block.Chain, tx.RoleAccount, thief)
	x.Sign(m.w.Block.Chain, tx.RoleNewOwner, p.key)
	m.try(r, x, false)
}

// wake lets a device follow the ledger from whenever it last did.
func (m *model) wake(r *rapid.T) {
	d := m.thing(r)
	if d.seen == nil {
		return
	}
	got, err := state.FollowOwner(m.w.Tree, m.w.Block.Chain, *d.seen)
	if d.ended {
		if !errors.Is(err, state.Released) {
			r.Fatalf("a released ownership: %v", err)
		}
		return
	}
	if err != nil {
		r.Fatalf("device refuses an honest ledger: %v", err)
	}
	if got.Epoch != d.epoch || got.Owner.Account != d.owner.root.Public().AccountID() || got.Owner.Keys.Version != d.owner.version {
		r.Fatalf("device believes %+v", got)
	}
	if got.Epoch < d.seen.Epoch {
		r.Fatalf("epoch went back from %d to %d", d.seen.Epoch, got.Epoch)
	}
	d.seen = &got
}

// check compares the whole ledger with the model.
func (m *model) check(r *rapid.T) {
	v := must(state.GetVendor(m.w.Tree, m.w.Vendor.Public().AccountID()))
	if v.Used != m.used || v.Quota != m.gov.quota || v.Suspended != m.gov.suspended {
		r.Fatalf("vendor is %+v, model used %d, %+v", v, m.used, m.gov)
	}
	m.checkValidators(r)
	m.checkPeople(r)
	for _, d := range m.things {
		rec, err := state.GetDevice(m.w.Tree, d.key.Public().DeviceID())
		if (err == nil) != d.registered {
			r.Fatalf("device: %v, registered %v", err, d.registered)
		}
		if rec.Epoch != d.epoch || rec.Lost != d.lost || (rec.Owner == nil) != (d.owner == nil) ||
			d.owner != nil && *rec.Owner != d.owner.root.Public().AccountID() {
			r.Fatalf("device is %+v, model epoch %d", rec, d.epoch)
		}
	}
}

// audit shows every grant to a verifier.
func (m *model) audit(r *rapid.T) {
	for _, g := range m.grants {
		rec := must(state.GetGrant(m.w.Tree, g.id))
		pin := state.Pin{Account: g.issuer.root.Public().AccountID(), Keys: must(state.GetAccount(m.w.Tree, g.issuer.root.Public().AccountID())).KeySet}
		_, err := state.VerifyGrant(m.w.Block.Chain, pin, g.id, rec)
		switch {
		case g.revoked && !errors.Is(err, state.GrantRevoked):
			r.Fatalf("revoked grant: %v", err)
		case !g.revoked && (err == nil) != (g.signer == g.issuer.key):
			r.Fatalf("grant: %v", err)
		}
	}
}

// TestModel runs random histories against the model. The invariants: a device
// has one owner, its epoch only rises, a revoked grant never authorises again,
// a replay changes nothing, no quota is exceeded, and a device that wakes at
// any time follows an honest ledger, until a release that it then knows of. A
// lost device changes no hands, a recovery takes the guardians' threshold and
// its delay, and a frozen account gives nothing away. Validators are never none, no more than a
// third of them changes in a block but by evidence, and nothing of theirs or of
// vendors changes without the governors' threshold.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := newModel(t)
		r.Repeat(map[string]func(*rapid.T){
			"":      m.check,
			"guard": m.guard, "recover": m.recover, "finish": m.finish, "cancel": m.cancel, "freeze": m.freeze,
			"register": m.register, "claim": m.claim, "transfer": m.transfer, "rotate": m.rotate,
			"release": m.release, "report": m.report, "grant": m.grant, "revoke": m.revoke, "replay": m.replay, "steal": m.steal, "wake": m.wake, "audit": m.audit,
			"propose": m.propose, "approve": m.approve, "punish": m.punish, "next block": m.nextBlock,
		})
	})
}
