package command_test

import (
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
)

func signedBy(t *testing.T, k key.Signer, change func(*command.Body)) *command.Command {
	t.Helper()
	b := body()
	b.Key = k.Public().ID()
	if change != nil {
		change(&b)
	}
	c, err := command.New(b)
	if err != nil {
		t.Fatal(err)
	}
	c.Sign(chain, k)
	got, err := command.Decode(c.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestVerifyBy_Phones: each refusal of a phone's key has its code.
func TestVerifyBy_Phones(t *testing.T) {
	type a = keytest.Assertion
	phone, browser := keytest.Phone("phone"), keytest.P256("browser")
	if err := signedBy(t, browser, nil).VerifyBy(chain, browser.Public()); err != nil {
		t.Fatalf("a browser's key: %v", err)
	}
	for _, c := range []struct {
		name   string
		change func(*a)
		want   command.Code
	}{
		{"good", func(*a) {}, command.OK},
		{"another challenge", func(v *a) { v.Challenge = make([]byte, 32) }, command.WrongChallenge},
		{"another page", func(v *a) { v.Origin = "https://evil.example" }, command.WrongOrigin},
		{"in a frame", func(v *a) { v.CrossOrigin = "true" }, command.WrongOrigin},
		{"another relying party", func(v *a) { v.RPID = "evil.example" }, command.WrongRP},
		{"nobody there", func(v *a) { v.Flags = 0 }, command.UserNotPresent},
		{"nobody known", func(v *a) { v.Flags = keytest.FlagUserPresent }, command.UserNotVerified},
		{"the other form", func(v *a) { v.HighS = true }, command.HighS},
		{"another signature", func(v *a) { v.BadSig = true }, command.BadSignature},
		{"a registration", func(v *a) { v.Type = "webauthn.create" }, command.BadSignature},
	} {
		err := signedBy(t, phone.With(c.change), nil).VerifyBy(chain, phone.Public())
		if command.CodeOf(err) != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
	replayed := signedBy(t, phone, nil)
	next := signedBy(t, phone, func(b *command.Body) { b.Nonce++ })
	next.Sigs[0].Bytes = replayed.Sigs[0].Bytes
	if err := next.VerifyBy(chain, phone.Public()); !errors.Is(err, command.WrongChallenge) {
		t.Errorf("an assertion of another command: %v", err)
	}
	if err := replayed.VerifyBy(codec.ChainDigest{}, phone.Public()); !errors.Is(err, command.WrongChallenge) {
		t.Errorf("another ledger: %v", err)
	}
}

// TestNew_RoomForAnySigner: the longest body that New allows decodes with the
// longest signature, and with MaxSigs of 64 bytes.
func TestNew_RoomForAnySigner(t *testing.T) {
	b := body()
	var c *command.Command
	for n := command.MaxBytes; ; n-- {
		b.Params = make([]byte, n)
		var err error
		if c, err = command.New(b); err == nil {
			break
		}
		if !errors.Is(err, command.TooLarge) {
			t.Fatal(err)
		}
	}
	for name, sigs := range map[string]int{"one of any algorithm": 1, "many of 64 bytes": command.MaxSigs} {
		size := key.SignatureSize
		if sigs == 1 {
			size = key.MaxSignature
		}
		c.Sigs = nil
		for i := range sigs {
			c.Sigs = append(c.Sigs, command.Sig{Key: key.KeyID{byte(i)}, Bytes: make([]byte, size)})
		}
		if _, err := command.Decode(c.Bytes()); err != nil {
			t.Errorf("%s: %d bytes: %v", name, len(c.Bytes()), err)
		}
	}
	if len(b.Params) < 2800 {
		t.Errorf("room for %d bytes of params", len(b.Params))
	}
}
