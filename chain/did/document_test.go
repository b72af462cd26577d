package did_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/base58"
	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/did"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

const all = tx.RightAdmin | tx.RightInvoke

func secret(t testing.TB, b byte) *key.Private {
	t.Helper()
	k, err := key.FromBytes(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// account is a record whose root is a key of its own.
func account(root key.Public, threshold uint8, keys ...tx.AccountKey) (did.DID, []byte) {
	d, err := did.OfAccount("hos-1", root.AccountID())
	if err != nil {
		panic(err)
	}
	return d, codec.MustMarshal(state.Account{Root: root, KeySet: state.KeySet{Version: 3, Threshold: threshold, Keys: keys}, Sequence: 9})
}

func device(dev key.Public, owner *key.AccountID) (did.DID, []byte) {
	d, err := did.OfDevice("hos-1", dev.DeviceID())
	if err != nil {
		panic(err)
	}
	return d, codec.MustMarshal(state.Device{Key: dev, SealKey: [32]byte{9}, Model: "secret-model", Epoch: 2, Owner: owner})
}

func TestDerive_AccountRelationships(t *testing.T) {
	root, admin := secret(t, 1).Public(), secret(t, 2).Public()
	invoker, browser, passkey := secret(t, 3).Public(), keytest.P256("b").Public(), keytest.Phone("p").Public()
	keys := []tx.AccountKey{{Key: root, Rights: all}, {Key: admin, Rights: tx.RightAdmin}, {Key: invoker, Rights: tx.RightInvoke}, {Key: browser, Rights: tx.RightInvoke}, {Key: passkey, Rights: tx.RightInvoke}}
	for threshold, admins := range map[uint8][]key.Public{1: {root, admin}, 2: nil} {
		d, record := account(root, threshold, keys...)
		doc, meta, err := did.Derive(d, record, 77)
		if err != nil {
			t.Fatal(err)
		}
		if want := (did.Metadata{KeyVersion: "3", VersionID: "77"}); meta != want {
			t.Errorf("metadata: %+v", meta)
		}
		names := func(keys ...key.Public) (out []string) {
			for _, k := range keys {
				out = append(out, d.String()+"#"+k.ID().String())
			}
			return out
		}
		for _, c := range []struct {
			name string
			got  []string
			want []string
		}{
			{"capabilityInvocation", doc.CapabilityInvocation, names(root, invoker, browser, passkey)},
			{"authentication", doc.Authentication, names(root, admin, invoker)},
			{"assertionMethod", doc.AssertionMethod, names(admins...)},
			{"capabilityDelegation", doc.CapabilityDelegation, names(admins...)},
			{"keyAgreement", doc.KeyAgreement, nil},
		} {
			if diff := cmp.Diff(c.want, c.got); diff != "" {
				t.Errorf("threshold %d, %s: %s", threshold, c.name, diff)
			}
		}
		if doc.ID != d.String() || doc.Controller != "" || len(doc.VerificationMethod) != len(keys) {
			t.Errorf("%+v", doc)
		}
		for i, m := range doc.VerificationMethod {
			web := keys[i].Key.Alg == key.Passkey
			if m.ID != names(keys[i].Key)[0] || m.Controller != d.String() || (m.JWK != nil) != web || (m.Multibase == "") != web || (m.Type == "JsonWebKey") != web {
				t.Errorf("key %d: %+v", i, m)
			}
		}
	}
}

func TestDerive_Device(t *testing.T) {
	dev, owner := secret(t, 4).Public(), secret(t, 1).Public().AccountID()
	d, record := device(dev, &owner)
	doc, meta, err := did.Derive(d, record, 5)
	if err != nil {
		t.Fatal(err)
	}
	id := d.String() + "#" + dev.ID().String()
	want := did.Document{
		AssertionMethod: []string{id}, Authentication: []string{id}, Controller: "did:hybridos:hos-1:" + owner.String(),
		ID: d.String(), KeyAgreement: []string{d.String() + "#seal"},
		VerificationMethod: []did.Key{
			{Controller: d.String(), ID: id, Multibase: doc.VerificationMethod[0].Multibase, Type: "Multikey"},
			{Controller: d.String(), ID: d.String() + "#seal", Multibase: doc.VerificationMethod[1].Multibase, Type: "Multikey"},
		},
	}
	if diff := cmp.Diff(want, doc); diff != "" || meta != (did.Metadata{Epoch: "2", VersionID: "5"}) {
		t.Errorf("%+v %s", meta, diff)
	}
	if raw := base58.Decode(doc.VerificationMethod[1].Multibase[1:]); !bytes.Equal(raw, append([]byte{0xec, 1, 9}, make([]byte, 31)...)) {
		t.Errorf("seal key: %x", raw)
	}
	if strings.Contains(string(doc.Produce(did.TypeJSONLD)), "secret-model") {
		t.Error("the model is told")
	}
	// A transfer: the document is of the present.
	next := secret(t, 2).Public().AccountID()
	for _, o := range []*key.AccountID{&next, nil} {
		_, record := device(dev, o)
		doc, _, err := did.Derive(d, record, 6)
		if want := o != nil; err != nil || (doc.Controller != "") != want || want && !strings.HasSuffix(doc.Controller, o.String()) {
			t.Errorf("owner %v: %q %v", o, doc.Controller, err)
		}
	}
}

// Texts that the did:key method has published for the same keys.
func TestDerive_KnownKeys(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	x, _ := base64.RawURLEncoding.DecodeString("fyNYMN0976ci7xqiSdag3buk-ZCwgXU4kz9XNkBlNUI")
	const y = "hW2ojTNfH7Jbi8--CJUo3OCbH3y5n91g-IMA9MLMbTU"
	point := append([]byte{3}, x...) // y is odd
	passkey, err := key.NewPasskey(key.PasskeyRecord{Point: point, RPID: "example.org", Origins: []string{"https://example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	k1 := key.Public{Alg: key.Secp256k1, Bytes: unhex("03874c15c7fda20e539c6e5ba573c139884c351188799f5458b4b41f7924f235cd")}
	d, record := account(k1, 1, tx.AccountKey{Key: k1, Rights: all}, tx.AccountKey{Key: key.Public{Alg: key.P256, Bytes: point}, Rights: tx.RightInvoke}, tx.AccountKey{Key: passkey, Rights: tx.RightInvoke})
	doc, _, err := did.Derive(d, record, 1)
	if err != nil {
		t.Fatal(err)
	}
	m := doc.VerificationMethod
	if m[0].Multibase != "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme" {
		t.Errorf("secp256k1: %s", m[0].Multibase)
	}
	if m[1].Multibase != "zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169" {
		t.Errorf("P-256: %s", m[1].Multibase)
	}
	if want := (did.JWK{Crv: "P-256", Kty: "EC", X: base64.RawURLEncoding.EncodeToString(x), Y: y}); *m[2].JWK != want {
		t.Errorf("passkey: %+v", m[2].JWK)
	}
	if strings.Contains(string(doc.Produce(did.TypeJSON)), "example.org") {
		t.Error("the document tells where a passkey is used")
	}
}

func TestDerive_Refuses(t *testing.T) {
	root, other := secret(t, 1).Public(), secret(t, 2).Public()
	acc, accRecord := account(root, 1, tx.AccountKey{Key: root, Rights: all})
	dev, devRecord := device(root, nil)
	_, otherAcc := account(other, 1, tx.AccountKey{Key: other, Rights: all})
	_, otherDev := device(other, nil)
	_, badKey := account(root, 1, tx.AccountKey{Key: key.Public{Alg: key.Secp256k1, Bytes: []byte{2}}, Rights: all})
	_, badAlg := account(root, 1, tx.AccountKey{Key: key.Public{Alg: 9, Bytes: root.Bytes}, Rights: all})
	for name, c := range map[string]struct {
		d      did.DID
		record []byte
	}{
		"nothing":                {acc, nil},
		"no record":              {acc, []byte("x")},
		"a byte after it":        {acc, append(slices.Clone(accRecord), 0)},
		"another account":        {acc, otherAcc},
		"another device":         {dev, otherDev},
		"a device's as account":  {acc, devRecord},
		"an account's as device": {dev, accRecord},
		"a key off the curve":    {acc, badKey},
		"an unknown algorithm":   {acc, badAlg},
		"no subject":             {did.DID{}, accRecord},
		"too long":               {acc, make([]byte, state.MaxRecord+1)},
	} {
		doc, meta, err := did.Derive(c.d, c.record, 1)
		if !errors.Is(err, did.BadRecord) || !reflect.DeepEqual(doc, did.Document{}) || meta != (did.Metadata{}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// One record gives one text, sorted, without numbers, and JSON-LD is JSON with
// a context.
func TestProduce(t *testing.T) {
	root := secret(t, 1).Public()
	d, record := account(root, 1, tx.AccountKey{Key: root, Rights: all}, tx.AccountKey{Key: keytest.Phone("p").Public(), Rights: tx.RightInvoke})
	doc, _, err := did.Derive(d, record, 1)
	if err != nil {
		t.Fatal(err)
	}
	plain, linked := doc.Produce(did.TypeJSON), doc.Produce(did.TypeJSONLD)
	for _, text := range [][]byte{plain, linked} {
		var v map[string]any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(v) // sorts names
		if err != nil || !bytes.Equal(again, text) {
			t.Errorf("not sorted: %s", text)
		}
		if context, ok := v["@context"]; ok != bytes.Equal(text, linked) || ok && !reflect.DeepEqual(context, []any{"https://www.w3.org/ns/did/v1", "https://w3id.org/security/multikey/v1", "https://w3id.org/security/jwk/v1"}) {
			t.Errorf("context: %v", context)
		}
	}
	if got := doc.Produce("text/plain"); got != nil {
		t.Errorf("text: %s", got)
	}
	if dev, record := device(root, nil); true {
		doc, _, err := did.Derive(dev, record, 1)
		if err != nil || len(doc.Context()) != 2 {
			t.Errorf("a device's context: %v %v", doc.Context(), err)
		}
	}
}
