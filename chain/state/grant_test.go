package state_test

import (
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var (
	friend   = statetest.Key("friend")
	stranger = statetest.Key("stranger")
)

// givenOn lets guest open dev, and give that on twice.
func givenOn(tb testing.TB, w *statetest.World) tx.ID {
	p := w.Terms(guest.Public(), dev, "open", "state")
	p.Depth = 2
	g := w.GiveTx(tb, owner, p)
	w.Do(tb, g)
	return g.ID(w.Block.Chain)
}

// narrow is what may be given on under givenOn's grant.
func narrow(w *statetest.World, parent tx.ID, to *key.Private) *tx.CreateGrant {
	p := *must(state.ReadGrants(w.Tree, w.Block.Chain, parent)).Leaf().Grant
	p.Grantee, p.Depth = to.Public(), p.Depth-1
	return &p
}

func delegated(tb testing.TB, w *statetest.World, by, to *key.Private, parent tx.ID) tx.ID {
	x := w.DelegateTx(tb, by, &tx.DelegateGrant{Parent: parent, Grant: narrow(w, parent, to)})
	w.Do(tb, x)
	return x.ID(w.Block.Chain)
}

// giveOn is guest's giving on, spoiled.
func giveOn(by *key.Private, f func(*statetest.World, *tx.CreateGrant)) builder {
	return func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := givenOn(tb, w)
		p := narrow(w, id, friend)
		f(w, p)
		return w.DelegateTx(tb, by, &tx.DelegateGrant{Parent: id, Grant: p})
	}
}

func asIs(*statetest.World, *tx.CreateGrant) {}

var grantRefusals = []refusal{
	{"under no grant", state.NoGrant, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: tx.ID{1}, Grant: w.Terms(friend.Public(), dev, "open")})
	}},
	{"by another than the grantee", state.WrongSigner, giveOn(stranger, asIs)},
	{"by the owner, as a grantee", state.WrongSigner, giveOn(owner, asIs)},
	{"in the grantee's name", state.WrongSigner, func(tb testing.TB, w *statetest.World) *tx.Tx {
		x := giveOn(guest, asIs)(tb, w)
		x.Sigs = nil
		x.Sign(w.Block.Chain, tx.RoleGrantee, stranger)
		return x
	}},
	{"as an account", state.WrongSigner, func(tb testing.TB, w *statetest.World) *tx.Tx {
		x := giveOn(guest, asIs)(tb, w)
		x.Sigs = nil
		x.Sign(w.Block.Chain, tx.RoleAccount, guest)
		return x
	}},
	{"unsigned", state.MissingSigner, func(tb testing.TB, w *statetest.World) *tx.Tx {
		x := giveOn(guest, asIs)(tb, w)
		x.Sigs = nil
		return x
	}},
	{"a later number", state.BadSequence, func(tb testing.TB, w *statetest.World) *tx.Tx {
		x := giveOn(guest, asIs)(tb, w)
		x, err := tx.New(x.Body.Account, 1, x.Body.Expires, x.Payload)
		if err != nil {
			tb.Fatal(err)
		}
		x.Sign(w.Block.Chain, tx.RoleGrantee, guest)
		return x
	}},
	{"longer", state.NotNarrower, giveOn(guest, func(_ *statetest.World, p *tx.CreateGrant) { p.NotAfter++ })},
	{"as deep", state.NotNarrower, giveOn(guest, func(_ *statetest.World, p *tx.CreateGrant) { p.Depth++ })},
	{"another method", state.NotNarrower, giveOn(guest, func(_ *statetest.World, p *tx.CreateGrant) { p.Targets[0].Methods = []string{"unlock"} })},
	{"the next epoch", state.NotNarrower, giveOn(guest, func(_ *statetest.World, p *tx.CreateGrant) { p.Targets[0].Epoch++ })},
	{"under a grant without depth", state.NotNarrower, func(tb testing.TB, w *statetest.World) *tx.Tx {
		g := w.GrantTx(tb, owner, guest.Public(), dev, "open")
		w.Do(tb, g)
		return w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: g.ID(w.Block.Chain), Grant: w.Terms(friend.Public(), dev, "open")})
	}},
	{"under a private grant", state.NotNarrower, func(tb testing.TB, w *statetest.World) *tx.Tx {
		g := privateTx(tb, w)
		w.Do(tb, g)
		return w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: g.ID(w.Block.Chain), Grant: w.Terms(friend.Public(), dev, "open")})
	}},
	{"under a dead grant", state.GrantRevoked, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := givenOn(tb, w)
		w.Do(tb, w.RevokeTx(tb, owner, id))
		return w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: id, Grant: narrow(w, id, friend)})
	}},
	{"under one whose parent is dead", state.GrantRevoked, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := givenOn(tb, w)
		mid := delegated(tb, w, guest, friend, id)
		w.Do(tb, w.RevokeTx(tb, owner, id))
		return w.DelegateTx(tb, friend, &tx.DelegateGrant{Parent: mid, Grant: narrow(w, mid, stranger)})
	}},
	{"over a device that was given away", state.NotOwner, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := givenOn(tb, w)
		w.Do(tb, w.TransferTx(tb, owner, buyer, dev))
		return w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: id, Grant: narrow(w, id, friend)})
	}},
	{"over a device that came back", state.StaleEpoch, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := givenOn(tb, w)
		w.Do(tb, w.TransferTx(tb, owner, buyer, dev))
		w.Do(tb, w.TransferTx(tb, buyer, owner, dev))
		return w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: id, Grant: narrow(w, id, friend)})
	}},
	{"under a frozen owner", state.AccountFrozen, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := givenOn(tb, w)
		frozen(tb, w)
		return w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: id, Grant: narrow(w, id, friend)})
	}},
	{"one more than may be", state.TooManyGrants, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := givenOn(tb, w)
		g := must(state.GetGrant(w.Tree, id))
		g.Given = state.MaxGiven
		w.Put(state.GrantKey(id), g)
		return w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: id, Grant: narrow(w, id, friend)})
	}},
	{"ends no grant", state.NoGrant, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: givenOn(tb, w), Revoke: &tx.ID{1}})
	}},
	{"ends the owner's grant to another", state.NotIssuer, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := givenOn(tb, w)
		g := w.GrantTx(tb, owner, friend.Public(), dev, "open")
		w.Do(tb, g)
		other := g.ID(w.Block.Chain)
		return w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: id, Revoke: &other})
	}},
	{"ends what another gave on", state.NotIssuer, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := givenOn(tb, w)
		mid := delegated(tb, w, guest, friend, id)
		leaf := delegated(tb, w, friend, stranger, mid)
		return w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: id, Revoke: &leaf})
	}},
	{"ends it twice", state.GrantRevoked, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := givenOn(tb, w)
		mid := delegated(tb, w, guest, friend, id)
		w.Do(tb, w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: id, Revoke: &mid}))
		return w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: id, Revoke: &mid})
	}},
	{"a private grant over another's device", state.NotOwner, func(tb testing.TB, w *statetest.World) *tx.Tx {
		x := privateTx(tb, w)
		p := *x.Payload.(*tx.CreateGrant)
		p.Private.Devices[0].Device = spare.Public().DeviceID()
		return w.GiveTx(tb, owner, &p)
	}},
	{"a private grant for the next epoch", state.StaleEpoch, func(tb testing.TB, w *statetest.World) *tx.Tx {
		x := privateTx(tb, w)
		p := *x.Payload.(*tx.CreateGrant)
		p.Private.Devices[0].Epoch++
		return w.GiveTx(tb, owner, &p)
	}},
}

