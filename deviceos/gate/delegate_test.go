package gate_test

import (
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

// give is what a grantee signs about a grant that it has.
func (w *world) give(by *key.Private, p *tx.DelegateGrant) *tx.Tx {
	w.t.Helper()
	g, err := state.GetGrant(w.ledger.present, p.Parent)
	if err != nil {
		w.t.Fatal(err)
	}
	t, err := tx.New(by.Public().AccountID(), g.Next, uint64(w.now.Unix())+600, p)
	if err != nil {
		w.t.Fatal(err)
	}
	t.Sign(w.chain, tx.RoleGrantee, by)
	return t
}

// delegate gives a grant on.
func (w *world) delegate(by *key.Private, parent tx.ID, g *tx.CreateGrant) tx.ID {
	t := w.give(by, &tx.DelegateGrant{Parent: parent, Grant: g})
	w.commit(t)
	return t.ID(w.chain)
}

// under is a good command under a grant.
func (w *world) under(k *key.Private, grant tx.ID) []byte {
	b := w.body()
	b.Principal, b.Key, b.Grant = k.Public().AccountID(), k.Public().ID(), &grant
	return w.sign(b, k)
}

// family is a grant that was given on twice: by the guest to a friend, and by the
// friend to a child.
type family struct {
	*world
	friend, child     *key.Private
	parent, mid, leaf tx.ID
}

func newFamily(t *testing.T) *family {
	f := &family{world: newWorld(t, gate.Limits{}), friend: newKey(11), child: newKey(12)}
	terms := f.terms(func(p *tx.CreateGrant) { p.Depth, p.Uses, p.Rate = 2, 20, &tx.Rate{Count: 9, Period: 60} })
	f.parent = f.createGrant(terms)
	narrower := *terms
	narrower.Grantee, narrower.Depth, narrower.Uses = f.friend.Public(), 1, 5
	f.mid = f.delegate(f.guest, f.parent, &narrower)
	narrowest := narrower
	narrowest.Grantee, narrowest.Depth = f.child.Public(), 0
	narrowest.Targets = []tx.Target{{Device: f.device.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}}
	f.leaf = f.delegate(f.friend, f.mid, &narrowest)
	return f
}

func TestHandle_Delegated(t *testing.T) {
	f := newFamily(t)
	f.ok(f.under(f.guest, f.parent))
	f.ok(f.under(f.friend, f.mid))
	f.ok(f.under(f.child, f.leaf))
	f.restart()
	f.ok(f.under(f.child, f.leaf))
	f.refused(f.under(f.child, f.mid), command.UnknownKey)
	f.refused(f.under(f.friend, f.leaf), command.UnknownKey)
	b := f.body()
	b.Principal, b.Key, b.Grant, b.Method = f.child.Public().AccountID(), f.child.Public().ID(), &f.leaf, "state"
	f.refused(f.sign(b, f.child), command.NotGranted)
}

// TestHandle_DelegatedCounts: what a child does counts for all above it.
func TestHandle_DelegatedCounts(t *testing.T) {
	f := newFamily(t)
	for range 2 {
		f.ok(f.under(f.friend, f.mid))
	}
	for range 3 {
		f.ok(f.under(f.child, f.leaf))
	}
	f.refused(f.under(f.child, f.leaf), command.UsedUp) // its own five are not, those above are
	f.refused(f.under(f.friend, f.mid), command.UsedUp)
	f.restart()
	f.refused(f.under(f.child, f.leaf), command.UsedUp)
	for range 4 {
		f.ok(f.under(f.guest, f.parent))
	}
	f.want(f.under(f.guest, f.parent), command.Deferred, command.GrantRate) // nine in a minute, five of them by others
}

func TestHandle_RevokedAbove(t *testing.T) {
	t.Run("by the owner", func(t *testing.T) {
		f := newFamily(t)
		f.ok(f.under(f.child, f.leaf))
		alive := string(f.ledger.present[string(state.GrantKey(f.parent))])
		f.execute(f.owner, &tx.RevokeGrant{Grant: f.parent}, tx.RoleAccount)
		f.refused(f.under(f.child, f.leaf), command.GrantRevoked)
		f.refused(f.under(f.friend, f.mid), command.GrantRevoked)
		f.refused(f.under(f.guest, f.parent), command.GrantRevoked)
		// Validators that bring the record back do not bring back the right.
		f.ledger.present[string(state.GrantKey(f.parent))] = []byte(alive)
		f.ledger.block(f.now, true)
		f.refused(f.under(f.child, f.leaf), command.GrantRevoked)
	})
	t.Run("the middle, by the owner", func(t *testing.T) {
		f := newFamily(t)
		f.execute(f.owner, &tx.RevokeGrant{Grant: f.mid}, tx.RoleAccount)
		f.refused(f.under(f.child, f.leaf), command.GrantRevoked)
		f.ok(f.under(f.guest, f.parent))
	})
	t.Run("the middle, by who gave it on", func(t *testing.T) {
		f := newFamily(t)
		f.commit(f.give(f.guest, &tx.DelegateGrant{Parent: f.parent, Revoke: &f.mid}))
		f.refused(f.under(f.child, f.leaf), command.GrantRevoked)
		f.ok(f.under(f.guest, f.parent))
	})
	t.Run("brought back above a new child", func(t *testing.T) {
		f := newFamily(t)
		f.ok(f.under(f.guest, f.parent))
		alive := string(f.ledger.present[string(state.GrantKey(f.parent))])
		f.execute(f.owner, &tx.RevokeGrant{Grant: f.parent}, tx.RoleAccount)
		f.refused(f.under(f.guest, f.parent), command.GrantRevoked)
		f.ledger.present[string(state.GrantKey(f.parent))] = []byte(alive)
		f.ledger.block(f.now, true)
		f.refused(f.under(f.child, f.leaf), command.GrantRevoked)
	})
	t.Run("the key that signed the first is rotated out", func(t *testing.T) {
		f := newFamily(t)
		f.ok(f.under(f.child, f.leaf))
		x := f.build(f.owner, &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{{Key: f.stranger.Public(), Rights: tx.RightAdmin | tx.RightInvoke}}}, tx.RoleAccount)
		x.Sign(f.chain, tx.RoleNewKey, f.stranger)
		f.commit(x)
		f.refused(f.under(f.child, f.leaf), command.ForgedGrant)
	})
}

