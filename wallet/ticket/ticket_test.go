package ticket

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var (
	owner  = statetest.Key("owner")
	guest  = statetest.Key("guest")
	device = statetest.Key("lock")
	addrs  = []string{"/ip4/127.0.0.1/tcp/1"}
)

func testDoc() *genesis.Doc {
	return &genesis.Doc{ChainID: "hos-test", Time: 1, Validators: []genesis.Validator{{Name: "v", PubKey: make([]byte, 32)}}, Vendors: []genesis.Vendor{}}
}

func signed(tb testing.TB, p tx.Payload) *tx.Tx {
	tb.Helper()
	t, err := tx.New(owner.Public().AccountID(), 3, 1000, p)
	if err != nil {
		tb.Fatal(err)
	}
	t.Sign(testDoc().Chain(), tx.RoleAccount, owner)
	return t
}

func grant(tb testing.TB) *tx.Tx {
	tb.Helper()
	return signed(tb, &tx.CreateGrant{Grantee: guest.Public(), NotBefore: 1, NotAfter: 2,
		Targets: []tx.Target{{Device: device.Public().DeviceID(), Epoch: 7, Endpoint: "lock", Methods: []string{"open"}}}})
}

func invite(tb testing.TB) Invite {
	tb.Helper()
	i, err := NewInvite(testDoc(), grant(tb), nil, device.Public(), addrs, addrs)
	if err != nil {
		tb.Fatal(err)
	}
	return i
}

func TestInvite_RoundTrip(t *testing.T) {
	i := invite(t)
	text := i.String()
	for _, s := range []string{text, " " + text + "\n", text[:40] + "\n  " + text[40:]} {
		got, err := ParseInvite(s)
		if err != nil {
			t.Fatal(err)
		}
		if got.ID() != i.ID() || got.Target.Epoch != 7 || got.Genesis == nil || got.String() != text || !got.Grant.Grantee.Equal(guest.Public()) {
			t.Errorf("came back as %+v", got)
		}
	}
}

// TestInvite_EveryCharacter: damage is always found.
func TestInvite_EveryCharacter(t *testing.T) {
	text := invite(t).String()
	for n := range text {
		for _, bad := range []string{text[:n], text[:n] + "_" + text[n+1:], text[:n] + "!" + text[n+1:]} {
			if bad == text {
				continue
			}
			if _, err := ParseInvite(bad); !errors.Is(err, BadInvite) {
				t.Fatalf("changed at %d: %v", n, err)
			}
		}
	}
}

// encode gives the text of a changed invitation with a right checksum, as an
// attacker would.
func encode(w wireInvite) string {
	raw := codec.MustMarshal(w)
	sum := sha256.Sum256(raw)
	return InvitePrefix + inviteText.EncodeToString(append(raw, sum[:checksumSize]...))
}

