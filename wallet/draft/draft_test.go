package draft

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

type fixture struct {
	*statetest.World
	owner, next, dev *key.Private
}

// owned is a world in which owner owns dev.
func owned(t *testing.T) fixture {
	t.Helper()
	f := fixture{statetest.NewWorld(), statetest.Key("owner"), statetest.Key("next"), statetest.Key("lock")}
	f.Do(t, f.RegisterTx(t, f.dev))
	f.Do(t, f.ClaimTx(t, f.owner, f.dev))
	return f
}

func (f fixture) ledger() Ledger {
	return Ledger{View: f.Tree, Chain: f.Block.Chain, Height: f.Block.Height, Now: time.Unix(f.Block.Time, 0)}
}

func party(k *key.Private) Party { return Party{Account: k.Public().AccountID(), Key: k} }

// accept rehearses a draft and then executes it for real: what is rehearsed
// well is accepted, and rehearsing leaves no trace.
func (f fixture) accept(t *testing.T, d *tx.Tx, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	before := f.Tree.Clone()
	if err := f.ledger().Rehearse(d); err != nil {
		t.Fatalf("rehearsal: %v", err)
	}
	if !f.Tree.Equal(before) {
		t.Fatal("the rehearsal wrote into the ledger")
	}
	again, err := tx.Decode(d.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	f.Do(t, again)
}

func TestLedger_RegisterAndClaim(t *testing.T) {
	f := fixture{World: statetest.NewWorld(), owner: statetest.Key("owner"), dev: statetest.Key("lock")}
	d, err := f.ledger().RegisterDevice(party(f.Vendor), f.dev.Public(), [32]byte{1}, "Lock 1")
	f.accept(t, d, err)
	if _, err := f.ledger().RegisterDevice(party(f.owner), f.dev.Public(), [32]byte{1}, "Lock 1"); !errors.Is(err, state.NoVendor) {
		t.Errorf("not a vendor: %v", err)
	}
	id := f.dev.Public().DeviceID()
	if _, err := f.ledger().Claim(Party{Account: key.AccountID{1}, Key: f.owner}, id); !errors.Is(err, state.NoAccount) {
		t.Errorf("claim for an account of another key: %v", err)
	}
	d, err = f.ledger().Claim(party(f.owner), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ledger().Rehearse(d); !errors.Is(err, state.MissingSigner) {
		t.Errorf("without the device: %v", err)
	}
	d.Sign(f.Block.Chain, tx.RoleDevice, f.dev)
	f.accept(t, d, nil)
	if _, err := f.ledger().Claim(party(f.owner), id); !errors.Is(err, state.DeviceOwned) {
		t.Errorf("claimed twice: %v", err)
	}
}

func TestLedger_Grant(t *testing.T) {
	f := owned(t)
	g := Grant{Grantee: f.next.Public(), Device: f.dev.Public().DeviceID(), From: f.ledger().Now, To: f.ledger().Now.Add(time.Hour),
		Methods: []Method{{"lock", "state"}, {"bell", "ring"}, {"lock", "open"}, {"lock", "state"}}}
	d, err := f.ledger().CreateGrant(party(f.owner), g)
	f.accept(t, d, err)
	want := []tx.Target{
		{Device: g.Device, Epoch: 1, Endpoint: "bell", Methods: []string{"ring"}},
		{Device: g.Device, Epoch: 1, Endpoint: "lock", Methods: []string{"open", "state"}},
	}
	if diff := cmp.Diff(want, d.Payload.(*tx.CreateGrant).Targets); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if _, err := f.ledger().CreateGrant(party(f.next), g); !errors.Is(err, state.NotOwner) {
		t.Errorf("not the owner: %v", err)
	}
	if _, err := f.ledger().CreateGrant(Party{Account: f.owner.Public().AccountID(), Key: f.next}, g); !errors.Is(err, state.WrongSigner) {
		t.Errorf("not a key of the owner: %v", err)
	}
	r, err := f.ledger().RevokeGrant(party(f.owner), d.ID(f.Block.Chain))
	f.accept(t, r, err)
	r, err = f.ledger().RevokeGrant(party(f.owner), d.ID(f.Block.Chain))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ledger().Rehearse(r); !errors.Is(err, state.GrantRevoked) {
		t.Errorf("revoked twice: %v", err)
	}
}

func TestLedger_Release(t *testing.T) {
	f := owned(t)
	id := f.dev.Public().DeviceID()
	if _, err := f.ledger().Release(party(f.next), id); !errors.Is(err, state.NotOwner) {
		t.Errorf("not the owner: %v", err)
	}
	if _, err := f.ledger().Release(Party{Account: f.owner.Public().AccountID(), Key: f.next}, id); !errors.Is(err, state.WrongSigner) {
		t.Errorf("not a key of the owner: %v", err)
	}
	d, err := f.ledger().ReportLost(party(f.owner), id)
	f.accept(t, d, err)
	d, err = f.ledger().ReportFound(party(f.owner), id)
	f.accept(t, d, err)
	d, err = f.ledger().Release(party(f.owner), id)
	f.accept(t, d, err)
	if _, err := f.ledger().Release(party(f.owner), id); !errors.Is(err, state.NotOwner) {
		t.Errorf("released twice: %v", err)
	}
}

func TestLedger_Transfer(t *testing.T) {
	f := owned(t)
	id := f.dev.Public().DeviceID()
	first := f.next.Public()
	if _, err := f.ledger().Transfer(party(f.owner), id, first.AccountID(), nil); !errors.Is(err, state.NoAccount) {
		t.Errorf("unknown account without a key: %v", err)
	}
	if _, err := f.ledger().Transfer(party(f.next), id, first.AccountID(), &first); !errors.Is(err, state.NotOwner) {
		t.Errorf("not the owner: %v", err)
	}
	d, err := f.ledger().Transfer(party(f.owner), id, first.AccountID(), &first)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ledger().Rehearse(d); !errors.Is(err, state.MissingSigner) {
		t.Errorf("without the new owner: %v", err)
	}
	if err := f.ledger().AcceptTransfer(party(statetest.Key("other")), d); !errors.Is(err, ErrNotForUs) {
		t.Errorf("accepted by another: %v", err)
	}
	f.accept(t, d, f.ledger().AcceptTransfer(party(f.next), d))
	other, err := tx.New(first.AccountID(), 0, 1, &tx.RevokeGrant{Grant: tx.ID{1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ledger().AcceptTransfer(party(f.next), other); !errors.Is(err, ErrNotForUs) {
		t.Errorf("accepted another kind: %v", err)
	}
}

func TestLedger_Keys(t *testing.T) {
	f := owned(t)
	account := f.owner.Public().AccountID()
	d, err := f.ledger().AddKey(party(f.owner), f.next.Public(), tx.RightInvoke)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ledger().Rehearse(d); !errors.Is(err, state.MissingSigner) {
		t.Errorf("without the new key: %v", err)
	}
	if err := f.ledger().AcceptKey(f.dev, d); !errors.Is(err, ErrNotForUs) {
		t.Errorf("accepted by another: %v", err)
	}
	f.accept(t, d, f.ledger().AcceptKey(f.next, d))
	mine := Party{Account: account, Key: f.next}
	if _, err := f.ledger().RotateKey(mine, f.dev); !errors.Is(err, state.WrongSigner) {
		t.Errorf("rotation by a key that may only invoke: %v", err)
	}
	third := statetest.Key("third")
	d, err = f.ledger().RotateKey(party(f.owner), third)
	f.accept(t, d, err)
	if _, err := f.ledger().RotateKey(party(f.owner), f.dev); !errors.Is(err, state.WrongSigner) {
		t.Errorf("rotation by a key that is out: %v", err)
	}
	now := Party{Account: account, Key: third}
	if _, err := f.ledger().RemoveKey(now, key.KeyID{1}); !errors.Is(err, ErrNoKeyOfAccount) {
		t.Errorf("removing an unknown key: %v", err)
	}
	if _, err := f.ledger().RemoveKey(now, third.Public().ID()); !errors.Is(err, tx.Malformed) {
		t.Errorf("removing the last admin: %v", err)
	}
	d, err = f.ledger().RemoveKey(now, f.next.Public().ID())
	f.accept(t, d, err)
	a, err := state.GetAccount(f.Tree, account)
	if err != nil || len(a.KeySet.Keys) != 1 || a.KeySet.Version != 3 {
		t.Errorf("keys %+v, %v", a.KeySet, err)
	}
}

func TestLedger_Threshold(t *testing.T) {
	f := owned(t)
	id := f.owner.Public().AccountID()
	a, err := state.GetAccount(f.Tree, id)
	if err != nil {
		t.Fatal(err)
	}
	a.KeySet.Threshold = 2
	f.Put(state.AccountKey(id), a)
	if _, err := f.ledger().RevokeGrant(party(f.owner), tx.ID{1}); !errors.Is(err, ErrMoreSigners) {
		t.Errorf("got %v, want %v", err, ErrMoreSigners)
	}
}

func TestParseMethod(t *testing.T) {
	for text, want := range map[string]Method{"lock.open": {"lock", "open"}, "light.kitchen.on": {"light.kitchen", "on"}} {
		if got, err := ParseMethod(text); err != nil || got != want || got.String() != text {
			t.Errorf("ParseMethod(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "open", ".open", "lock.", "Lock.open", "lock.op en", "lock.\x1b"} {
		if _, err := ParseMethod(text); err == nil {
			t.Errorf("ParseMethod(%q) is accepted", text)
		}
	}
}
