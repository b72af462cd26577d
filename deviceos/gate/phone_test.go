package gate_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/gate"
)

// setPhones gives the owner's account these keys that may invoke, and no
// others but the owner's.
func (w *world) setPhones(phones ...key.Signer) {
	w.t.Helper()
	a, err := state.GetAccount(w.ledger.present, w.owner.Public().AccountID())
	if err != nil {
		w.t.Fatal(err)
	}
	p := &tx.RotateKeys{Version: a.KeySet.Version + 1, Threshold: 1, Keys: []tx.AccountKey{{Key: w.owner.Public(), Rights: tx.RightAdmin | tx.RightInvoke}}}
	for _, k := range phones {
		p.Keys = append(p.Keys, tx.AccountKey{Key: k.Public(), Rights: tx.RightInvoke})
	}
	t := w.build(w.owner, p, tx.RoleAccount)
	for _, k := range phones {
		if _, had := a.KeySet.Find(k.Public().ID()); !had {
			t.Sign(w.chain, tx.RoleNewKey, k)
		}
	}
	w.commit(t)
}

func (w *world) bodyBy(k key.Signer) command.Body {
	b := w.body()
	b.Key = k.Public().ID()
	return b
}

// TestPhone_Owner: a browser's key and a passkey of the owner's account open,
// each bad assertion is refused with its code and leaves no trace, and a key
// that is taken off opens no more.
func TestPhone_Owner(t *testing.T) {
	type a = keytest.Assertion
	w := newWorld(t, gate.Limits{})
	phone, browser := keytest.Phone("phone"), keytest.P256("browser")
	w.setPhones(phone, browser)
	w.ok(w.sign(w.bodyBy(browser), browser))
	w.ok(w.sign(w.bodyBy(phone), phone))
	for _, c := range []struct {
		change func(*a)
		code   command.Code
	}{
		{func(v *a) { v.Challenge = make([]byte, 32) }, command.WrongChallenge},
		{func(v *a) { v.Origin = "https://evil.example" }, command.WrongOrigin},
		{func(v *a) { v.CrossOrigin = "true" }, command.WrongOrigin},
		{func(v *a) { v.RPID = "evil.example" }, command.WrongRP},
		{func(v *a) { v.Flags = keytest.FlagUserVerified }, command.UserNotPresent},
		{func(v *a) { v.Flags = keytest.FlagUserPresent }, command.UserNotVerified},
		{func(v *a) { v.HighS = true }, command.HighS},
		{func(v *a) { v.BadSig = true }, command.BadSignature},
	} {
		w.refused(w.sign(w.bodyBy(phone), phone.With(c.change)), c.code)
	}
	old := w.sign(w.bodyBy(phone), phone)
	w.ok(old)
	replayed, err := command.Decode(w.sign(w.bodyBy(phone), phone))
	if err != nil {
		t.Fatal(err)
	}
	before, err := command.Decode(old)
	if err != nil {
		t.Fatal(err)
	}
	replayed.Sigs[0].Bytes = before.Sigs[0].Bytes // an old assertion under a new command
	w.refused(replayed.Bytes(), command.WrongChallenge)

	w.setPhones(browser)
	w.want(w.sign(w.bodyBy(phone), phone), command.Rejected, command.UnknownKey)
	w.ok(w.sign(w.bodyBy(browser), browser))
}

// TestPhone_SecondAssertion: a passkey can sign one command many times, and
// each has other bytes. It runs once all the same, and both get the same receipt.
func TestPhone_SecondAssertion(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	phone := keytest.Phone("phone")
	w.setPhones(phone)
	b := w.bodyBy(phone)
	raw := w.sign(b, phone)
	first, moves := w.ok(raw), w.bolt.total()
	other := w.sign(b, phone.With(func(v *keytest.Assertion) { v.Count = 7 }))
	for _, bytesOf := range [][]byte{other, raw} {
		if again := w.send(bytesOf); !bytes.Equal(first.Bytes(), again.Bytes()) || w.bolt.total() != moves {
			t.Fatalf("answered %s %s, the bolt moved %d times", again.Body.Status, again.Body.Code, w.bolt.total()-moves)
		}
	}
}

// TestPhone_Guest: a grant to a passkey, until it is revoked.
func TestPhone_Guest(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	phone := keytest.Phone("guest")
	id := w.createGrant(&tx.CreateGrant{
		Grantee:   phone.Public(),
		Targets:   []tx.Target{{Device: w.device.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}},
		NotBefore: uint64(w.now.Add(-time.Hour).Unix()), NotAfter: uint64(w.now.Add(time.Hour).Unix()),
	})
	body := func() command.Body {
		b := w.bodyBy(phone)
		b.Principal, b.Grant = phone.Public().AccountID(), &id
		return b
	}
	w.ok(w.sign(body(), phone))
	w.refused(w.sign(body(), phone.With(func(v *keytest.Assertion) { v.RPID = "evil.example" })), command.WrongRP)
	w.execute(w.owner, &tx.RevokeGrant{Grant: id}, tx.RoleAccount)
	w.refused(w.sign(body(), phone), command.GrantRevoked)
}

// TestPhone_FullAccount: a device holds and reads again an owner with as many
// of the longest passkeys as an account can have.
func TestPhone_FullAccount(t *testing.T) {
	w := newWorld(t, gate.Limits{})
	domain := strings.Repeat(strings.Repeat("x", 50)+".", 2) + "yyyyyyyy.example"
	var phones []key.Signer
	for i := range tx.MaxKeys - 1 {
		phones = append(phones, keytest.NewPasskey(string(rune('a'+i)), domain, "https://1."+domain, "https://2."+domain, "https://3."+domain, "https://4."+domain))
	}
	w.setPhones(phones...)
	w.ok(w.sign(w.bodyBy(phones[3]), phones[3]))
	w.restart()
	w.ok(w.sign(w.bodyBy(phones[14]), phones[14]))
}
