package state_test

import (
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var (
	phone   = keytest.Phone("phone")
	browser = keytest.P256("browser")
)

func phones() []key.Signer { return []key.Signer{phone, browser} }

// phoneWorld is owned's with a phone and a browser in the owner's account.
func phoneWorld(t *testing.T) *statetest.World {
	w := owned(t)
	w.Do(t, w.RotateTx(t, owner, owner, owner, phone, browser))
	return w
}

// TestPhone_Joins: its proof of possession is an assertion over the
// transaction's digest, and whoever follows the account's keys takes it over.
func TestPhone_Joins(t *testing.T) {
	w, own := pinned(t)
	w.Do(t, w.RotateTx(t, owner, owner, owner, phone, browser))
	own = follow(t, w, own)
	for _, k := range phones() {
		if got, ok := own.Owner.Keys.Find(k.Public().ID()); !ok || got.Rights != tx.RightInvoke || !got.Key.Equal(k.Public()) {
			t.Errorf("algorithm %d: %+v", k.Public().Alg, got)
		}
	}
	w.Do(t, w.RotateTx(t, owner, owner, owner, browser)) // and goes again
	own = follow(t, w, own)
	if _, ok := own.Owner.Keys.Find(phone.Public().ID()); ok {
		t.Error("the phone is still there")
	}
}

func TestPhone_ProofRefused(t *testing.T) {
	type a = keytest.Assertion
	for want, change := range map[key.ErrorKind]func(*a){
		key.WrongChallenge:  func(v *a) { v.Challenge = make([]byte, 32) },
		key.WrongOrigin:     func(v *a) { v.Origin = "https://evil.example" },
		key.WrongRP:         func(v *a) { v.RPID = "evil.example" },
		key.UserNotPresent:  func(v *a) { v.Flags = keytest.FlagUserVerified },
		key.UserNotVerified: func(v *a) { v.Flags = keytest.FlagUserPresent },
		key.HighS:           func(v *a) { v.HighS = true },
		key.BadSignature:    func(v *a) { v.BadSig = true },
	} {
		w := owned(t)
		refused(t, w, w.RotateTx(t, owner, owner, owner, phone.With(change)), want)
	}
	w := owned(t)
	good := w.RotateTx(t, owner, owner, owner, phone)
	good.Sigs = good.Sigs[:1]
	refused(t, w, good, state.MissingSigner)
	w.Do(t, w.RotateTx(t, owner, owner, owner, browser))
	refused(t, w, w.RotateTx(t, owner, owner, owner, browser, phone.With(func(v *a) { v.HighS = true })), key.HighS)
}

// TestPhone_NeverActs: alone, beside the owner, and in every role that is not a
// new key's.
func TestPhone_NeverActs(t *testing.T) {
	w := phoneWorld(t)
	give := w.TransferTx(t, owner, buyer, dev).Payload
	id := owner.Public().AccountID()
	payloads := map[string]tx.Payload{
		"grant":    w.GrantTx(t, owner, guest.Public(), dev, "open").Payload,
		"rotate":   w.RotateTx(t, owner, owner, owner).Payload,
		"transfer": give,
	}
	g := w.GrantTx(t, owner, guest.Public(), dev, "open")
	w.Do(t, g)
	payloads["revoke"] = &tx.RevokeGrant{Grant: g.ID(w.Block.Chain)}
	for name, p := range payloads {
		for _, k := range phones() {
			as := statetest.As{Role: tx.RoleAccount, Key: k}
			with := []statetest.As{as}
			if name == "transfer" {
				with = append(with, toBuyer)
			}
			t.Run(name, func(t *testing.T) {
				refused(t, w, w.Build(t, id, p, with...), state.WrongSigner)
				refused(t, w, w.Build(t, id, p, append(with, asOwner)...), state.WrongSigner)
				for _, r := range []tx.Role{tx.RoleVendor, tx.RoleDevice, tx.RoleNewOwner, tx.RoleNewKey} {
					refused(t, w, w.Build(t, id, p, asOwner, statetest.As{Role: r, Key: k}), state.WrongSigner)
				}
			})
		}
	}
}

// TestPhone_LyingRecords: no transaction makes such records, and should they
// stand on the ledger all the same, they give no phone's key more than it may
// have.
func TestPhone_LyingRecords(t *testing.T) {
	for _, k := range phones() {
		w, own := pinned(t)
		pub := k.Public()
		all := state.KeySet{Threshold: 1, Keys: []tx.AccountKey{{Key: pub, Rights: tx.RightAdmin | tx.RightInvoke}}}
		lieAccount(w, func(a *state.Account) { a.KeySet = all })
		id := owner.Public().AccountID()
		p := w.GrantTx(t, owner, guest.Public(), dev, "open").Payload
		grant := w.Build(t, id, p, statetest.As{Role: tx.RoleAccount, Key: k})
		refused(t, w, grant, state.WrongSigner)
		if _, err := state.FollowKeys(w.Tree, w.Block.Chain, own.Owner); !errors.Is(err, state.Forged) {
			t.Errorf("followed: %v", err)
		}
		g := state.Grant{Issuer: id, Status: state.Active, Tx: grant.Bytes()}
		if _, err := state.VerifyGrant(w.Block.Chain, state.Pin{Account: id, Keys: all}, grant.ID(w.Block.Chain), g); !errors.Is(err, state.Forged) {
			t.Errorf("a grant under such a pin: %v", err)
		}

		w = statetest.NewWorld()
		maker := pub.AccountID()
		w.Put(state.VendorKey(maker), state.Vendor{Name: "acme", Keys: []key.Public{pub}, Threshold: 1, Quota: 1})
		reg := w.RegisterTx(t, dev).Payload
		x := w.Build(t, maker, reg)
		x.Sign(w.Block.Chain, tx.RoleVendor, k)
		refused(t, w, x, state.WrongSigner)

		root := owner.Public()
		w.Put(state.DeviceKey(pub.DeviceID()), state.Device{Key: pub, Vendor: w.Vendor.Public().AccountID(), Model: "x"})
		claim := w.Build(t, root.AccountID(), &tx.Claim{Device: pub.DeviceID(), Epoch: 1, Root: &root}, asOwner, statetest.As{Role: tx.RoleDevice, Key: k})
		refused(t, w, claim, state.WrongSigner)
	}
}

// TestPhone_Grantee: a guest's phone gets a grant, which verifies.
func TestPhone_Grantee(t *testing.T) {
	for _, k := range phones() {
		w, own := pinned(t)
		x := w.GrantTx(t, owner, k.Public(), dev, "open")
		w.Do(t, x)
		id := x.ID(w.Block.Chain)
		g := must(state.GetGrant(w.Tree, id))
		p, err := state.VerifyGrant(w.Block.Chain, own.Owner, id, g)
		if err != nil || !p.Grantee.Equal(k.Public()) {
			t.Errorf("algorithm %d: %v", k.Public().Alg, err)
		}
	}
}
