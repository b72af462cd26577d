package ticket

import (
	"bytes"
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/chain/tx"
)

func terms() *tx.CreateGrant {
	return &tx.CreateGrant{Grantee: guest.Public(), NotBefore: 1, NotAfter: 2, Uses: 3,
		Targets: []tx.Target{{Device: device.Public().DeviceID(), Epoch: 7, Endpoint: "lock", Methods: []string{"open"}}}}
}

// TestInvite_Private: the private part comes along, and fits the grant.
func TestInvite_Private(t *testing.T) {
	p, body, err := tx.Seal(testDoc().Chain(), [32]byte{1}, terms())
	if err != nil {
		t.Fatal(err)
	}
	sealed := signed(t, p)
	i, err := NewInvite(testDoc(), sealed, body, device.Public(), addrs, addrs)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseInvite(i.String())
	if err != nil || !bytes.Equal(got.Private, body) || got.Grant.Uses != 3 || got.Target.Epoch != 7 || got.ID() != sealed.ID(testDoc().Chain()) {
		t.Fatalf("came back as %+v, %v", got, err)
	}
	_, other, err := tx.Seal(testDoc().Chain(), [32]byte{2}, terms())
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]wireInvite{
		"no private part":           {Grant: sealed.Bytes()},
		"the private part of other": {Grant: sealed.Bytes(), Private: other},
		"a part too much":           {Grant: grant(t).Bytes(), Private: body},
	} {
		w.Version, w.Chain, w.Device, w.Addrs, w.Nodes = inviteVersion, testDoc().Chain(), device.Public(), addrs, addrs
		if _, err := ParseInvite(encode(w)); !errors.Is(err, BadInvite) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestInvite_Delegated: what was given on is handed out as any grant; the end of
// one is none.
func TestInvite_Delegated(t *testing.T) {
	i, err := NewInvite(testDoc(), signed(t, &tx.DelegateGrant{Parent: tx.ID{1}, Grant: terms()}), nil, device.Public(), addrs, addrs)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseInvite(i.String()); err != nil || got.Grant.Uses != 3 {
		t.Errorf("came back as %+v, %v", got, err)
	}
	if _, err := NewInvite(testDoc(), signed(t, &tx.DelegateGrant{Parent: tx.ID{1}, Revoke: &tx.ID{2}}), nil, device.Public(), addrs, addrs); !errors.Is(err, BadInvite) {
		t.Errorf("the end of a grant: %v", err)
	}
}