func privateTx(tb testing.TB, w *statetest.World) *tx.Tx {
	p, _, err := tx.Seal(w.Block.Chain, [32]byte{1}, w.Terms(guest.Public(), dev, "open"))
	if err != nil {
		tb.Fatal(err)
	}
	return w.GiveTx(tb, owner, p)
}

// TestDelegateGrant: what is written, and that the owner ends any of it.
func TestDelegateGrant(t *testing.T) {
	w := owned(t)
	id := givenOn(t, w)
	mid := delegated(t, w, guest, friend, id)
	leaf := delegated(t, w, friend, stranger, mid)
	root, middle := must(state.GetGrant(w.Tree, id)), must(state.GetGrant(w.Tree, mid))
	if root.Given != 2 || root.Next != 1 || middle.Given != 0 || middle.Next != 1 || middle.Issuer != owner.Public().AccountID() {
		t.Errorf("root %+v, middle %+v", root, middle)
	}
	chain := must(state.GetRight(w.Tree, w.Block.Chain, leaf))
	if len(chain) != 3 || chain[0].ID != id || chain.Leaf().ID != leaf || !chain.Leaf().Grant.Grantee.Equal(stranger.Public()) {
		t.Errorf("chain %+v", chain)
	}
	w.Do(t, w.RevokeTx(t, owner, mid))
	if _, err := state.GetRight(w.Tree, w.Block.Chain, leaf); !errors.Is(err, state.GrantRevoked) {
		t.Errorf("below a dead one: %v", err)
	}
	if _, err := state.GetRight(w.Tree, w.Block.Chain, id); err != nil {
		t.Errorf("above a dead one: %v", err)
	}
}

