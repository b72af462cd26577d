package api

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/did"
)

var update = flag.Bool("update", false, "write the lists of codes and the form of openapi.json anew")

// openapi is what the tests read of the description.
type openapi struct {
	Version    string                          `json:"openapi"`
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	ID         string      `json:"operationId"`
	Phone      *bool       `json:"x-phone"`
	Parameters []parameter `json:"parameters"`
	Body       *struct {
		Content map[string]struct {
			Schema struct {
				Max int64 `json:"maxLength"`
			} `json:"schema"`
		} `json:"content"`
	} `json:"requestBody"`
	Responses map[string]any `json:"responses"`
}

type parameter struct {
	Name string `json:"name"`
	In   string `json:"in"`
}

type schema struct {
	Properties map[string]any `json:"properties"`
	Required   []string       `json:"required"`
	Closed     *bool          `json:"additionalProperties"`
}

func described(t *testing.T) openapi {
	t.Helper()
	var out openapi
	if err := json.Unmarshal(description, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// refusals are the codes of a refused transaction.
func refusals() []string {
	out := []string{"internal", "refused"}
	for _, r := range abci.Rows() {
		out = append(out, r.Kind.Error())
	}
	return out
}

// TestOpenAPI_Codes: every code stands in the description, no other does, and
// the file is in the one form that -update writes.
func TestOpenAPI_Codes(t *testing.T) {
	var doc map[string]any
	if err := json.Unmarshal(description, &doc); err != nil {
		t.Fatal(err)
	}
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	for name, codes := range map[string][]string{"Error": ErrorCodes(), "Refusal": refusals(), "DIDProblem": resolutionCodes()} {
		slices.Sort(codes)
		schemas[name].(map[string]any)["properties"].(map[string]any)["code"].(map[string]any)["enum"] = slices.Compact(codes)
	}
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return // the embedded bytes are the old ones
	}
	if diff := cmp.Diff(want.String(), string(description)); diff != "" {
		t.Errorf("openapi.json lacks codes or form; go test -update writes them: %s", diff)
	}
}

// TestOpenAPI_Routes: the description has every route as the table has it, and
// no other.
func TestOpenAPI_Routes(t *testing.T) {
	doc := described(t)
	if doc.Version != "3.1.0" {
		t.Errorf("version %s", doc.Version)
	}
	ids, left := make(map[string]bool), 0
	for _, methods := range doc.Paths {
		left += len(methods)
	}
	for _, r := range newPhone(t, &fake{}, &devices{}, &lists{}).routes() {
		method, path, _ := strings.Cut(r.pattern, " ")
		o, ok := doc.Paths[path][strings.ToLower(method)]
		if !ok {
			t.Errorf("openapi.json lacks %s", r.pattern)
			continue
		}
		left--
		if o.Phone == nil || *o.Phone != r.phone || o.ID == "" || ids[o.ID] || o.Responses["default"] == nil || len(o.Responses) < 2 {
			t.Errorf("%s: x-phone, operationId or responses", r.pattern)
		}
		ids[o.ID] = true
		var inPath []string
		for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
			inPath = append(inPath, m[1])
		}
		if diff := cmp.Diff(inPath, names(o, "path")); diff != "" {
			t.Errorf("%s: %s", r.pattern, diff)
		}
		if (o.Body == nil) != (r.body == nil) || r.body != nil && (len(o.Body.Content) != 1 || o.Body.Content[r.body.kind].Schema.Max != r.body.max) {
			t.Errorf("%s: the body", r.pattern)
		}
	}
	if left != 0 {
		t.Errorf("openapi.json has %d operations that are not served", left)
	}
}

// names gives the parameters of one place.
func names(o operation, in string) (out []string) {
	for _, p := range o.Parameters {
		if p.In == in {
			out = append(out, p.Name)
		}
	}
	return out
}

