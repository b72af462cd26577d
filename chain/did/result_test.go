package did_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/did"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// grown is a real tree with an account and a device, and its root.
type grown struct {
	tree     *store.Tree
	root     []byte
	acc, dev did.DID
}

// grow commits two versions; the second holds the records.
func grow(t testing.TB) grown {
	t.Helper()
	tree, err := store.Open(store.Config{Dir: "d", FS: kv.NewMemFS()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	g := grown{tree: tree}
	k := secret(t, 1).Public()
	owner := k.AccountID()
	acc, accRecord := account(k, 1, tx.AccountKey{Key: k, Rights: all})
	dev, devRecord := device(secret(t, 4).Public(), &owner)
	for range 2 {
		for key, value := range map[string][]byte{string(acc.RecordKey()): accRecord, string(dev.RecordKey()): devRecord, "x": []byte("other")} {
			if err := tree.Set([]byte(key), value); err != nil {
				t.Fatal(err)
			}
		}
		if _, g.root, err = tree.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	g.acc, g.dev = acc, dev
	return g
}

func (g grown) result(t testing.TB, d did.DID) *did.Result {
	t.Helper()
	value, proof, err := g.tree.ProveAt(2, d.RecordKey())
	if err != nil {
		t.Fatal(err)
	}
	r, err := did.NewResult(d, value, proof, 2)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVerify(t *testing.T) {
	g := grow(t)
	head := did.Head{Height: 3, AppHash: g.root}
	for _, d := range []did.DID{g.acc, g.dev} {
		sent := g.result(t, d)
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, sent.Bytes(), " ", "\t"); err != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{sent.Bytes(), pretty.Bytes()} {
			r, err := did.ParseResult(text)
			if err != nil {
				t.Fatal(err)
			}
			doc, meta, err := did.Verify(head, d, r)
			if err != nil || doc.ID != d.String() || meta != sent.Metadata {
				t.Fatalf("%s: %v", d, err)
			}
			if got := doc.Produce(did.TypeJSONLD); !bytes.Equal(got, sent.Document) {
				t.Errorf("document: %s", got)
			}
			r.Resolution.ContentType, r.Document = did.TypeJSON, doc.Produce(did.TypeJSON)
			if _, _, err := did.Verify(head, d, r); err != nil {
				t.Errorf("without a context: %v", err)
			}
		}
	}
}

func TestVerify_Refuses(t *testing.T) {
	g := grow(t)
	other := g.result(t, g.dev)
	absent, absentProof, err := g.tree.ProveAt(2, []byte("a-nobody"))
	if err != nil || absent != nil {
		t.Fatal(err)
	}
	otherRoot := bytes.Clone(g.root)
	otherRoot[0] ^= 1
	good := did.Head{Height: 3, AppHash: g.root}
	for name, c := range map[string]struct {
		head  did.Head
		spoil func(*did.Result)
		want  did.ErrorKind
	}{
		"another app hash":      {did.Head{Height: 3, AppHash: otherRoot}, func(*did.Result) {}, did.BadProof},
		"no app hash":           {did.Head{Height: 3}, func(*did.Result) {}, did.BadProof},
		"an older header":       {did.Head{Height: 2, AppHash: g.root}, func(*did.Result) {}, did.WrongVersion},
		"a later header":        {did.Head{Height: 4, AppHash: g.root}, func(*did.Result) {}, did.WrongVersion},
		"no header":             {did.Head{}, func(*did.Result) {}, did.WrongVersion},
		"an error":              {good, func(r *did.Result) { r.Resolution.Error = &did.Problem{Code: "notFound"} }, did.NotResolved},
		"no document":           {good, func(r *did.Result) { r.Document = nil }, did.NotResolved},
		"no proof":              {good, func(r *did.Result) { r.Resolution.Proof = nil }, did.NoProof},
		"two proofs":            {good, func(r *did.Result) { r.Resolution.Proof = append(r.Resolution.Proof, r.Resolution.Proof[0]) }, did.NoProof},
		"another sort of proof": {good, func(r *did.Result) { r.Resolution.Proof[0].Type = "Other" }, did.NoProof},
		"height with a zero":    {good, func(r *did.Result) { r.Resolution.Proof[0].Height = "02" }, did.WrongVersion},
		"version of another":    {good, func(r *did.Result) { r.Metadata.VersionID = "1" }, did.WrongVersion},
		"key of another":        {good, func(r *did.Result) { r.Resolution.Proof[0].Key = hex.EncodeToString(g.dev.RecordKey()) }, did.BadProof},
		"key in capitals":       {good, func(r *did.Result) { r.Resolution.Proof[0].Key = strings.ToUpper(r.Resolution.Proof[0].Key) }, did.BadProof},
		"proof of another":      {good, func(r *did.Result) { r.Resolution.Proof[0].Proof = other.Resolution.Proof[0].Proof }, did.BadProof},
		"proof of absence":      {good, func(r *did.Result) { r.Resolution.Proof[0].Proof = absentProof }, did.BadProof},
		"empty proof":           {good, func(r *did.Result) { r.Resolution.Proof[0].Proof = nil }, did.BadProof},
		"no value":              {good, func(r *did.Result) { r.Resolution.Proof[0].Value = nil }, did.BadProof},
		"value of another":      {good, func(r *did.Result) { r.Resolution.Proof[0].Value = other.Resolution.Proof[0].Value }, did.BadProof},
		"document of another":   {good, func(r *did.Result) { r.Document = other.Document }, did.WrongDocument},
		"document with a key more": {good, func(r *did.Result) {
			r.Document = bytes.Replace(r.Document, []byte(`"id":`), []byte(`"id":"did:x:y","id":`), 1)
		}, did.WrongDocument},
		"document without context": {good, func(r *did.Result) { r.Document = []byte(`{"id":"` + g.acc.String() + `"}`) }, did.WrongDocument},
		"another type":             {good, func(r *did.Result) { r.Resolution.ContentType = did.TypeJSON }, did.WrongDocument},
		"an unknown type":          {good, func(r *did.Result) { r.Resolution.ContentType = "text/plain" }, did.WrongDocument},
		"another key version":      {good, func(r *did.Result) { r.Metadata.KeyVersion = "4" }, did.WrongDocument},
		"an epoch":                 {good, func(r *did.Result) { r.Metadata.Epoch = "1" }, did.WrongDocument},
		"not JSON":                 {good, func(r *did.Result) { r.Document = []byte(`{`) }, did.WrongDocument},
	} {
		r := g.result(t, g.acc)
		c.spoil(r)
		if doc, _, err := did.Verify(c.head, g.acc, r); !errors.Is(err, c.want) || doc.ID != "" {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, _, err := did.Verify(good, g.dev, g.result(t, g.acc)); !errors.Is(err, did.BadProof) {
		t.Errorf("asked for another: %v", err)
	}
	// The tree may hold what is no record of this subject.
	odd := g.result(t, g.acc)
	value, proof, err := g.tree.ProveAt(2, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := did.NewResult(g.acc, value, proof, 2); !errors.Is(err, did.BadRecord) || r != nil {
		t.Errorf("NewResult of no record: %v", err)
	}
	if _, _, err := did.Verify(good, did.DID{}, odd); !errors.Is(err, did.BadProof) {
		t.Errorf("no subject: %v", err)
	}
}

func TestParseResult_Refuses(t *testing.T) {
	good := string(grow(t).result(t, grow(t).acc).Bytes())
	swap := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("%s is not in %s", from, good)
		}
		return strings.Replace(good, from, to, 1)
	}
	for name, text := range map[string]string{
		"empty":            "",
		"a list":           "[]",
		"a string":         `""`,
		"null":             "null",
		"two":              good + good,
		"cut off":          good[:len(good)-1],
		"an unknown name":  `{"more":1,` + good[1:],
		"a name twice":     `{"didDocument":null,` + good[1:],
		"capitals":         swap(`"didDocument"`, `"DIDDocument"`),
		"a number":         swap(`"height":"2"`, `"height":2`),
		"proof no base64":  swap(`"proof":"`, `"proof":"*`),
		"no list":          swap(`"proof":[`, `"proof":{"a":[`),
		"another order":    swap(`"height":"2",`, ``),
		"no resolution":    `{"didDocument":null,"didDocumentMetadata":{}}`,
		"too long":         good + strings.Repeat(" ", did.MaxResult),
		"a lone surrogate": `{"didDocument":null,"didDocumentMetadata":{},"didResolutionMetadata":{"contentType":"\ud800"}}`,
	} {
		if r, err := did.ParseResult([]byte(text)); !errors.Is(err, did.Malformed) || r != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResult_ErrorRoundTrip(t *testing.T) {
	r := &did.Result{Resolution: did.Resolution{Error: &did.Problem{Code: "notFound", Detail: "<a> & b", Title: "c", Type: "d"}}}
	const want = `{"didDocument":null,"didDocumentMetadata":{},"didResolutionMetadata":{"error":{"code":"notFound","detail":"\u003ca\u003e \u0026 b","title":"c","type":"d"}}}`
	if diff := cmp.Diff(want, string(r.Bytes())); diff != "" {
		t.Error(diff)
	}
	got, err := did.ParseResult(r.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseResult(f *testing.F) {
	g := grow(f)
	for _, d := range []did.DID{g.acc, g.dev} {
		f.Add(g.result(f, d).Bytes())
	}
	f.Add([]byte(`{"didDocument":null,"didDocumentMetadata":{},"didResolutionMetadata":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := did.ParseResult(b)
		if err != nil {
			return
		}
		again, err := did.ParseResult(r.Bytes())
		if err != nil || !bytes.Equal(again.Bytes(), r.Bytes()) {
			t.Fatalf("%s: %v", b, err)
		}
		for _, d := range []did.DID{g.acc, g.dev} {
			if doc, _, err := did.Verify(did.Head{Height: 3, AppHash: g.root}, d, r); err == nil && doc.ID != d.String() {
				t.Fatalf("%s verifies as %s", b, doc.ID)
			}
		}
	})
}
