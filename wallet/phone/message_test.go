package phone

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var longName = strings.Repeat("a", maxOrigin) + ".example"

// refusals are messages that a reader must not take, each spoilt in one place.
func refusals(tb testing.TB) []vectorRefused {
	tb.Helper()
	p := newSoftPhone(tb, "own phone on localhost", "http://localhost:8080")
	var out []vectorRefused
	add := func(name string, kind ErrorKind, m Message) {
		out = append(out, vectorRefused{name, string(m.slot()), string(kind), codec.MustMarshal(m)})
	}
	offer := func(name string, spoil func(*Offer)) {
		o := testOffer(p.origin, Own)
		spoil(o)
		add("offer: "+name, BadMessage, o)
	}
	offer("another version", func(o *Offer) { o.Version = 2 })
	offer("no chain id", func(o *Offer) { o.ChainID = "" })
	offer("unknown purpose", func(o *Offer) { o.Purpose = 3 })
	offer("label with a control character", func(o *Offer) { o.Label = "a\x1b[2J" })
	offer("label that turns the writing", func(o *Offer) { o.Label = "a\u202eb" })
	offer("label too long", func(o *Offer) { o.Label = strings.Repeat("a", MaxLabel+1) })
	offer("origin is an address", func(o *Offer) { o.Origin, o.RPID = "https://192.0.2.1", "192.0.2.1" })
	offer("name is not the origin's", func(o *Offer) { o.RPID = "home.example" })
	offer("origin with a slash", func(o *Offer) { o.Origin += "/" })
	offer("root of another account", func(o *Offer) { o.Root = deviceKey.Public() })
	offer("key set without keys", func(o *Offer) { o.Keys.Keys = nil })
	offer("threshold out of reach", func(o *Offer) { o.Keys.Threshold = 2 })
	offer("too many devices", func(o *Offer) {
		for len(o.Devices) <= MaxDevices {
			o.Devices = append(o.Devices, testDevice())
		}
	})
	offer("device without methods", func(o *Offer) { o.Devices[0].Methods = nil })
	offer("methods out of order", func(o *Offer) { o.Devices[0].Methods = []string{"open", "lock"} })
	offer("device without epoch", func(o *Offer) { o.Devices[0].Epoch = 0 })

	public := p.Public()
	add("key: another version", BadMessage, &Key{Version: 2, Public: public})
	add("key: no key", WrongKey, &Key{Version: version, Public: key.Public{Alg: 3}})
	add("key: unknown algorithm", WrongKey, &Key{Version: version, Public: key.Public{Alg: 99, Bytes: public.Bytes}})
	add("tx: not a change of keys", BadMessage, &Tx{Version: version, Body: codec.MustMarshal(testGrant(tb, public).Body)})
	add("tx: body is damaged", BadMessage, &Tx{Version: version, Body: codec.MustMarshal(testRotation(tb, public).Body)[1:]})
	add("proof: no signature", BadMessage, &Proof{Version: version})
	add("done: unknown status", BadMessage, &Done{Version: version, Status: 3})
	add("done: not a grant", BadMessage, &Done{Version: version, Status: Added, Grants: [][]byte{signedRotation(tb, public).Bytes()}})
	return out
}

func signedRotation(tb testing.TB, public key.Public) *tx.Tx {
	t := testRotation(tb, public)
	t.Sign(testChain, tx.RoleAccount, ownerKey)
	return t
}

func TestDecode_Refuses(t *testing.T) {
	for _, r := range refusals(t) {
		t.Run(r.Name, func(t *testing.T) {
			if err := decode(r.Plain, newMessage(Slot(r.Slot))); !errors.Is(err, ErrorKind(r.Kind)) {
				t.Errorf("got %v, want %s", err, r.Kind)
			}
		})
	}
}

// TestEncode_RefusesWhatDecodeRefuses: the wallet cannot send what a page would
// not take.
func TestEncode_RefusesWhatDecodeRefuses(t *testing.T) {
	p := newSoftPhone(t, "x", "https://home.example")
	offer := testOffer(p.origin, Own)
	offer.Label = "\a"
	for name, m := range map[string]Message{
		"offer": offer, "key": &Key{}, "tx": &Tx{}, "proof": &Proof{Signature: make([]byte, maxSignature+1)}, "done": &Done{Text: strings.Repeat("a", MaxText+1)},
		"too many grants": &Done{Status: Added, Grants: make([][]byte, MaxGrants+1)},
		"too long":        &Tx{Body: make([]byte, MaxPlain)},
	} {
		if b, err := encode(m); err == nil {
			t.Errorf("%s: encoded as %x", name, b)
		}
	}
	// Everything within its own cap, and too long in all.
	d := testDevice()
	d.Methods = nil
	for i := range maxMethods {
		d.Methods = append(d.Methods, strings.Repeat(string(rune('a'+i/26)), 30)+string(rune('a'+i%26)))
	}
	offer = testOffer(p.origin, Own)
	for range MaxDevices {
		offer.Devices = append(offer.Devices[:len(offer.Devices):len(offer.Devices)], d)
	}
	offer.Devices = offer.Devices[1:]
	if _, err := encode(offer); !errors.Is(err, BadMessage) {
		t.Errorf("an offer that no box holds: %v", err)
	}
}

func TestSeal_OpensForItsSlotAndBoxOnly(t *testing.T) {
	s, err := NewSecret(bytes.NewReader(make([]byte, SecretSize)))
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewSecret(bytes.NewReader(bytes.Repeat([]byte{1}, SecretSize)))
	if err != nil {
		t.Fatal(err)
	}
	m := &Done{Status: NotAdded, Text: "no"}
	sealed, err := s.Box().Seal(bytes.NewReader(make([]byte, nonceSize)), m)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Box().Open(sealed, new(Done)); err != nil {
		t.Fatal(err)
	}
	for n := range sealed {
		bad := bytes.Clone(sealed)
		bad[n] ^= 1
		if err := s.Box().Open(bad, new(Done)); !errors.Is(err, NotSealed) {
			t.Fatalf("changed at %d: %v", n, err)
		}
	}
	for name, err := range map[string]error{
		"other slot": s.Box().Open(sealed, new(Proof)),
		"other box":  other.Box().Open(sealed, new(Done)),
		"nothing":    s.Box().Open(nil, new(Done)),
		"cut off":    s.Box().Open(sealed[:nonceSize+tagSize-1], new(Done)),
		"too long":   s.Box().Open(make([]byte, MaxSealed+1), new(Done)),
	} {
		if !errors.Is(err, NotSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Box().Seal(bytes.NewReader(nil), m); err == nil {
		t.Error("sealed without randomness")
	}
	if _, err := NewSecret(bytes.NewReader(nil)); err == nil {
		t.Error("a secret without randomness")
	}
}

func FuzzDecode(f *testing.F) {
	for i, purpose := range []Purpose{Own, Guest} {
		for _, m := range conversation(f, newSoftPhone(f, "fuzz", "https://home.example"), purpose) {
			b, err := encode(m)
			if err != nil {
				f.Fatal(i, err)
			}
			f.Add(string(m.slot()), b)
		}
	}
	for _, r := range refusals(f) {
		f.Add(r.Slot, []byte(r.Plain))
	}
	f.Fuzz(func(t *testing.T, slot string, b []byte) {
		for _, s := range Slots() {
			if string(s) != slot {
				continue
			}
			m := newMessage(s)
			if decode(b, m) != nil {
				return
			}
			if again, err := encode(m); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("accepted %x, which is %x, %v", b, again, err)
			}
		}
	})
}
