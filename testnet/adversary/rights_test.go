package adversary_test

import (
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func (w *world) revoke(id tx.ID) { w.exec(owner, &tx.RevokeGrant{Grant: id}, tx.RoleAccount) }

// granted makes an attack of the guest's command under a grant of these terms.
func granted(terms func(w *world, g *tx.CreateGrant), change func(*command.Body)) func(*world) []byte {
	return func(w *world) []byte {
		w.grant = w.exec(owner, w.terms(guest.Public(), func(g *tx.CreateGrant) { terms(w, g) }), tx.RoleAccount)
		return w.lent(change)
	}
}

// hours are those of the week around the present minute of the world, by days
// and minutes from now.
func hours(w *world, days, from, to int) (string, []tx.Window) {
	at := w.time().UTC()
	day := (int(at.Weekday())+6+days)%7 + 1
	minute := at.Hour()*60 + at.Minute()
	return "Etc/UTC", []tx.Window{{Day: uint8(day), From: uint16(max(0, minute+from)), To: uint16(min(24*60, minute+to))}}
}

// private makes the guest's grant a private one and gives its body.
func private(w *world, salt byte) []byte {
	p, body, err := tx.Seal(w.chain, [32]byte{salt}, w.terms(guest.Public(), nil))
	w.check(err)
	w.grant = w.exec(owner, p, tx.RoleAccount)
	return body
}

func method(name string) func(*command.Body) { return func(b *command.Body) { b.Method = name } }

func atUnix(w *world, d time.Duration) uint64 { return uint64(w.time().Add(d).Unix()) }

// demand sets the owner's policy for opening.
func (w *world) demand(class tx.Freshness, signers uint8) {
	w.t.Helper()
	d, err := state.GetDevice(w.node, w.id())
	w.check(err)
	w.exec(owner, &tx.SetPolicy{Device: w.id(), Epoch: d.Epoch, Version: d.Policy + 1, Rules: []tx.MethodPolicy{
		{Endpoint: "lock", Method: "open", Class: class, Signers: signers},
	}}, tx.RoleAccount)
}

// replaced gives the owner's account one new key in place of all others.
func (w *world) replaced(k *key.Private) {
	w.t.Helper()
	w.rotate(func(p *tx.RotateKeys) {
		p.Keys = []tx.AccountKey{{Key: k.Public(), Rights: tx.RightAdmin | tx.RightInvoke}}
	}, k)
}

var authorisation = []attack{
	{name: "positive control: the guest reads", bytes: lend(method("state")), code: command.OK},
	{name: "positive control: a key that was added", bytes: func(w *world) []byte {
		w.addKeys(friend)
		return w.sign(w.body(func(b *command.Body) { b.Key = friend.Public().ID() }), friend)
	}, code: command.OK},
	{name: "positive control: within the hours", bytes: granted(func(w *world, g *tx.CreateGrant) {
		g.Zone, g.Windows = hours(w, 0, -1, 3)
	}, nil), code: command.OK},
	{name: "positive control: the last use", bytes: func(w *world) []byte {
		raw := granted(func(_ *world, g *tx.CreateGrant) { g.Uses = 2 }, nil)(w)
		w.ok(raw)
		return w.lent(nil)
	}, code: command.OK},
	{name: "positive control: a private grant", bytes: func(w *world) []byte {
		body := private(w, 1)
		return w.lent(func(b *command.Body) { b.WithGrantBody(body) })
	}, code: command.OK},

	{name: "a stranger", bytes: func(w *world) []byte {
		return w.sign(w.body(func(b *command.Body) {
			b.Principal, b.Key = stranger.Public().AccountID(), stranger.Public().ID()
		}), stranger)
	}, code: command.UnknownKey},
	{name: "a stranger in the owner's account", bytes: func(w *world) []byte {
		return w.sign(w.body(func(b *command.Body) { b.Key = stranger.Public().ID() }), stranger)
	}, code: command.UnknownKey},
	{name: "the vendor of the device", bytes: func(w *world) []byte {
		return w.sign(w.body(func(b *command.Body) {
			b.Principal, b.Key = vendor.Public().AccountID(), vendor.Public().ID()
		}), vendor)
	}, code: command.UnknownKey},
	{name: "the device itself", bytes: func(w *world) []byte {
		return w.sign(w.body(func(b *command.Body) {
			b.Principal, b.Key = device.Public().AccountID(), device.Public().ID()
		}), device)
	}, code: command.UnknownKey},
	{name: "the owner of another device", bytes: func(w *world) []byte {
		second := newKey("second device")
		w.exec(vendor, &tx.RegisterDevice{Key: second.Public(), SealKey: [32]byte{1}, Model: "bolt"}, tx.RoleVendor)
		root := stranger.Public()
		c := w.build(stranger, &tx.Claim{Device: second.Public().DeviceID(), Epoch: 1, Root: &root}, tx.RoleAccount)
		c.Sign(w.chain, tx.RoleDevice, second)
		w.commit(c)
		return w.sign(w.body(func(b *command.Body) {
			b.Principal, b.Key = stranger.Public().AccountID(), stranger.Public().ID()
		}), stranger)
	}, code: command.UnknownKey},
	{name: "a grant that does not exist", bytes: lend(func(b *command.Body) { b.Grant = &tx.ID{1} }), code: command.UnknownGrant},
	{name: "a stranger under the guest's grant", bytes: func(w *world) []byte {
		return w.sign(w.body(by(stranger, w.grant)), stranger)
	}, code: command.UnknownKey},
	{name: "a grant that another owner gave", bytes: func(w *world) []byte {
		second := newKey("second device")
		w.exec(vendor, &tx.RegisterDevice{Key: second.Public(), SealKey: [32]byte{1}, Model: "bolt"}, tx.RoleVendor)
		root := stranger.Public()
		c := w.build(stranger, &tx.Claim{Device: second.Public().DeviceID(), Epoch: 1, Root: &root}, tx.RoleAccount)
		c.Sign(w.chain, tx.RoleDevice, second)
		w.commit(c)
		w.grant = w.exec(stranger, w.terms(guest.Public(), func(g *tx.CreateGrant) { g.Targets[0].Device = second.Public().DeviceID() }), tx.RoleAccount)
		return w.lent(nil)
	}, code: command.NotGranted},
	{name: "a method outside the grant", bytes: lend(method("dim")), code: command.NotGranted},
	{name: "a method that the grant names as part of its name", bytes: granted(func(_ *world, g *tx.CreateGrant) {
		g.Targets[0].Methods = []string{"op"}
	}, nil), code: command.NotGranted},
	{name: "a grant for another epoch", bytes: func(w *world) []byte {
		w.transfer(2, owner, stranger)
		w.transfer(3, stranger, owner)
		return w.lent(func(b *command.Body) { b.Epoch = 3 })
	}, code: command.NotGranted},
	{name: "a revoked grant", bytes: func(w *world) []byte { w.revoke(w.grant); return w.lent(nil) }, code: command.GrantRevoked},
	{name: "a revoked grant, signed before", bytes: func(w *world) []byte {
		raw := w.lent(nil)
		w.revoke(w.grant)
		return raw
	}, code: command.GrantRevoked},
	{name: "a revoked grant that was in use", bytes: func(w *world) []byte {
		w.ok(w.lent(nil))
		w.revoke(w.grant)
		return w.lent(nil)
	}, code: command.GrantRevoked},
	{name: "a revoked grant, after a restart", bytes: func(w *world) []byte {
		w.revoke(w.grant)
		w.restart()
		return w.lent(nil)
	}, code: command.GrantRevoked},
	{name: "a stranger is not told of the end of a grant", bytes: func(w *world) []byte {
		w.revoke(w.grant)
		return w.sign(w.body(by(stranger, w.grant)), stranger)
	}, code: command.UnknownKey},
	{name: "positive control: a grant that ends soon", bytes: granted(func(w *world, g *tx.CreateGrant) {
		g.NotAfter = atUnix(w, 10*time.Second)
	}, nil), code: command.OK},
	{name: "a grant that has ended meanwhile", bytes: func(w *world) []byte {
		granted(func(w *world, g *tx.CreateGrant) { g.NotAfter = atUnix(w, 10*time.Second) }, nil)(w)
		w.pass(20 * time.Second)
		return w.lent(nil)
	}, code: command.GrantExpired},
	{name: "a grant that has not begun", bytes: granted(func(w *world, g *tx.CreateGrant) {
		g.NotBefore = atUnix(w, time.Hour)
	}, nil), status: command.Deferred, code: command.GrantNotYet},
	{name: "outside the hours", bytes: granted(func(w *world, g *tx.CreateGrant) {
		g.Zone, g.Windows = hours(w, 2, -1, 3)
	}, nil), status: command.Deferred, code: command.OutsideWindow},
	{name: "a zone that nobody knows", bytes: granted(func(w *world, g *tx.CreateGrant) {
		_, g.Windows = hours(w, 0, -1, 3)
		g.Zone = "Mars/Olympus"
	}, nil), code: command.UnknownZone},
	{name: "a grant for one use, twice", bytes: func(w *world) []byte {
		w.ok(granted(func(_ *world, g *tx.CreateGrant) { g.Uses = 1 }, nil)(w))
		return w.lent(nil)
	}, code: command.UsedUp},
	{name: "a grant for one use, twice, with a restart between", bytes: func(w *world) []byte {
		w.ok(granted(func(_ *world, g *tx.CreateGrant) { g.Uses = 1 }, nil)(w))
		w.restart()
		return w.lent(nil)
	}, code: command.UsedUp},
	{name: "a grant for one use in two lanes", bytes: func(w *world) []byte {
		w.ok(granted(func(_ *world, g *tx.CreateGrant) { g.Uses = 1 }, nil)(w))
		return w.lent(func(b *command.Body) { b.Salt = 9 })
	}, code: command.UsedUp},
	{name: "faster than the grant allows", bytes: func(w *world) []byte {
		w.ok(granted(func(_ *world, g *tx.CreateGrant) { g.Rate = &tx.Rate{Count: 1, Period: 60} }, nil)(w))
		return w.lent(nil)
	}, status: command.Deferred, code: command.GrantRate},
	{name: "a private grant without its body", bytes: func(w *world) []byte { private(w, 1); return w.lent(nil) }, code: command.BadGrantBody},
	{name: "a private grant with the body of another", bytes: func(w *world) []byte {
		other := private(w, 1)
		private(w, 2)
		return w.lent(func(b *command.Body) { b.WithGrantBody(other) })
	}, code: command.BadGrantBody},
	{name: "a private grant with a bent body", bytes: func(w *world) []byte {
		body := private(w, 1)
		body[len(body)-1] ^= 1
		return w.lent(func(b *command.Body) { b.WithGrantBody(body) })
	}, code: command.BadGrantBody},
	{name: "an open grant with a body", bytes: func(w *world) []byte {
		body := private(w, 1)
		w.grant = w.exec(owner, w.terms(guest.Public(), nil), tx.RoleAccount)
		return w.lent(func(b *command.Body) { b.WithGrantBody(body) })
	}, code: command.BadGrantBody},
	{name: "a body without a grant", bytes: func(w *world) []byte {
		body := private(w, 1)
		return w.owned(func(b *command.Body) { b.WithGrantBody(body) })
	}, code: command.Malformed},
	{name: "a key that was rotated out", bytes: func(w *world) []byte { w.replaced(newKey("next")); return w.owned(nil) }, code: command.UnknownKey},
	{name: "a key that was rotated out, signed before", bytes: func(w *world) []byte {
		raw := w.owned(nil)
		w.replaced(newKey("next"))
		return raw
	}, code: command.UnknownKey},
	{name: "a grant by a key that was rotated out", bytes: func(w *world) []byte { w.replaced(newKey("next")); return w.lent(nil) }, code: command.ForgedGrant},
	{name: "a key without the right to invoke", bytes: func(w *world) []byte {
		w.rotate(func(p *tx.RotateKeys) {
			p.Keys = append(p.Keys, tx.AccountKey{Key: friend.Public(), Rights: tx.RightAdmin})
		}, friend)
		return w.sign(w.body(func(b *command.Body) { b.Key = friend.Public().ID() }), friend)
	}, code: command.NotAllowed},
	{name: "what the policy has sealed", bytes: func(w *world) []byte { w.demand(tx.FreshSealed, 1); return w.owned(nil) }, status: command.Deferred, code: command.NotSealed},
	{name: "one key where the policy asks for two", bytes: func(w *world) []byte { w.demand(tx.FreshAccess, 2); return w.owned(nil) }, code: command.TooFewSigners},
	{name: "the guest where the policy asks for two keys", bytes: func(w *world) []byte { w.demand(tx.FreshAccess, 2); return w.lent(nil) }, code: command.TooFewSigners},
}

// heirs gives the guest's grant on to the friend: narrower as change says.
func heirs(change func(*tx.CreateGrant)) func(*world) tx.ID {
	return func(w *world) tx.ID {
		w.grant = w.exec(owner, w.terms(guest.Public(), func(g *tx.CreateGrant) { g.Depth, g.Uses = 2, 9 }), tx.RoleAccount)
		return w.give(guest, w.grant, w.terms(friend.Public(), func(g *tx.CreateGrant) {
			g.Depth, g.Uses = 1, 5
			if change != nil {
				change(g)
			}
		}))
	}
}

// give is a grant given on by its grantee.
func (w *world) give(by *key.Private, parent tx.ID, g *tx.CreateGrant) tx.ID {
	w.t.Helper()
	t := w.gift(by, by, parent, g)
	w.commit(t)
	return t.ID(w.chain)
}

func (w *world) gift(by, signer *key.Private, parent tx.ID, g *tx.CreateGrant) *tx.Tx {
	w.t.Helper()
	r, err := state.GetGrant(w.node, parent)
	w.check(err)
	t, err := tx.New(by.Public().AccountID(), r.Next, uint64(w.node.Now().Unix())+600, &tx.DelegateGrant{Parent: parent, Grant: g})
	w.check(err)
	t.Sign(w.chain, tx.RoleGrantee, signer)
	return t
}

// forged puts a grant that was given on into the ledger past all rules, as lying
// validators could.
func (w *world) forged(signer *key.Private, change func(*tx.CreateGrant)) tx.ID {
	w.t.Helper()
	honest := heirs(nil)(w)
	raw, err := w.node.Get(state.GrantKey(honest))
	w.check(err)
	var record state.Grant
	w.check(codec.Unmarshal(raw, &record, 1<<16))
	t := w.gift(guest, signer, w.grant, w.terms(friend.Public(), func(g *tx.CreateGrant) { g.Depth, g.Uses = 1, 5; change(g) }))
	record.Tx = t.Bytes()
	id := t.ID(w.chain)
	w.node.Set(state.GrantKey(id), codec.MustMarshal(record))
	w.seal()
	return id
}

func heir(id func(*world) tx.ID, change func(*command.Body)) func(*world) []byte {
	return func(w *world) []byte {
		b := w.body(by(friend, id(w)))
		if change != nil {
			change(&b)
		}
		return w.sign(b, friend)
	}
}

var delegation = []attack{
	{name: "positive control: a grant given on", bytes: heir(heirs(nil), nil), code: command.OK},
	{name: "positive control: a grant given on twice", bytes: func(w *world) []byte {
		id := w.give(friend, heirs(nil)(w), w.terms(stranger.Public(), func(g *tx.CreateGrant) { g.Uses = 1 }))
		return w.sign(w.body(by(stranger, id)), stranger)
	}, code: command.OK},
	{name: "the heir under the grant above", bytes: func(w *world) []byte {
		heirs(nil)(w)
		return w.sign(w.body(by(friend, w.grant)), friend)
	}, code: command.UnknownKey},
	{name: "the giver under the grant below", bytes: func(w *world) []byte {
		return w.sign(w.body(by(guest, heirs(nil)(w))), guest)
	}, code: command.UnknownKey},
	{name: "a method that was not given on", bytes: heir(heirs(func(g *tx.CreateGrant) { g.Targets[0].Methods = []string{"state"} }), nil), code: command.NotGranted},
	{name: "the grant above was revoked", bytes: func(w *world) []byte {
		raw := heir(heirs(nil), nil)(w)
		w.revoke(w.grant)
		return raw
	}, code: command.GrantRevoked},
	{name: "its own end by the giver", bytes: func(w *world) []byte {
		id := heirs(nil)(w)
		raw := w.sign(w.body(by(friend, id)), friend)
		r, err := state.GetGrant(w.node, w.grant)
		w.check(err)
		t, err := tx.New(guest.Public().AccountID(), r.Next, uint64(w.node.Now().Unix())+600, &tx.DelegateGrant{Parent: w.grant, Revoke: &id})
		w.check(err)
		t.Sign(w.chain, tx.RoleGrantee, guest)
		w.commit(t)
		return raw
	}, code: command.GrantRevoked},
	{name: "the uses of the grant above are spent", bytes: func(w *world) []byte {
		id := heirs(nil)(w)
		for range 9 {
			w.ok(w.lent(nil))
		}
		return w.sign(w.body(by(friend, id)), friend)
	}, code: command.UsedUp},
	{name: "its own uses are spent", bytes: func(w *world) []byte {
		id := heirs(func(g *tx.CreateGrant) { g.Uses = 1 })(w)
		w.ok(w.sign(w.body(by(friend, id)), friend))
		return w.sign(w.body(by(friend, id)), friend)
	}, code: command.UsedUp},
	{name: "the owner's key under the grant above was rotated out", bytes: func(w *world) []byte {
		raw := heir(heirs(nil), nil)(w)
		w.replaced(newKey("next"))
		return raw
	}, code: command.ForgedGrant},
	{name: "wider in its methods, in the ledger by a lie", bytes: func(w *world) []byte {
		id := w.forged(guest, func(g *tx.CreateGrant) { g.Targets[0].Methods = []string{"dim", "open"} })
		return w.sign(w.body(by(friend, id)), friend)
	}, code: command.ForgedGrant},
	{name: "longer than the grant above, in the ledger by a lie", bytes: func(w *world) []byte {
		id := w.forged(guest, func(g *tx.CreateGrant) { g.NotAfter += 3600 })
		return w.sign(w.body(by(friend, id)), friend)
	}, code: command.ForgedGrant},
	{name: "more uses than the grant above, in the ledger by a lie", bytes: func(w *world) []byte {
		id := w.forged(guest, func(g *tx.CreateGrant) { g.Uses = 10 })
		return w.sign(w.body(by(friend, id)), friend)
	}, code: command.ForgedGrant},
	{name: "deeper than the grant above, in the ledger by a lie", bytes: func(w *world) []byte {
		id := w.forged(guest, func(g *tx.CreateGrant) { g.Depth = 2 })
		return w.sign(w.body(by(friend, id)), friend)
	}, code: command.ForgedGrant},
	{name: "given on by a stranger, in the ledger by a lie", bytes: func(w *world) []byte {
		id := w.forged(stranger, func(*tx.CreateGrant) {})
		return w.sign(w.body(by(friend, id)), friend)
	}, code: command.ForgedGrant},
}
