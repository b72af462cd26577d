package did

import (
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"strconv"

	"github.com/btcsuite/btcd/btcutil/base58"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// The media types of documents (DID Core 1.0, section 6).
const (
	TypeJSON   = "application/did+json"
	TypeJSONLD = "application/did+ld+json"
)

// The JSON-LD contexts of a document: the first always, the others where a key
// of their sort is in it.
const (
	contextDID      = "https://www.w3.org/ns/did/v1"
	contextMultikey = "https://w3id.org/security/multikey/v1"
	contextJWK      = "https://w3id.org/security/jwk/v1"
)

// Multicodec numbers of keys, as unsigned varints.
var (
	codecSecp256k1 = []byte{0xe7, 0x01} // secp256k1-pub
	codecP256      = []byte{0x80, 0x24} // p256-pub
	codecX25519    = []byte{0xec, 0x01} // x25519-pub
)

// sealFragment names a device's key for sealed messages; the other keys are
// named by their ids.
const sealFragment = "seal"

// Document is a DID document. Fields stand in the order of their names, so that
// one document has one text.
type Document struct {
	AssertionMethod      []string `json:"assertionMethod,omitempty"`
	Authentication       []string `json:"authentication,omitempty"`
	CapabilityDelegation []string `json:"capabilityDelegation,omitempty"`
	CapabilityInvocation []string `json:"capabilityInvocation,omitempty"`
	Controller           string   `json:"controller,omitempty"` // a device's owner
	ID                   string   `json:"id"`
	KeyAgreement         []string `json:"keyAgreement,omitempty"`
	VerificationMethod   []Key    `json:"verificationMethod"`
}

// Key is a verification method.
type Key struct {
	Controller string `json:"controller"`
	ID         string `json:"id"`
	JWK        *JWK   `json:"publicKeyJwk,omitempty"`
	Multibase  string `json:"publicKeyMultibase,omitempty"`
	Type       string `json:"type"` // Multikey or JsonWebKey
}

// JWK is the point of a passkey (RFC 7518, section 6.2.1). It names no
// algorithm: a passkey signs WebAuthn assertions only.
type JWK struct {
	Crv string `json:"crv"`
	Kty string `json:"kty"`
	X   string `json:"x"`
	Y   string `json:"y"`
}

// Metadata is what is known of a document (DID Core 1.0, section 7.1.3). Its
// values are text, since metadata has no numbers.
type Metadata struct {
	Epoch      string `json:"epoch,omitempty"`      // of a device: how often its owner has changed
	KeyVersion string `json:"keyVersion,omitempty"` // of an account: how often its keys have changed
	VersionID  string `json:"versionId,omitempty"`  // the height of the state that was read
}

// Derive gives the document that a record says. Nothing else is looked at: who
// believes the record may believe the document. Version is the block after
// which the record was so.
func Derive(d DID, record []byte, version int64) (Document, Metadata, error) {
	doc, meta := Document{ID: d.String()}, Metadata{VersionID: strconv.FormatInt(version, 10)}
	var err error
	switch d.kind {
	case kindAccount:
		meta.KeyVersion, err = doc.account(d, record)
	case kindDevice:
		meta.Epoch, err = doc.device(d, record)
	default:
		err = refuse(BadRecord, "the DID names nothing")
	}
	if err != nil {
		return Document{}, Metadata{}, err
	}
	return doc, meta, nil
}

func decode(record []byte, into any) error {
	if err := codec.Unmarshal(record, into, state.MaxRecord); err != nil {
		return refuse(BadRecord, "%v", err)
	}
	return nil
}

// account lists the present keys, and gives their version. A relationship says
// of each of its keys that it suffices alone. So keys of an account that needs
// several signatures neither assert nor delegate, and a key whose page decides
// what it signs does nothing but invoke.
func (doc *Document) account(d DID, record []byte) (string, error) {
	var r state.Account
	if err := decode(record, &r); err != nil {
		return "", err
	}
	if r.Root.AccountID() != d.account {
		return "", refuse(BadRecord, "the record's first key is another account's")
	}
	for _, k := range r.KeySet.Keys {
		id, err := doc.add(k.Key)
		if err != nil {
			return "", err
		}
		if k.Rights&tx.RightInvoke != 0 {
			doc.CapabilityInvocation = append(doc.CapabilityInvocation, id)
		}
		if k.Key.Alg.InvokeOnly() {
			continue
		}
		doc.Authentication = append(doc.Authentication, id)
		if k.Rights&tx.RightAdmin != 0 && r.KeySet.Threshold == 1 {
			doc.AssertionMethod = append(doc.AssertionMethod, id)
			doc.CapabilityDelegation = append(doc.CapabilityDelegation, id)
		}
	}
	return strconv.FormatUint(r.KeySet.Version, 10), nil
}

// device lists the device's key, which signs receipts and other statements, and
// the key that messages to it are sealed to, and gives the epoch. Its owner
// controls it; an unowned device is controlled by nobody.
func (doc *Document) device(d DID, record []byte) (string, error) {
	var r state.Device
	if err := decode(record, &r); err != nil {
		return "", err
	}
	if r.Key.DeviceID() != d.device {
		return "", refuse(BadRecord, "the record holds the key of another device")
	}
	if r.Owner != nil {
		doc.Controller = DID{chain: d.chain, account: *r.Owner, kind: kindAccount}.String()
	}
	id, err := doc.add(r.Key)
	if err != nil {
		return "", err
	}
	doc.AssertionMethod, doc.Authentication = []string{id}, []string{id}
	seal := doc.ID + "#" + sealFragment
	doc.KeyAgreement = []string{seal}
	doc.VerificationMethod = append(doc.VerificationMethod, multikey(doc.ID, seal, codecX25519, r.SealKey[:]))
	return strconv.FormatUint(r.Epoch, 10), nil
}

// add lists a key and gives its name.
func (doc *Document) add(k key.Public) (string, error) {
	if err := k.Validate(); err != nil {
		return "", refuse(BadRecord, "%v", err)
	}
	id := doc.ID + "#" + k.ID().String()
	var m Key
	switch k.Alg {
	case key.Secp256k1:
		m = multikey(doc.ID, id, codecSecp256k1, k.Bytes)
	case key.P256:
		m = multikey(doc.ID, id, codecP256, k.Bytes)
	case key.Passkey:
		r, err := k.Passkey()
		if err != nil {
			return "", refuse(BadRecord, "%v", err)
		}
		m = Key{Controller: doc.ID, ID: id, JWK: jwk(r.Point), Type: "JsonWebKey"}
	default:
		return "", refuse(BadRecord, "a key of algorithm %d", k.Alg)
	}
	doc.VerificationMethod = append(doc.VerificationMethod, m)
	return id, nil
}

// multikey is a key in its compressed form behind its multicodec, in base58btc.
func multikey(controller, id string, codec, raw []byte) Key {
	b := append(append(make([]byte, 0, len(codec)+len(raw)), codec...), raw...)
	return Key{Controller: controller, ID: id, Multibase: "z" + base58.Encode(b), Type: "Multikey"}
}

// jwk takes a compressed point that has been validated.
func jwk(point []byte) *JWK {
	x, y := elliptic.UnmarshalCompressed(elliptic.P256(), point)
	text := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	return &JWK{Crv: "P-256", Kty: "EC", X: text(x.FillBytes(make([]byte, 32))), Y: text(y.FillBytes(make([]byte, 32)))}
}

// Context gives the JSON-LD contexts that the document needs, in order.
func (doc Document) Context() []string {
	var multi, web bool
	for _, k := range doc.VerificationMethod {
		multi, web = multi || k.JWK == nil, web || k.JWK != nil
	}
	out := []string{contextDID}
	if multi {
		out = append(out, contextMultikey)
	}
	if web {
		out = append(out, contextJWK)
	}
	return out
}

// Produce gives the document's one text of a media type, without white space;
// nil for a type that is none of TypeJSON and TypeJSONLD.
func (doc Document) Produce(mediaType string) []byte {
	switch mediaType {
	case TypeJSON:
		return mustJSON(doc)
	case TypeJSONLD:
		return mustJSON(struct {
			Context []string `json:"@context"`
			Document
		}{doc.Context(), doc})
	default:
		return nil
	}
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("did: encode: " + err.Error()) // our own types, all strings
	}
	return b
}
