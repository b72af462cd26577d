package phone

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var update = flag.Bool("update", false, "write testdata/phone.json anew")

const vectorFile = "testdata/phone.json"

// hexBytes are bytes that JSON shows as hex.
type hexBytes []byte

func (b hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }
func (b *hexBytes) UnmarshalText(t []byte) (err error) {
	*b, err = hex.DecodeString(string(t))
	return err
}

// vectors is the file that every language's phone side is tested against.
type vectors struct {
	About   string          `json:"about"`
	Boxes   []vectorBox     `json:"boxes"`
	Origins []vectorOrigin  `json:"origins"`
	Refused []vectorRefused `json:"refused"`
}

type vectorBox struct {
	Name     string          `json:"name"`
	Secret   hexBytes        `json:"secret"`
	Origin   string          `json:"origin"`
	RPID     string          `json:"rp_id"`
	Link     string          `json:"link"`
	Box      string          `json:"box"`      // number of the box
	Key      hexBytes        `json:"key"`      // of AES-256-GCM
	Chain    hexBytes        `json:"chain"`    // chain digest
	Public   hexBytes        `json:"public"`   // the phone's public key, canonical CBOR
	KeyID    string          `json:"key_id"`   // of it
	Compare  string          `json:"compare"`  // comparison code
	Digest   hexBytes        `json:"digest"`   // of the transaction in tx; empty for guests
	Messages []vectorMessage `json:"messages"` // in order
}

type vectorMessage struct {
	Slot   string   `json:"slot"`
	Nonce  hexBytes `json:"nonce"`
	Plain  hexBytes `json:"plain"`
	Sealed hexBytes `json:"sealed"`
}

type vectorOrigin struct {
	Text   string `json:"text"`
	Origin string `json:"origin"` // empty: refused
	RPID   string `json:"rp_id"`
}

type vectorRefused struct {
	Name  string   `json:"name"`
	Slot  string   `json:"slot"`
	Kind  string   `json:"kind"`
	Plain hexBytes `json:"plain"`
}

// softPhone is a phone with a passkey, made of a name: always the same.
type softPhone struct {
	*keytest.Passkey
	origin Origin
}

func newSoftPhone(tb testing.TB, name, origin string) softPhone {
	tb.Helper()
	o := mustOrigin(tb, origin)
	return softPhone{keytest.NewPasskey(name, o.RPID(), o.String()), o}
}

