package tx_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// longestPhone makes the longest key and the longest signatures.
func longestPhone(name string) *keytest.Passkey {
	domain := strings.Repeat(strings.Repeat("x", 50)+".", 2) + "yyyyyyyy.example"
	p := keytest.NewPasskey(name, domain, "https://1."+domain, "https://2."+domain, "https://3."+domain, "https://4."+domain)
	used := len(p.Assert([32]byte{}).ClientData)
	return p.With(func(v *keytest.Assertion) {
		v.Flags |= keytest.FlagExtensions
		v.Extensions, v.Tail = make([]byte, 256-37), `,"x":"`+strings.Repeat("y", 640-used-len(`,"x":""`))+`"`
	})
}

// TestNew_LongestRotation: a full set of owner keys replaces all but one of
// itself by the longest passkeys, and still fits.
func TestNew_LongestRotation(t *testing.T) {
	p := &tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{{Key: owner.Public(), Rights: tx.RightAdmin | tx.RightInvoke}}}
	var phones []*keytest.Passkey
	for i := range tx.MaxKeys - 1 {
		phones = append(phones, longestPhone(string(rune('a'+i))))
		p.Keys = append(p.Keys, tx.AccountKey{Key: phones[i].Public(), Rights: tx.RightInvoke})
	}
	x, err := tx.New(owner.Public().AccountID(), 1, 1, p)
	if err != nil {
		t.Fatal(err)
	}
	for i := range tx.MaxKeys {
		x.Sign(chain, tx.RoleAccount, statetest.Key(string(rune('a'+i))))
	}
	for _, k := range phones {
		x.Sign(chain, tx.RoleNewKey, k)
	}
	got, err := tx.Decode(x.Bytes())
	if err != nil || len(got.Sigs) != 2*tx.MaxKeys-1 {
		t.Fatalf("%d bytes: %v", len(x.Bytes()), err)
	}
	for _, s := range got.Sigs[tx.MaxKeys:] {
		for _, k := range phones {
			if k.Public().ID() == s.Key {
				if err := k.Public().Verify(got.Digest(chain), s.Bytes); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestDecode_SignatureLengths: any length that some algorithm has is for Verify
// to judge.
func TestDecode_SignatureLengths(t *testing.T) {
	good := build(t, tx.KindClaim)
	for n, ok := range map[int]bool{0: false, 1: true, key.SignatureSize: true, key.MaxSignature: true, key.MaxSignature + 1: false} {
		e := tx.Envelope{Body: codec.MustMarshal(good.Body), Sigs: []tx.Sig{{Role: tx.RoleAccount, Key: owner.Public().ID(), Bytes: make([]byte, n)}}}
		if _, err := tx.Decode(codec.MustMarshal(e)); (err == nil) != ok || err != nil && !errors.Is(err, tx.Malformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// TestStaticValidate_Phones: a phone's key may invoke and may be a grantee.
func TestStaticValidate_Phones(t *testing.T) {
	for _, k := range []key.Public{browser, passkey} {
		r := builders[tx.KindRotateKeys]().(*tx.RotateKeys)
		r.Keys = append(r.Keys, tx.AccountKey{Key: k, Rights: tx.RightInvoke})
		g := builders[tx.KindCreateGrant]().(*tx.CreateGrant)
		g.Grantee = k
		for _, p := range []tx.Payload{r, g} {
			if err := p.StaticValidate(); err != nil {
				t.Errorf("algorithm %d, %s: %v", k.Alg, p.Kind(), err)
			}
		}
	}
}
