package did

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/did"
)

var update = flag.Bool("update", false, "write the fixtures anew")

type object = map[string]any

// TestFixtures makes the inputs of the W3C's DID test suite from answers of the
// resolver. docs/spec/did.md tells how the suite is run with them.
func TestFixtures(t *testing.T) {
	w := newWorld(t)
	for name, content := range map[string]object{"did-hybridos.json": methodFixture(t, w), "resolver-hybridos.json": resolverFixture(t, w)} {
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(content); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if old, err := os.ReadFile(path); err != nil || !bytes.Equal(old, text.Bytes()) {
			t.Errorf("%s is not what the resolver gives; go test -update writes it (%v)", path, err)
		}
	}
}

func (w *world) subjects() []did.DID { return []did.DID{w.plain, w.rotated, w.phones, w.dev, w.free} }

// result is the whole answer to a question, and its resolution metadata with
// the error as the one word that DID Core 1.0 wants.
func (w *world) result(t *testing.T, text string) (*did.Result, object) {
	t.Helper()
	r, err := did.ParseResult(w.ask(t, text, "").Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.Resolution.Error != nil {
		return r, object{"error": r.Resolution.Error.Code}
	}
	return r, object{"proof": generic(t, r.Resolution.Proof)}
}

func methodFixture(t *testing.T, w *world) object {
	types := []string{did.TypeJSON, did.TypeJSONLD}
	out := object{
		"didMethod": "did:" + did.Method, "implementation": "hosd", "implementer": "HybridOS",
		"supportedContentTypes": types, "didParameters": object{"versionId": w.dev.String() + "?versionId=3"},
	}
	var names []string
	for _, d := range w.subjects() {
		names = append(names, d.String())
		r, _ := w.result(t, d.String())
		properties := parse(t, w.ask(t, d.String(), "", did.TypeJSON).Body)
		entry := object{"didDocumentDataModel": object{"properties": properties}}
		for _, mediaType := range types {
			text := w.ask(t, d.String(), "", mediaType).Body
			special := object{}
			if context, ok := parse(t, text)["@context"]; ok {
				special["@context"] = context
			}
			entry[mediaType] = object{
				"didDocumentDataModel": object{"representationSpecificEntries": special}, "representation": string(text),
				"didDocumentMetadata": generic(t, r.Metadata), "didResolutionMetadata": object{"contentType": mediaType},
			}
		}
		out[d.String()] = entry
	}
	out["dids"] = names
	return out
}

func resolverFixture(t *testing.T, w *world) object {
	var executions []object
	outcomes := map[string][]int{"defaultOutcome": {}, "invalidDidErrorOutcome": {}, "notFoundErrorOutcome": {}, "representationNotSupportedErrorOutcome": {}, "deactivatedOutcome": {}}
	add := func(outcome, function, text string, options, output object) {
		outcomes[outcome] = append(outcomes[outcome], len(executions))
		executions = append(executions, object{"function": function, "input": object{"did": text, "resolutionOptions": options}, "output": output})
	}
	resolve := func(outcome, text string) {
		r, meta := w.result(t, text)
		add(outcome, "resolve", text, object{}, object{"didResolutionMetadata": meta, "didDocument": generic(t, r.Document), "didDocumentMetadata": generic(t, r.Metadata)})
	}
	for _, d := range w.subjects() {
		resolve("defaultOutcome", d.String())
		for _, mediaType := range []string{did.TypeJSON, did.TypeJSONLD} {
			r, meta := w.result(t, d.String())
			meta["contentType"] = mediaType
			add("defaultOutcome", "resolveRepresentation", d.String(), object{"accept": mediaType}, object{
				"didResolutionMetadata": meta, "didDocumentStream": string(w.ask(t, d.String(), "", mediaType).Body), "didDocumentMetadata": generic(t, r.Metadata),
			})
		}
	}
	resolve("invalidDidErrorOutcome", "did:hybridos_"+w.plain.String())
	resolve("invalidDidErrorOutcome", w.plain.String()+"#seal")
	resolve("notFoundErrorOutcome", strings.Replace(w.plain.String(), "hos-1", "hos-2", 1))
	return object{"didMethod": "did:" + did.Method, "implementation": "hosd", "implementer": "HybridOS", "expectedOutcomes": outcomes, "executions": executions}
}

func parse(t *testing.T, b []byte) object {
	t.Helper()
	var out object
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// generic gives what JSON makes of v.
func generic(t *testing.T, v any) any {
	t.Helper()
	if raw, ok := v.(json.RawMessage); ok && raw == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDIDCore holds the documents of the fixtures to the rules of DID Core 1.0,
// for those who cannot run the suite.
func TestDIDCore(t *testing.T) {
	w, documents := newWorld(t), 0
	for _, d := range w.subjects() {
		doc := parse(t, w.ask(t, d.String(), "", did.TypeJSONLD).Body)
		documents++
		if context := doc["@context"].([]any); context[0] != "https://www.w3.org/ns/did/v1" { // 6.3.1
			t.Errorf("%s: context %v", d, context)
		}
		if doc["id"] != d.String() { // 5.1.1
			t.Errorf("%s: id %v", d, doc["id"])
		}
		if c, ok := doc["controller"]; ok { // 5.1.2
			if _, err := did.Parse(c.(string)); err != nil {
				t.Errorf("%s: controller %v", d, c)
			}
		}
		methods := make(map[string]bool)
		for _, m := range doc["verificationMethod"].([]any) { // 5.2
			m := m.(object)
			id := m["id"].(string)
			_, multi := m["publicKeyMultibase"]
			jwk, web := m["publicKeyJwk"].(object)
			if methods[id] || !strings.HasPrefix(id, d.String()+"#") || m["controller"] != d.String() || multi == web || web && (jwk["d"] != nil || jwk["k"] != nil) {
				t.Errorf("%s: method %v", d, m)
			}
			methods[id] = true
		}
		for _, name := range []string{"authentication", "assertionMethod", "keyAgreement", "capabilityInvocation", "capabilityDelegation"} { // 5.3
			list, ok := doc[name].([]any)
			if ok && len(list) == 0 {
				t.Errorf("%s: %s is empty", d, name)
			}
			for i, id := range list {
				if !methods[id.(string)] || i > 0 && reflect.DeepEqual(list[i-1], id) {
					t.Errorf("%s: %s names %v", d, name, id)
				}
			}
		}
		if doc["service"] != nil || doc["alsoKnownAs"] != nil {
			t.Errorf("%s: something that is nobody's business", d)
		}
	}
	if documents != 5 {
		t.Errorf("%d documents", documents)
	}
}