// TestOpenAPI_Queries asks every route with every parameter that there is: it
// takes those that the description says, and no other.
func TestOpenAPI_Queries(t *testing.T) {
	k := secret(t, 'k').Public()
	values := map[string]string{
		"prove": "1", "version": "3", "account": k.AccountID().String(), "device": k.DeviceID().String(), "wait": "0", "versionId": "2", "unknown": "1",
		"limit": "1", "cursor": "x", "status": "active", "owned": "1", "kind": "claim", "id": k.DeviceID().String(), "blocks": "1", "after": "0",
	}
	s := newPhone(t, &fake{status: Status{ChainID: "hos-1", Height: 4}}, &devices{}, &lists{})
	doc, told := described(t), make(map[string]bool)
	for path, methods := range doc.Paths {
		for method, o := range methods {
			id := k.AccountID().String()
			switch {
			case strings.HasPrefix(path, "/v1/devices"):
				id = k.DeviceID().String()
			case strings.HasPrefix(path, "/v1/keys"):
				id = k.ID().String()
			}
			at := strings.NewReplacer("{key}", "00", "{id}", id, "{box}", strings.Repeat("0", 32), "{slot}", "offer", "{did}", "did:hybridos:hos-1:"+id).Replace(path)
			takes := func(query string) bool {
				ctx, cancel := context.WithCancel(t.Context())
				cancel() // streams end at once
				_, body := call(s.Handler(), request(strings.ToUpper(method), at+query, "").WithContext(ctx))
				return !strings.HasPrefix(body, `{"code":"bad_query"`) && !strings.Contains(body, `"error":{"code":"invalidOptions"`)
			}
			if !takes("") {
				t.Errorf("%s %s is refused without a query", method, path)
			}
			var want []string
			for name, value := range values {
				if !takes("?unknown=1") && takes("?"+name+"="+value) {
					want = append(want, name)
				}
			}
			got := names(o, "query")
			for _, name := range got {
				told[name] = true
			}
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s: %s", method, path, diff)
			}
		}
	}
	if len(told) != len(values)-1 {
		t.Errorf("parameters %v, of %d", slices.Sorted(maps.Keys(told)), len(values)-1)
	}
}

// TestOpenAPI_Schemas holds the schemas against the types that are sent.
func TestOpenAPI_Schemas(t *testing.T) {
	doc := described(t)
	for name, v := range map[string]any{
		"Error": Error{}, "Refusal": Error{}, "Committed": Committed{}, "Status": Status{}, "Upgrade": Upgrade{}, "Record": Record{}, "Device": Device{},
		"Account": Account{}, "AccountKey": AccountKey{}, "Grant": Grant{}, "Target": Target{}, "Window": Window{}, "Rate": Rate{}, "DeviceList": DeviceList{},
		"TxList": TxList{}, "TxRef": TxRef{}, "BlockList": BlockList{}, "BlockRef": BlockRef{}, "Guardians": Guardians{}, "Recovery": Recovery{},
		"ListedDevice": ListedDevice{}, "GrantList": GrantList{}, "GrantRef": GrantRef{}, "DIDResult": did.Result{},
		"DIDMetadata": did.Metadata{}, "DIDResolution": did.Resolution{}, "DIDProblem": did.Problem{}, "DIDProof": did.Proof{},
		"DIDDocument": struct {
			Context []string `json:"@context,omitempty"`
			did.Document
		}{}, "DIDKey": did.Key{}, "DIDJWK": did.JWK{},
		"Health": struct {
			Height int64  `json:"height"`
			Status string `json:"status"`
		}{},
	} {
		s, ok := doc.Components.Schemas[name]
		delete(doc.Components.Schemas, name)
		if !ok || s.Closed == nil || *s.Closed {
			t.Errorf("schema %s is missing or open", name)
			continue
		}
		all, required := fields(reflect.TypeOf(v))
		slices.Sort(s.Required)
		if diff := cmp.Diff(all, slices.Sorted(maps.Keys(s.Properties))); diff != "" {
			t.Errorf("%s, properties: %s", name, diff)
		}
		if diff := cmp.Diff(required, append([]string(nil), s.Required...)); diff != "" {
			t.Errorf("%s, required: %s", name, diff)
		}
		if uses := strings.Count(string(description), `"#/components/schemas/`+name+`"`); uses == 0 {
			t.Errorf("schema %s is used by nobody", name)
		}
	}
	if len(doc.Components.Schemas) != 0 {
		t.Errorf("schemas of nothing: %v", slices.Sorted(maps.Keys(doc.Components.Schemas)))
	}
	for _, m := range regexp.MustCompile(`"\$ref": "([^"]*)"`).FindAllStringSubmatch(string(description), -1) {
		place, name := m[1][:strings.LastIndex(m[1], "/")], m[1][strings.LastIndex(m[1], "/")+1:]
		if place != "#/components/schemas" && m[1] != "#/components/responses/Error" || !strings.Contains(string(description), `"`+name+`": {`) {
			t.Errorf("%s leads nowhere", m[1])
		}
	}
}

// fields gives the names that a type has in JSON, and those that are never left
// out, both sorted.
func fields(t reflect.Type) (all, required []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			a, r := fields(f.Type)
			all, required = append(all, a...), append(required, r...)
		case name != "-":
			all = append(all, name)
			if options != "omitempty" && options != "omitzero" {
				required = append(required, name)
			}
		}
	}
	slices.Sort(all)
	slices.Sort(required)
	return all, required
}

func TestOpenAPI_Served(t *testing.T) {
	s := newPhone(t, &fake{}, &devices{}, &lists{})
	_, local := call(s.Handler(), request("GET", "/v1/openapi.json", ""))
	_, phone := call(s.PhoneHandler(), phoneRequest("GET", "/v1/openapi.json", ""))
	if want := strings.TrimSpace(string(description)); local != want || phone != want {
		t.Error("the description is not served as it is")
	}
}