func mustOrigin(tb testing.TB, text string) Origin {
	tb.Helper()
	o, err := ParseOrigin(text)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

var (
	ownerKey  = statetest.Key("owner")
	deviceKey = statetest.Key("lock")
	testChain = codec.NewChainDigest("hos-test", [32]byte{7})
)

func testDevice() Device {
	return Device{Key: deviceKey.Public(), Name: "front-door", Model: "Front Door", Epoch: 1, Endpoint: "lock", Methods: []string{"lock", "open", "state", "unlock"}}
}

func testOffer(o Origin, purpose Purpose) *Offer {
	return &Offer{Version: version, Chain: testChain, ChainID: "hos-test", Account: ownerKey.Public().AccountID(), Purpose: purpose, Label: "Ana's phone",
		RPID: o.RPID(), Origin: o.String(), Devices: []Device{testDevice()}, Root: ownerKey.Public(), Keys: state.RootKeySet(ownerKey.Public())}
}

func testRotation(tb testing.TB, added key.Public) *tx.Tx {
	tb.Helper()
	p := &tx.RotateKeys{Version: 1, Threshold: 1, Keys: append(state.RootKeySet(ownerKey.Public()).Keys, tx.AccountKey{Key: added, Rights: tx.RightInvoke})}
	t, err := tx.New(ownerKey.Public().AccountID(), 1, 1_800_000_600, p)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func testGrant(tb testing.TB, grantee key.Public) *tx.Tx {
	tb.Helper()
	t, err := tx.New(ownerKey.Public().AccountID(), 2, 1_800_000_600, &tx.CreateGrant{Grantee: grantee, NotBefore: 1_800_000_000, NotAfter: 1_800_086_400,
		Targets: []tx.Target{{Device: deviceKey.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open", "state"}}}})
	if err != nil {
		tb.Fatal(err)
	}
	t.Sign(testChain, tx.RoleAccount, ownerKey)
	return t
}

// conversation is the messages of a box in order.
func conversation(tb testing.TB, p softPhone, purpose Purpose) []Message {
	tb.Helper()
	public := p.Public()
	offer := testOffer(p.origin, purpose)
	answer := &Key{Version: version, Public: public, Label: "Téléphone 7"}
	if purpose == Guest {
		d := testDevice()
		d.Methods = []string{"open", "state"}
		offer.Devices = []Device{d}
		return []Message{offer, answer,
			&Done{Version: version, Status: Added, Text: "You may use front-door now.", Grants: [][]byte{testGrant(tb, public).Bytes()}, Devices: []Device{d}}}
	}
	t := testRotation(tb, public)
	return []Message{offer, answer,
		&Tx{Version: version, Body: codec.MustMarshal(t.Body)},
		&Proof{Version: version, Signature: p.Sign(t.Digest(testChain))},
		&Done{Version: version, Status: Added, Text: "This phone may open your doors now."}}
}

// makeBox gives the vectors of one box.
func makeBox(tb testing.TB, name, origin string, purpose Purpose) vectorBox {
	tb.Helper()
	p := newSoftPhone(tb, name, origin)
	seed := sha256.Sum256([]byte("hybridos test secret " + name))
	s, err := NewSecret(bytes.NewReader(seed[:]))
	if err != nil {
		tb.Fatal(err)
	}
	box, public := s.Box(), p.Public()
	k, err := hkdf.Key(sha256.New, s.b[:], nil, labelBoxKey, 32)
	if err != nil {
		tb.Fatal(err)
	}
	out := vectorBox{Name: name, Secret: s.b[:], Origin: p.origin.String(), RPID: p.origin.RPID(), Link: s.Link(p.origin), Box: box.ID(), Key: k,
		Chain: testChain[:], Public: codec.MustMarshal(public), KeyID: public.ID().String(), Compare: s.Compare(public)}
	if purpose == Own {
		d := testRotation(tb, public).Digest(testChain)
		out.Digest = d[:]
	}
	for i, m := range conversation(tb, p, purpose) {
		nonce := sha256.Sum256([]byte{byte(i)})
		plain, err := encode(m)
		if err != nil {
			tb.Fatal(err)
		}
		out.Messages = append(out.Messages, vectorMessage{string(m.slot()), nonce[:nonceSize], plain, box.seal(nonce[:nonceSize], m.slot(), plain)})
	}
	return out
}

func originVectors() []vectorOrigin {
	out := []vectorOrigin{}
	for _, text := range goodOrigins {
		o, err := ParseOrigin(text)
		if err != nil {
			panic("phone: " + err.Error())
		}
		out = append(out, vectorOrigin{text, o.String(), o.RPID()})
	}
	for _, b := range badOrigins {
		out = append(out, vectorOrigin{Text: b.text})
	}
	return out
}

var goodOrigins = []string{
	"http://localhost", "http://localhost:8080", "http://localhost:8080/", "http://localhost:80", "https://localhost:8443",
	"https://home.example", "https://home.example:443", "https://Home.Example:8443/", "https://a-1.b.example", "https://xn--bcher-kva.example",
}

var badOrigins = []struct{ text, why string }{
	{"", "no web address"},
	{"home.example", "no web address"},
	{"http://home.example", "plain http"},
	{"http://home.localhost", "plain http"},
	{"http://127.0.0.1:8080", "IP address"},
	{"https://192.0.2.1", "IP address"},
	{"https://[2001:db8::1]:8443", "IP address"},
	{"https://192.0.2", "looks like an IP address"},
	{"https://home.0x7f", "looks like an IP address"},
	{"ftp://home.example", "scheme"},
	{"https://home.example/page", "more than"},
	{"https://home.example?x", "more than"},
	{"https://home.example?", "more than"},
	{"https://home.example#", "more than"},
	{"https://me@home.example", "more than"},
	{"https://home.example:", "empty port"},
	{"https://home.example:0", "no port"},
	{"https://home.example:08443", "no port"},
	{"https://home.example:70000", "no port"},
	{"https://home_1.example", "no domain name"},
	{"https://-home.example", "no domain name"},
	{"https://home.example.", "no domain name"},
	{"https://home..example", "no domain name"},
	{"https://bücher.example", "no domain name"},
	{"https://" + longName, "longer"},
}

// vectorNames counts what the file must hold, so that an empty one fails.
const (
	vectorBoxes   = 2
	vectorRefusal = 24
)

func makeVectors(tb testing.TB) vectors {
	tb.Helper()
	return vectors{
		About: "Boxes of wallet/phone; see docs/spec/phone.md. Bytes are hex. Old cases are never changed.",
		Boxes: []vectorBox{
			makeBox(tb, "own phone on localhost", "http://localhost:8080", Own),
			makeBox(tb, "guest phone over https", "https://home.example", Guest),
		},
		Origins: originVectors(),
		Refused: refusals(tb),
	}
}

func TestVectors(t *testing.T) {
	made := makeVectors(t)
	raw, err := json.MarshalIndent(made, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	raw = append(raw, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, raw) {
		t.Fatalf("%s is not what this code makes; if that is meant, go test ./wallet/phone -update", vectorFile)
	}
	var v vectors
	if err := json.Unmarshal(file, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Boxes) != vectorBoxes || len(v.Refused) != vectorRefusal || len(v.Origins) != len(goodOrigins)+len(badOrigins) {
		t.Fatalf("%d boxes, %d refusals, %d origins", len(v.Boxes), len(v.Refused), len(v.Origins))
	}
	for _, b := range v.Boxes {
		t.Run(b.Name, func(t *testing.T) { checkBox(t, b) })
	}
}

// checkBox opens every message of a box from the link alone.
func checkBox(t *testing.T, b vectorBox) {
	o, s, err := ParseLink(b.Link)
	if err != nil {
		t.Fatal(err)
	}
	if o.String() != b.Origin || o.RPID() != b.RPID || !bytes.Equal(s.b[:], b.Secret) || s.Box().ID() != b.Box {
		t.Fatalf("the link gives %s, %s, %s", o, o.RPID(), s.Box().ID())
	}
	var public key.Public
	for _, m := range b.Messages {
		into := newMessage(Slot(m.Slot))
		if err := s.Box().Open(m.Sealed, into); err != nil {
			t.Fatalf("%s: %v", m.Slot, err)
		}
		if again, err := encode(into); err != nil || !bytes.Equal(again, m.Plain) {
			t.Fatalf("%s came back as %x, %v", m.Slot, again, err)
		}
		switch got := into.(type) {
		case *Key:
			public = got.Public
			if s.Compare(public) != b.Compare || public.ID().String() != b.KeyID {
				t.Errorf("key %s, comparison code %s", public.ID(), s.Compare(public))
			}
		case *Tx:
			if d := codec.Digest(codec.LabelTx, codec.ChainDigest(b.Chain), got.Body); !bytes.Equal(d[:], b.Digest) {
				t.Errorf("digest %x", d)
			}
		case *Proof:
			if err := public.Verify([32]byte(b.Digest), got.Signature); err != nil {
				t.Errorf("proof: %v", err)
			}
		}
	}
}

// newMessage gives an empty message of a slot.
func newMessage(s Slot) Message {
	switch s {
	case SlotOffer:
		return new(Offer)
	case SlotKey:
		return new(Key)
	case SlotTx:
		return new(Tx)
	case SlotProof:
		return new(Proof)
	case SlotDone:
		return new(Done)
	default:
		panic("phone: no such slot")
	}
}
