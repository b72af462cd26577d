package draft

import (
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// TestLedger_Phone: a phone's key joins with the one right to command, once it
// has proven itself, and not twice.
func TestLedger_Phone(t *testing.T) {
	f := owned(t)
	phone, other := keytest.Phone("mine"), keytest.Phone("other")
	d, err := f.ledger().AddPhone(party(f.owner), phone.Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ledger().Rehearse(d); !errors.Is(err, state.MissingSigner) {
		t.Errorf("without a proof: %v", err)
	}
	digest := d.Digest(f.Block.Chain)
	for want, proof := range map[key.ErrorKind]key.Signature{
		key.BadSignature:    other.Sign(digest),
		key.WrongChallenge:  phone.Sign([32]byte{1}),
		key.UserNotVerified: phone.With(func(a *keytest.Assertion) { a.Flags = keytest.FlagUserPresent }).Sign(digest),
	} {
		if err := f.ledger().ProvePhone(d, phone.Public(), proof); !errors.Is(err, want) || len(d.Sigs) != 1 {
			t.Errorf("got %v, %d signatures; want %s", err, len(d.Sigs), want)
		}
	}
	err = f.ledger().ProvePhone(d, phone.Public(), phone.Sign(digest))
	f.accept(t, d, err)
	a, err := f.ledger().CanSign(party(f.owner))
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := a.KeySet.Find(phone.Public().ID()); !ok || k.Rights != tx.RightInvoke {
		t.Errorf("the account has %+v", a.KeySet)
	}
	if _, err := f.ledger().AddPhone(party(f.owner), phone.Public()); !errors.Is(err, ErrKeyOfAccount) {
		t.Errorf("twice: %v", err)
	}
	if _, err := f.ledger().AddPhone(Party{Account: f.owner.Public().AccountID(), Key: f.next}, other.Public()); !errors.Is(err, state.WrongSigner) {
		t.Errorf("by a stranger: %v", err)
	}
	if _, err := f.ledger().AddKey(party(f.owner), other.Public(), tx.RightAdmin|tx.RightInvoke); !errors.Is(err, tx.InvokeOnly) {
		t.Errorf("as an admin key: %v", err)
	}
	d, err = f.ledger().RotateKey(party(f.owner), f.next) // the phone stays
	f.accept(t, d, err)
	me := Party{Account: f.owner.Public().AccountID(), Key: f.next}
	d, err = f.ledger().RemoveKey(me, phone.Public().ID())
	f.accept(t, d, err)
	if a, err := f.ledger().CanSign(me); err != nil || len(a.KeySet.Keys) != 1 {
		t.Errorf("after its end: %+v, %v", a, err)
	}
}