// TestHandle_ForgedDelegations: what validators write into records gives no
// right that the keys above did not sign, nor a wider one.
func TestHandle_ForgedDelegations(t *testing.T) {
	for name, forge := range map[string]func(*family, *tx.CreateGrant) *tx.Tx{
		"signed by a stranger": func(f *family, g *tx.CreateGrant) *tx.Tx {
			x, _ := tx.New(f.friend.Public().AccountID(), 9, uint64(f.now.Unix())+60, &tx.DelegateGrant{Parent: f.mid, Grant: g})
			x.Sign(f.chain, tx.RoleGrantee, f.stranger)
			return x
		},
		"signed by the grantee of the grant above that": func(f *family, g *tx.CreateGrant) *tx.Tx {
			return f.give(f.guest, &tx.DelegateGrant{Parent: f.mid, Grant: g})
		},
		"wider in methods": func(f *family, g *tx.CreateGrant) *tx.Tx {
			g.Targets[0].Methods = []string{"dim", "open"}
			return f.give(f.friend, &tx.DelegateGrant{Parent: f.mid, Grant: g})
		},
		"longer": func(f *family, g *tx.CreateGrant) *tx.Tx {
			g.NotAfter++
			return f.give(f.friend, &tx.DelegateGrant{Parent: f.mid, Grant: g})
		},
		"deeper": func(f *family, g *tx.CreateGrant) *tx.Tx {
			g.Depth = 1
			return f.give(f.friend, &tx.DelegateGrant{Parent: f.mid, Grant: g})
		},
		"more uses": func(f *family, g *tx.CreateGrant) *tx.Tx {
			g.Uses++
			return f.give(f.friend, &tx.DelegateGrant{Parent: f.mid, Grant: g})
		},
		"the end of a grant as a grant": func(f *family, g *tx.CreateGrant) *tx.Tx {
			return f.give(f.friend, &tx.DelegateGrant{Parent: f.mid, Revoke: &f.leaf})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFamily(t)
			g := *f.terms(func(p *tx.CreateGrant) { p.Uses, p.Rate = 5, &tx.Rate{Count: 9, Period: 60} })
			g.Grantee = f.stranger.Public()
			x := forge(f, &g)
			f.ledger.present[string(state.GrantKey(x.ID(f.chain)))] = codec.MustMarshal(state.Grant{
				Issuer: f.owner.Public().AccountID(), Status: state.Active, Tx: x.Bytes(),
			})
			f.ledger.block(f.now, true)
			f.refused(f.under(f.stranger, x.ID(f.chain)), command.ForgedGrant)
		})
	}
}

