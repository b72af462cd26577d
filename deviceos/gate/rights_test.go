package gate_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

func TestArm_OnceAndForThisDevice(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	own := state.Ownership{Device: w.device.Public().DeviceID(), Epoch: 1, Owner: state.NewPin(w.stranger.Public())}
	if err := w.gate.Arm(own); err == nil {
		t.Fatal("an owned device took another owner")
	}
	u := unowned(t, gate.Limits{})
	own.Device[0] ^= 1
	if err := u.gate.Arm(own); err == nil {
		t.Fatal("a device took the ownership of another")
	}
	w.restart()
	if has, ok := w.gate.Owner(); !ok || has.Owner.Account != w.owner.Public().AccountID() {
		t.Fatal("the owner is lost over a restart")
	}
}

func TestHandle_GrantTimes(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	make := func(from, to time.Duration) tx.ID {
		return w.createGrant(&tx.CreateGrant{
			Grantee:   w.guest.Public(),
			Targets:   []tx.Target{{Device: w.device.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}},
			NotBefore: uint64(w.now.Add(from).Unix()), NotAfter: uint64(w.now.Add(to).Unix()),
		})
	}
	w.grant = make(time.Minute, time.Hour)
	w.want(w.sign(w.guestBody(), w.guest), command.Deferred, command.GrantNotYet)
	w.grant = make(-time.Hour, -time.Second)
	w.refused(w.sign(w.guestBody(), w.guest), command.GrantExpired)
	w.grant = make(0, 0)
	w.ok(w.sign(w.guestBody(), w.guest))
}

func TestHandle_RevocationBitesAtOnce(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.ok(w.sign(w.guestBody(), w.guest))
	w.revoke()
	w.refused(w.sign(w.guestBody(), w.guest), command.GrantRevoked)
	// Only the grantee is told so.
	w.refused(w.sign(w.guestBody(), w.stranger), command.UnknownKey)
	w.restart()
	w.refused(w.sign(w.guestBody(), w.guest), command.GrantRevoked)
	w.ok(w.sign(w.body(), w.owner))
}

// A class R2 command never runs under an older head than the newest that the
// device knows of, also when the proofs do not come.
func TestHandle_NewHeadWithoutProofs(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	state := func() []byte {
		b := w.guestBody()
		b.Method = "state"
		return w.sign(b, w.guest)
	}
	w.ok(w.sign(w.guestBody(), w.guest))
	w.ok(state())
	w.ledger.block(w.now, true)
	w.ledger.offline = true
	w.want(w.sign(w.guestBody(), w.guest), command.Deferred, command.Stale)
	w.want(w.sign(w.body(), w.owner), command.Deferred, command.Stale)
	w.ok(state()) // R0 is content with an older word
	w.ledger.offline = false
	w.ok(w.sign(w.guestBody(), w.guest))
}

func TestHandle_FreshnessClasses(t *testing.T) {
	for _, c := range []struct {
		method string
		age    time.Duration
	}{{"open", time.Minute}, {"dim", time.Hour}, {"state", 24 * time.Hour}} {
		t.Run(c.method, func(t *testing.T) {
			w := newWorld(t, gate.Limits{})
			invoke := func() []byte {
				b := w.body()
				b.Method = c.method
				return w.sign(b, w.owner)
			}
			w.ok(invoke())
			w.ledger.offline = true
			w.now = w.now.Add(c.age)
			w.ok(invoke())
			w.now = w.now.Add(time.Millisecond)
			deferred := invoke()
			w.want(deferred, command.Deferred, command.Stale)
			// The same bytes succeed once the device has caught up by itself.
			w.ledger.offline = false
			w.ledger.block(w.now, false)
			w.ok(deferred)
		})
	}
}

func TestHandle_FirstHeadMissing(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.ledger.head = gate.Head{}
	w.ledger.offline = true
	w.restart()
	w.want(w.sign(w.body(), w.owner), command.Deferred, command.Stale)
}

// A guest that comes right after the grant was made: the device has not heard
// of that block, but the guest names its height.
func TestHandle_SeenLeadsToANewerHead(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	old := w.ledger.Head()
	grant := w.createGrant(&tx.CreateGrant{
		Grantee:   w.stranger.Public(),
		Targets:   []tx.Target{{Device: w.device.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}},
		NotBefore: 1, NotAfter: uint64(w.now.Unix()) + 60,
	})
	b := w.body()
	b.Principal, b.Key, b.Grant = w.stranger.Public().AccountID(), w.stranger.Public().ID(), &grant
	w.ledger.head = old
	w.ok(w.sign(b, w.stranger))
	if w.ledger.updates != 1 {
		t.Fatalf("%d updates", w.ledger.updates)
	}
}

