package api

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/node/did"
	"github.com/hybridos-net/hybridos/p2p/fetch"
)

func resolutionCodes() (out []string) {
	for _, e := range did.Errors() {
		out = append(out, e.Code)
	}
	return out
}

func TestServer_Identifier(t *testing.T) {
	k := secret(t, 'o').Public()
	name := "did:hybridos:hos-1:" + k.AccountID().String()
	f := &fake{status: Status{ChainID: "hos-1", Height: 8}, records: map[string][]byte{
		string(state.AccountKey(k.AccountID())): codec.MustMarshal(state.Account{Root: k, KeySet: state.RootKeySet(k)}),
		string(state.DeviceKey(k.DeviceID())):   []byte("damaged"),
	}}
	s := newPhone(t, f, &devices{}, &lists{})
	for title, c := range map[string]struct {
		path, accept string
		status       int
		kind, want   string
	}{
		"whole":            {name, "", 200, "application/did-resolution", `"versionId":"7"`},
		"escaped":          {strings.ReplaceAll(name, ":", "%3A"), "", 200, "application/did-resolution", `"proof":"cHJvb2Y="`},
		"older":            {name + "?versionId=3", "", 200, "application/did-resolution", `"versionId":"3"`},
		"document":         {name, "application/did+json", 200, "application/did+json", `"id":"` + name + `"`},
		"linked document":  {name, "application/did+ld+json", 200, "application/did+ld+json", `{"@context":["https://www.w3.org/ns/did/v1"`},
		"bad":              {"did:hybridos:x", "", 400, "application/did-resolution", `"invalidDid"`},
		"a fragment":       {name + "%23seal", "", 400, "application/did-resolution", `"invalidDid"`},
		"bad query":        {name + "?prove=1", "", 400, "application/did-resolution", `"invalidOptions"`},
		"other method":     {"did:web:example.com", "", 501, "application/did-resolution", `"methodNotSupported"`},
		"other format":     {name, "text/html", 406, "application/did-resolution", `"representationNotSupported"`},
		"nobody":           {"did:hybridos:hos-1:" + secret(t, 'n').Public().AccountID().String(), "", 404, "application/did-resolution", `"notFound"`},
		"a damaged record": {"did:hybridos:hos-1:" + k.DeviceID().String(), "", 500, "application/did-resolution", `"internalError"`},
		"no DID":           {"", "", 404, "application/json", `"no_path"`},
		"a path behind":    {name + "/x", "", 404, "application/json", `"no_path"`},
	} {
		r := phoneRequest("GET", "/1.0/identifiers/"+c.path, "")
		if c.accept != "" {
			r.Header.Set("Accept", c.accept)
		}
		w := httptest.NewRecorder()
		s.PhoneHandler().ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("Content-Type") != c.kind || !strings.Contains(w.Body.String(), c.want) || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v %s", title, w.Code, w.Header(), w.Body)
		}
	}
	f.prove = fmt.Errorf("told: %w", fetch.Unavailable)
	if code, body := call(s.Handler(), request("GET", "/1.0/identifiers/"+name, "")); code != 503 || !strings.Contains(body, `"unavailable"`) {
		t.Errorf("a node that catches up: %d %s", code, body)
	}
	// Pages of other sites cannot use this node to look people up.
	r := phoneRequest("GET", "/1.0/identifiers/"+name, "")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if code, body := call(s.PhoneHandler(), r); code != 403 || !strings.Contains(body, `"bad_origin"`) {
		t.Errorf("another site: %d %s", code, body)
	}
}