// TestHandle_DelegationLoop: a chain without an end is refused, not followed.
func TestHandle_DelegationOfItself(t *testing.T) {
	f := newFamily(t)
	raw := f.ledger.present[string(state.GrantKey(f.leaf))]
	f.ledger.present[string(state.GrantKey(f.mid))] = raw // its parent is mid
	f.ledger.block(f.now, true)
	f.refused(f.under(f.child, f.leaf), command.ForgedGrant)
}

func TestHandle_Private(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	seal := func(narrow func(*tx.CreateGrant)) (tx.ID, []byte) {
		p, body, err := tx.Seal(w.chain, [32]byte{7}, w.terms(narrow))
		if err != nil {
			t.Fatal(err)
		}
		return w.createGrant(p), body
	}
	grant, body := seal(func(p *tx.CreateGrant) { p.Uses = 2 })
	_, other := seal(func(p *tx.CreateGrant) { p.Uses = 3 })
	open := func(k *key.Private, body []byte) []byte {
		b := w.body()
		b.Principal, b.Key, b.Grant = k.Public().AccountID(), k.Public().ID(), &grant
		if body != nil {
			b.WithGrantBody(body)
		}
		return w.sign(b, k)
	}
	w.ok(open(w.guest, body))
	w.refused(open(w.guest, nil), command.BadGrantBody)
	w.refused(open(w.guest, other), command.BadGrantBody)
	w.refused(open(w.guest, append([]byte{0}, body...)), command.BadGrantBody)
	w.refused(open(w.stranger, body), command.UnknownKey)
	w.restart()
	w.ok(open(w.guest, body))
	w.refused(open(w.guest, body), command.UsedUp)

	public := w.guestBody() // a grant that is not private
	public.WithGrantBody(body)
	w.refused(w.sign(public, w.guest), command.BadGrantBody)

	grant, body = seal(func(p *tx.CreateGrant) { p.NotAfter = uint64(w.now.Add(time.Minute).Unix()) })
	w.ok(open(w.guest, body))
	w.execute(w.owner, &tx.RevokeGrant{Grant: grant}, tx.RoleAccount)
	w.refused(open(w.guest, body), command.GrantRevoked)
	w.refused(open(w.stranger, body), command.UnknownKey)

	grant, body = seal(func(p *tx.CreateGrant) { p.NotAfter = uint64(w.now.Add(time.Minute).Unix()) })
	w.at(w.now.Add(2 * time.Minute))
	w.refused(open(w.guest, body), command.GrantExpired)
}

// TestHandle_PrivateForged: only the owner's signature makes a digest a grant.
func TestHandle_PrivateForged(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	p, body, err := tx.Seal(w.chain, [32]byte{7}, w.terms(func(p *tx.CreateGrant) { p.Grantee = w.stranger.Public() }))
	if err != nil {
		t.Fatal(err)
	}
	x := w.build(w.owner, p)
	x.Sign(w.chain, tx.RoleAccount, w.stranger)
	id := x.ID(w.chain)
	w.ledger.present[string(state.GrantKey(id))] = codec.MustMarshal(state.Grant{Issuer: w.owner.Public().AccountID(), Status: state.Active, Tx: x.Bytes()})
	w.ledger.block(w.now, true)
	b := w.body()
	b.Principal, b.Key, b.Grant = w.stranger.Public().AccountID(), w.stranger.Public().ID(), &id
	b.WithGrantBody(body)
	w.refused(w.sign(b, w.stranger), command.ForgedGrant)
}