// All validators together cannot give the device another owner.
func TestHandle_LyingValidators(t *testing.T) {
	thief := newKey(66)
	dev := newKey(1).Public().DeviceID()
	steal := func(w *world) {
		d, err := state.GetDevice(w.ledger.present, dev)
		if err != nil {
			t.Fatal(err)
		}
		id := thief.Public().AccountID()
		d.Owner, d.Epoch = &id, 2
		w.ledger.present[string(state.DeviceKey(dev))] = codec.MustMarshal(d)
		w.ledger.present[string(state.AccountKey(id))] = codec.MustMarshal(state.Account{
			Root: thief.Public(), KeySet: state.RootKeySet(thief.Public()),
		})
	}
	account := func(w *world) state.Account {
		a, err := state.GetAccount(w.ledger.present, w.owner.Public().AccountID())
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	put := func(w *world, k []byte, v any) { w.ledger.present[string(k)] = codec.MustMarshal(v) }
	cases := map[string]func(w *world){
		"owner without a transfer": steal,
		"transfer signed by the thief alone": func(w *world) {
			steal(w)
			tr := w.build(w.owner, &tx.Transfer{Device: dev, Epoch: 2, To: thief.Public().AccountID()})
			tr.Sign(w.chain, tx.RoleAccount, thief)
			tr.Sign(w.chain, tx.RoleNewOwner, thief)
			w.ledger.present[string(state.OwnerChangeKey(dev, 2))] = tr.Bytes()
		},
		"owner changed in the same epoch": func(w *world) {
			steal(w)
			d, err := state.GetDevice(w.ledger.present, dev)
			if err != nil {
				t.Fatal(err)
			}
			d.Epoch = 1
			put(w, state.DeviceKey(dev), d)
		},
		"keys added without a rotation": func(w *world) {
			a := account(w)
			a.KeySet.Keys = append(a.KeySet.Keys, tx.AccountKey{Key: thief.Public(), Rights: tx.RightInvoke})
			put(w, state.AccountKey(w.owner.Public().AccountID()), a)
		},
		"rotation signed by the thief": func(w *world) {
			p := &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{{Key: thief.Public(), Rights: tx.RightAdmin | tx.RightInvoke}}}
			rt := w.build(w.owner, p)
			rt.Sign(w.chain, tx.RoleAccount, thief)
			rt.Sign(w.chain, tx.RoleNewKey, thief)
			w.ledger.present[string(state.KeyChangeKey(w.owner.Public().AccountID(), 1))] = rt.Bytes()
			a := account(w)
			a.KeySet = state.KeySet{Version: 1, Threshold: 1, Keys: p.Keys}
			put(w, state.AccountKey(w.owner.Public().AccountID()), a)
		},
		"device gone":     func(w *world) { delete(w.ledger.present, string(state.DeviceKey(dev))) },
		"device garbled":  func(w *world) { w.ledger.present[string(state.DeviceKey(dev))] = []byte{1} },
		"account gone":    func(w *world) { delete(w.ledger.present, string(state.AccountKey(w.owner.Public().AccountID()))) },
		"epoch went back": func(w *world) { put(w, state.DeviceKey(dev), state.Device{Key: w.device.Public()}) },
	}
	for name, lie := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, gate.Limits{})
			honest := map[string][]byte{}
			for k, v := range w.ledger.present {
				honest[k] = v
			}
			before, _ := w.gate.Owner()
			lie(w)
			w.ledger.block(w.now, true)
			for _, epoch := range []uint64{1, 2} {
				b := w.body()
				b.Epoch, b.Principal, b.Key = epoch, thief.Public().AccountID(), thief.Public().ID()
				w.refused(w.sign(b, thief), command.Untrusted)
				b.Principal = w.owner.Public().AccountID()
				w.refused(w.sign(b, thief), command.Untrusted)
			}
			w.refused(w.sign(w.body(), w.owner), command.Untrusted)
			w.refused(w.sign(w.guestBody(), w.guest), command.Untrusted)
			w.restart()
			w.refused(w.sign(w.body(), w.owner), command.Untrusted)
			if after, _ := w.gate.Owner(); after.Epoch != before.Epoch || after.Owner.Account != before.Owner.Account || after.Owner.Keys.Version != 0 {
				t.Fatal("the device took over what nobody signed")
			}
			// Once the ledger tells the truth again, the owner is obeyed.
			w.ledger.present = honest
			w.ledger.block(w.now, true)
			w.ok(w.sign(w.body(), w.owner))
		})
	}
}