func TestParseInvite_Refuses(t *testing.T) {
	good := invite(t)
	other := testDoc()
	other.ChainID = "hos-other"
	cases := map[string]func(*wireInvite){
		"version":          func(w *wireInvite) { w.Version = 2 },
		"no grant":         func(w *wireInvite) { w.Grant = nil },
		"not a grant":      func(w *wireInvite) { w.Grant = signed(t, &tx.RevokeGrant{Grant: tx.ID{1}}).Bytes() },
		"other device":     func(w *wireInvite) { w.Device = guest.Public() },
		"bad device":       func(w *wireInvite) { w.Device.Bytes = nil },
		"bad genesis":      func(w *wireInvite) { w.Genesis = []byte("{}") },
		"other genesis":    func(w *wireInvite) { w.Genesis = other.JSON() },
		"huge genesis":     func(w *wireInvite) { w.Genesis = make([]byte, maxGenesis+1) },
		"bad address":      func(w *wireInvite) { w.Addrs = []string{"x"} },
		"bad node":         func(w *wireInvite) { w.Nodes = []string{""} },
		"many addresses":   func(w *wireInvite) { w.Addrs = slicesOf(maxAddrs + 1) },
		"many nodes":       func(w *wireInvite) { w.Nodes = slicesOf(maxNodes + 1) },
		"address too long": func(w *wireInvite) { w.Addrs = []string{"/" + strings.Repeat("a", maxAddr)} },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			w := wireInvite{Version: inviteVersion, Chain: good.Chain, Grant: good.Tx.Bytes(), Device: good.Device, Addrs: addrs, Nodes: addrs, Genesis: testDoc().JSON()}
			if _, err := ParseInvite(encode(w)); err != nil {
				t.Fatal(err)
			}
			spoil(&w)
			if _, err := ParseInvite(encode(w)); !errors.Is(err, BadInvite) {
				t.Errorf("got %v, want %s", err, BadInvite)
			}
		})
	}
	for _, s := range []string{"", InvitePrefix, "hosinv2abc", strings.Repeat("a", MaxText+1)} {
		if _, err := ParseInvite(s); !errors.Is(err, BadInvite) {
			t.Errorf("%.20q: %v", s, err)
		}
	}
}

func slicesOf(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = addrs[0]
	}
	return out
}

func TestOffer(t *testing.T) {
	chain := testDoc().Chain()
	o := Offer{Chain: chain, Tx: grant(t), Addrs: addrs}
	good := string(o.Bytes())
	got, err := ParseOffer([]byte(good), chain)
	if err != nil || got.Tx.ID(chain) != o.Tx.ID(chain) || len(got.Addrs) != 1 {
		t.Fatalf("came back as %+v, %v", got, err)
	}
	other := chain
	other[0] ^= 1
	if _, err := ParseOffer([]byte(good), other); !errors.Is(err, OtherLedger) {
		t.Errorf("other ledger: %v", err)
	}
	for name, bad := range map[string]string{
		"empty":         "",
		"cut":           good[:len(good)/2],
		"trailing":      good + "x",
		"unknown field": strings.Replace(good, `"kind"`, `"more": 1, "kind"`, 1),
		"other schema":  strings.Replace(good, Schema, "hos.other", 1),
		"newer":         strings.Replace(good, `"version": 1`, `"version": 2`, 1),
		"other kind":    strings.Replace(good, "create-grant", "transfer", 1),
		"bad tx":        strings.Replace(good, `"tx": "`, `"tx": "AAAA`, 1),
		"bad address":   strings.Replace(good, addrs[0], "x", 1),
		"too long":      strings.Repeat(" ", MaxOffer+1),
	} {
		if _, err := ParseOffer([]byte(bad), chain); !errors.Is(err, BadOffer) {
			t.Errorf("%s: %v, want %s", name, err, BadOffer)
		}
	}
}

func TestKinds_Unique(t *testing.T) {
	seen := make(map[ErrorKind]bool)
	for _, k := range Kinds() {
		if seen[k] || k == "" {
			t.Errorf("kind %q stands twice or is empty", k)
		}
		seen[k] = true
	}
}

func FuzzParseInvite(f *testing.F) {
	text := invite(f).String()
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add(InvitePrefix)
	f.Fuzz(func(t *testing.T, s string) {
		i, err := ParseInvite(s)
		if err != nil {
			return
		}
		if again, err := ParseInvite(i.String()); err != nil || again.ID() != i.ID() {
			t.Errorf("an accepted invitation does not survive: %v", err)
		}
	})
}

func FuzzParseOffer(f *testing.F) {
	chain := testDoc().Chain()
	f.Add(Offer{Chain: chain, Tx: grant(f)}.Bytes())
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ParseOffer(b, chain)
		if err != nil {
			return
		}
		if again, err := ParseOffer(o.Bytes(), chain); err != nil || again.Tx.ID(chain) != o.Tx.ID(chain) {
			t.Errorf("an accepted offer does not survive: %v", err)
		}
	})
}