// TestPrivateGrant: it is revoked as any other, and opens for the device.
func TestPrivateGrant(t *testing.T) {
	w, own := pinned(t)
	p, body, err := tx.Seal(w.Block.Chain, [32]byte{1}, w.Terms(guest.Public(), dev, "open"))
	if err != nil {
		t.Fatal(err)
	}
	x := w.GiveTx(t, owner, p)
	w.Do(t, x)
	id := x.ID(w.Block.Chain)
	chain := must(state.GetRight(w.Tree, w.Block.Chain, id))
	if err := state.VerifyGrants(w.Block.Chain, own.Owner, chain); err != nil {
		t.Fatal(err)
	}
	g, err := chain[0].Grant.Open(w.Block.Chain, body)
	if err != nil || !g.Covers(dev.Public().DeviceID(), 1, "lock", "open") {
		t.Fatalf("%+v, %v", g, err)
	}
	w.Do(t, w.RevokeTx(t, owner, id))
	if _, err := state.GetRight(w.Tree, w.Block.Chain, id); !errors.Is(err, state.GrantRevoked) {
		t.Errorf("got %v", err)
	}
}

// grantLies are records about grants given on that no key above signed.
var grantLies = []lie{
	{"given on by a stranger", state.Forged, toGrants(func(tb testing.TB, w *statetest.World, g state.Grants) {
		g[1].Tx.Sigs = nil
		g[1].Tx.Sign(w.Block.Chain, tx.RoleGrantee, stranger)
	})},
	{"given on without a signature that counts", state.Forged, toGrants(func(tb testing.TB, w *statetest.World, g state.Grants) {
		g[1].Tx.Sigs[0].Role = tx.RoleAccount
	})},
	{"wider than the one above", state.Forged, toGrants(func(tb testing.TB, w *statetest.World, g state.Grants) {
		wide := *g[0].Grant
		wide.NotAfter--
		g[0].Grant = &wide
	})},
	{"another's issue", state.Forged, toGrants(func(tb testing.TB, w *statetest.World, g state.Grants) {
		g[1].Record.Issuer = thief.Public().AccountID()
	})},
	{"under another parent", state.Forged, toGrants(func(tb testing.TB, w *statetest.World, g state.Grants) {
		p := *g[1].Tx.Payload.(*tx.DelegateGrant)
		p.Parent[0] ^= 1
		x := w.DelegateTx(tb, guest, &p)
		g[1].Tx = x
	})},
	{"in another's name", state.Forged, toGrants(func(tb testing.TB, w *statetest.World, g state.Grants) {
		x, err := tx.New(friend.Public().AccountID(), 0, 1, g[1].Tx.Payload)
		if err != nil {
			tb.Fatal(err)
		}
		x.Sign(w.Block.Chain, tx.RoleGrantee, guest)
		g[1].Tx = x
	})},
	{"the first is not the owner's", state.NotIssuer, toGrants(func(tb testing.TB, w *statetest.World, g state.Grants) {
		g[0].Record.Issuer = thief.Public().AccountID()
	})},
	{"no grant at all", state.Forged, func(tb testing.TB) error {
		w, own := pinned(tb)
		return state.VerifyGrants(w.Block.Chain, own.Owner, nil)
	}},
	{"a chain without an end", state.Forged, func(tb testing.TB) error {
		w := owned(tb)
		id := givenOn(tb, w)
		for range tx.MaxDepth + 1 {
			x := w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: id, Grant: w.Terms(guest.Public(), dev, "open")})
			id = x.ID(w.Block.Chain)
			w.Put(state.GrantKey(id), state.Grant{Issuer: owner.Public().AccountID(), Status: state.Active, Tx: x.Bytes()})
		}
		_, err := state.ReadGrants(w.Tree, w.Block.Chain, id)
		return err
	}},
	{"a parent that is not there", state.NoGrant, func(tb testing.TB) error {
		w := owned(tb)
		x := w.DelegateTx(tb, guest, &tx.DelegateGrant{Parent: tx.ID{9}, Grant: w.Terms(guest.Public(), dev, "open")})
		w.Put(state.GrantKey(x.ID(w.Block.Chain)), state.Grant{Issuer: owner.Public().AccountID(), Status: state.Active, Tx: x.Bytes()})
		_, err := state.ReadGrants(w.Tree, w.Block.Chain, x.ID(w.Block.Chain))
		return err
	}},
}

// toGrants shows a lying chain of two to the device.
func toGrants(tell func(testing.TB, *statetest.World, state.Grants)) func(testing.TB) error {
	return func(tb testing.TB) error {
		w, own := pinned(tb)
		mid := delegated(tb, w, guest, friend, givenOn(tb, w))
		chain := must(state.ReadGrants(w.Tree, w.Block.Chain, mid))
		if err := state.VerifyGrants(w.Block.Chain, own.Owner, chain); err != nil {
			tb.Fatalf("honest chain refused: %v", err)
		}
		tell(tb, w, chain)
		return state.VerifyGrants(w.Block.Chain, own.Owner, chain)
	}
}