// A release that the owner signed ends the ownership, for good and also after a
// restart; the next owner comes with a claim of a later epoch.
func TestHandle_Release(t *testing.T) {
	dev := newKey(1).Public().DeviceID()
	release := &tx.Release{Device: dev, Epoch: 2}
	t.Run("forged", func(t *testing.T) {
		w := newWorld(t, gate.Limits{})
		d, err := state.GetDevice(w.ledger.present, dev)
		if err != nil {
			t.Fatal(err)
		}
		d.Owner, d.Epoch = nil, 2
		w.ledger.present[string(state.DeviceKey(dev))] = codec.MustMarshal(d)
		x := w.build(w.owner, release)
		x.Sign(w.chain, tx.RoleAccount, w.stranger)
		w.ledger.present[string(state.OwnerChangeKey(dev, 2))] = x.Bytes()
		w.ledger.block(w.now, true)
		w.refused(w.sign(w.body(), w.owner), command.Untrusted)
		if _, owned := w.gate.Owner(); !owned {
			t.Fatal("the device let go of its owner, who signed nothing")
		}
	})
	t.Run("signed", func(t *testing.T) {
		w := newWorld(t, gate.Limits{})
		w.ok(w.sign(w.guestBody(), w.guest))
		w.execute(w.owner, release, tx.RoleAccount)
		for range 2 {
			w.refused(w.sign(w.body(), w.owner), command.Unowned)
			w.refused(w.sign(w.guestBody(), w.guest), command.Unowned)
			if _, owned := w.gate.Owner(); owned {
				t.Fatal("the device holds on to an owner who gave it up")
			}
			w.restart()
		}
		c := w.build(w.owner, &tx.Claim{Device: dev, Epoch: 3}, tx.RoleAccount)
		c.Sign(w.chain, tx.RoleDevice, w.device)
		w.commit(c)
		pin, err := state.PinAccount(w.ledger.present, w.chain, w.owner.Public().AccountID())
		if err != nil {
			t.Fatal(err)
		}
		own, err := state.VerifyClaim(w.chain, w.device.Public(), pin, c.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.gate.Arm(own); err != nil {
			t.Fatal(err)
		}
		w.refused(w.sign(w.body(), w.owner), command.StaleEpoch)
		b := w.guestBody()
		b.Epoch = 3
		w.refused(w.sign(b, w.guest), command.NotGranted)
		b = w.body()
		b.Epoch = 3
		w.ok(w.sign(b, w.owner))
	})
}

func TestHandle_ForgedGrants(t *testing.T) {
	dev := newKey(1).Public().DeviceID()
	payload := func(w *world) *tx.CreateGrant {
		return &tx.CreateGrant{
			Grantee: w.stranger.Public(), NotBefore: 1, NotAfter: uint64(w.now.Unix()) + 60,
			Targets: []tx.Target{{Device: dev, Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}},
		}
	}
	cases := map[string]struct {
		forge func(w *world) (tx.ID, state.Grant)
		code  command.Code
	}{
		"signed by the thief": {func(w *world) (tx.ID, state.Grant) {
			g := w.build(w.owner, payload(w))
			g.Sign(w.chain, tx.RoleAccount, w.stranger)
			return g.ID(w.chain), state.Grant{Issuer: w.owner.Public().AccountID(), Status: state.Active, Tx: g.Bytes()}
		}, command.ForgedGrant},
		"another's transaction under the owner's name": {func(w *world) (tx.ID, state.Grant) {
			g := w.build(w.stranger, payload(w), tx.RoleAccount)
			return g.ID(w.chain), state.Grant{Issuer: w.owner.Public().AccountID(), Status: state.Active, Tx: g.Bytes()}
		}, command.ForgedGrant},
		"by a stranger": {func(w *world) (tx.ID, state.Grant) {
			g := w.build(w.stranger, payload(w), tx.RoleAccount)
			return g.ID(w.chain), state.Grant{Issuer: w.stranger.Public().AccountID(), Status: state.Active, Tx: g.Bytes()}
		}, command.NotGranted},
		"the owner's transaction under another id": {func(w *world) (tx.ID, state.Grant) {
			g, err := state.GetGrant(w.ledger.present, w.grant)
			if err != nil {
				t.Fatal(err)
			}
			return tx.ID{9}, g
		}, command.ForgedGrant},
		"no transaction": {func(w *world) (tx.ID, state.Grant) {
			return tx.ID{9}, state.Grant{Issuer: w.owner.Public().AccountID(), Status: state.Active}
		}, command.ForgedGrant},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, gate.Limits{})
			id, g := c.forge(w)
			w.ledger.present[string(state.GrantKey(id))] = codec.MustMarshal(g)
			w.ledger.block(w.now, true)
			b := w.body()
			b.Principal, b.Key, b.Grant = w.stranger.Public().AccountID(), w.stranger.Public().ID(), &id
			w.refused(w.sign(b, w.stranger), c.code)
			w.ok(w.sign(w.guestBody(), w.guest))
		})
	}
}

