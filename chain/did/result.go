package did

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"github.com/hybridos-net/hybridos/chain/proof"
)

// TypeResult is the media type of a whole resolution result.
const TypeResult = "application/did-resolution"

// ProofType names our proofs in resolution metadata.
const ProofType = "HybridOSRecordProof"

// Result is a DID resolution result.
type Result struct {
	Document   json.RawMessage `json:"didDocument"` // null on errors
	Metadata   Metadata        `json:"didDocumentMetadata"`
	Resolution Resolution      `json:"didResolutionMetadata"`
}

// Resolution is the metadata of the act of resolving.
type Resolution struct {
	ContentType string   `json:"contentType,omitempty"`
	Error       *Problem `json:"error,omitempty"`
	Proof       []Proof  `json:"proof,omitempty"`
}

// Problem is why nothing was resolved, in the form of RFC 9457.
type Problem struct {
	Code   string `json:"code"` // one word, as in DID Core 1.0
	Detail string `json:"detail"`
	Title  string `json:"title"`
	Type   string `json:"type"` // a URL
}

// Proof shows that the state tree of a height holds a record. The header of the
// next height commits to that tree.
type Proof struct {
	Height string `json:"height"` // decimal
	Key    string `json:"key"`    // of the record; hex
	Proof  []byte `json:"proof"`  // ics23; base64
	Type   string `json:"type"`   // ProofType
	Value  []byte `json:"value"`  // of the record; base64
}

// NewResult is the answer that a record with its proof gives. The document is
// in JSON-LD.
func NewResult(d DID, value, proof []byte, version int64) (*Result, error) {
	doc, meta, err := Derive(d, value, version)
	if err != nil {
		return nil, err
	}
	return &Result{
		Document: doc.Produce(TypeJSONLD), Metadata: meta,
		Resolution: Resolution{ContentType: TypeJSONLD, Proof: []Proof{{
			Height: meta.VersionID, Key: hex.EncodeToString(d.RecordKey()), Proof: proof, Type: ProofType, Value: value,
		}}},
	}, nil
}

// Bytes is the one text of the result.
func (r *Result) Bytes() []byte {
	if r.Document == nil {
		r = &Result{Document: json.RawMessage("null"), Metadata: r.Metadata, Resolution: r.Resolution}
	}
	return mustJSON(r)
}

// ParseResult reads a result. But for white space only the text that Bytes
// gives is accepted: no other order, no name twice, no other names.
func ParseResult(b []byte) (*Result, error) {
	if len(b) > MaxResult {
		return nil, refuse(Malformed, "%d bytes, at most %d", len(b), MaxResult)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, b); err != nil {
		return nil, refuse(Malformed, "%v", err)
	}
	r := new(Result)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, refuse(Malformed, "%v", err)
	}
	again, err := json.Marshal(r) // what is not valid inside Document shows here
	if err != nil || !bytes.Equal(again, compact.Bytes()) {
		return nil, refuse(Malformed, "not in the one form: names, order or escapes differ")
	}
	if bytes.Equal(r.Document, []byte("null")) {
		r.Document = nil
	}
	return r, nil
}

// Head is a header that the caller has verified.
type Head struct {
	Height  int64
	AppHash []byte
}

// Verify checks that a result is what the state under a verified header says of
// d, and gives the document as derived here. It proves what the validators
// agreed on. That the owners signed for the keys in it is checked with the
// rights of chain/state, which take more records.
func Verify(head Head, d DID, r *Result) (Document, Metadata, error) {
	switch {
	case r.Resolution.Error != nil:
		return Document{}, Metadata{}, refuse(NotResolved, "%s: %s", r.Resolution.Error.Code, r.Resolution.Error.Detail)
	case r.Document == nil:
		return Document{}, Metadata{}, refuse(NotResolved, "there is no document")
	case len(r.Resolution.Proof) != 1 || r.Resolution.Proof[0].Type != ProofType:
		return Document{}, Metadata{}, refuse(NoProof, "want one proof of type %s", ProofType)
	}
	p := r.Resolution.Proof[0]
	version := head.Height - 1
	if p.Height != strconv.FormatInt(version, 10) || r.Metadata.VersionID != p.Height {
		return Document{}, Metadata{}, refuse(WrongVersion, "proof of %q, document of %q, and the header commits to %d", p.Height, r.Metadata.VersionID, version)
	}
	if p.Key != hex.EncodeToString(d.RecordKey()) {
		return Document{}, Metadata{}, refuse(BadProof, "the proof is of another record than that of %s", d)
	}
	if err := proof.Verify(head.AppHash, d.RecordKey(), p.Value, p.Proof); err != nil {
		return Document{}, Metadata{}, refuse(BadProof, "%v", err)
	}
	doc, meta, err := Derive(d, p.Value, version)
	if err != nil {
		return Document{}, Metadata{}, err
	}
	if want := doc.Produce(r.Resolution.ContentType); want == nil || !bytes.Equal(want, compacted(r.Document)) || r.Metadata != meta {
		return Document{}, Metadata{}, refuse(WrongDocument, "not what the proven record gives")
	}
	return doc, meta, nil
}

func compacted(b []byte) []byte {
	var out bytes.Buffer
	if json.Compact(&out, b) != nil {
		return nil
	}
	return out.Bytes()
}