// A revoked grant that validators bring back to life is dead on a device that
// saw the revocation, and a transfer that both signed moves the device on.
func TestHandle_RevocationIsForGood(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	alive := w.ledger.present[string(state.GrantKey(w.grant))]
	w.ok(w.sign(w.guestBody(), w.guest))
	w.revoke()
	w.refused(w.sign(w.guestBody(), w.guest), command.GrantRevoked)
	w.ledger.present[string(state.GrantKey(w.grant))] = alive
	w.ledger.block(w.now, true)
	w.refused(w.sign(w.guestBody(), w.guest), command.GrantRevoked)
}

func TestHandle_TransferAndRotation(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	buyer, phone := newKey(20), newKey(21)
	w.ok(w.sign(w.body(), w.owner))
	late := w.sign(w.body(), w.owner)

	// A phone key that may only invoke; then the root key may no longer.
	rotate := w.build(w.owner, &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{
		{Key: w.owner.Public(), Rights: tx.RightAdmin}, {Key: phone.Public(), Rights: tx.RightInvoke},
	}}, tx.RoleAccount)
	rotate.Sign(w.chain, tx.RoleNewKey, phone)
	w.commit(rotate)
	b := w.body()
	b.Key = phone.Public().ID()
	w.ok(w.sign(b, phone))
	w.refused(w.sign(w.body(), w.owner), command.NotAllowed)
	w.ok(w.sign(w.guestBody(), w.guest)) // the owner's key still stands behind the grant

	root := buyer.Public()
	sale := w.build(w.owner, &tx.Transfer{Device: w.device.Public().DeviceID(), Epoch: 2, To: root.AccountID(), Root: &root}, tx.RoleAccount)
	sale.Sign(w.chain, tx.RoleNewOwner, buyer)
	w.commit(sale)
	b = w.body()
	b.Principal, b.Key, b.Epoch = root.AccountID(), root.ID(), 2
	first := w.sign(b, buyer)
	w.ok(first)
	w.refused(late, command.StaleEpoch)
	w.refused(w.sign(w.guestBody(), w.guest), command.StaleEpoch)
	b = w.guestBody()
	b.Epoch = 2
	w.refused(w.sign(b, w.guest), command.NotGranted) // a grant of the old owner's
	w.restart()
	w.refused(late, command.StaleEpoch)
	b = w.body()
	b.Principal, b.Key, b.Epoch = root.AccountID(), root.ID(), 2
	w.ok(w.sign(b, buyer))
}

// TestHandle_SlowProofAfterRevocation: a proof under an older head that comes
// in last does not bring back a grant which is known to be revoked.
func TestHandle_SlowProofAfterRevocation(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	w.ok(w.sign(w.guestBody(), w.guest))
	var first sync.Once
	asked, come := make(chan struct{}), make(chan struct{})
	w.ledger.slow = func(k []byte) {
		if bytes.Contains(k, w.grant[:]) {
			slow := false
			first.Do(func() { slow = true })
			if slow {
				close(asked)
				<-come
			}
		}
	}
	w.ledger.block(w.now, true)
	done := make(chan error, 1)
	go func() { done <- w.gate.Refresh(context.Background()) }()
	<-asked
	w.revoke()
	w.refused(w.sign(w.guestBody(), w.guest), command.GrantRevoked)
	close(come)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	b := w.guestBody()
	b.Method = "state" // R0 is content with what is held
	w.refused(w.sign(b, w.guest), command.GrantRevoked)
}
