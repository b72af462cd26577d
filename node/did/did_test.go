package did

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/did"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/fetch"
)

// world is a real tree of four versions. Rotated changed its keys in the third,
// and dev its owner. A header vouches for version 3 at most.
type world struct {
	tree  *store.Tree
	roots [][]byte
	err   error // what Prove gives instead

	plain, rotated, phones, dev, free did.DID
}

func (w *world) Prove(_ context.Context, k []byte, version int64) (light.Proof, error) {
	if w.err != nil {
		return light.Proof{}, w.err
	}
	if version == 0 {
		version = int64(len(w.roots)) - 1
	}
	value, proof, err := w.tree.ProveAt(version, k)
	if errors.Is(err, store.NoVersion) {
		err = fmt.Errorf("%w: %w", fetch.NotFound, err)
	}
	return light.Proof{Height: version, Key: k, Value: value, Proof: proof}, err
}

func secret(b byte) *key.Private {
	k, err := key.FromBytes(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		panic(err)
	}
	return k
}

func newWorld(t *testing.T) *world {
	t.Helper()
	tree, err := store.Open(store.Config{Dir: "d", FS: kv.NewMemFS(), KeepVersions: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	w := &world{tree: tree}
	const all = tx.RightAdmin | tx.RightInvoke
	account := func(root key.Public, keys state.KeySet) did.DID {
		d, err := did.OfAccount("hos-1", root.AccountID())
		if err == nil {
			err = tree.Set(d.RecordKey(), codec.MustMarshal(state.Account{Root: root, KeySet: keys}))
		}
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	device := func(k key.Public, epoch uint64, owner *key.AccountID) did.DID {
		d, err := did.OfDevice("hos-1", k.DeviceID())
		if err == nil {
			err = tree.Set(d.RecordKey(), codec.MustMarshal(state.Device{Key: k, SealKey: [32]byte{7}, Model: "lock", Epoch: epoch, Owner: owner}))
		}
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	one, two := secret(1).Public(), secret(2).Public()
	for version := 1; version <= 4; version++ {
		w.plain = account(one, state.RootKeySet(one))
		keys, owner := state.RootKeySet(two), one.AccountID()
		if version >= 3 {
			keys, owner = state.KeySet{Version: 1, Threshold: 2, Keys: []tx.AccountKey{{Key: secret(5).Public(), Rights: all}, {Key: secret(6).Public(), Rights: tx.RightAdmin}}}, two.AccountID()
		}
		w.rotated = account(two, keys)
		w.phones = account(secret(3).Public(), state.KeySet{Version: 2, Threshold: 1, Keys: []tx.AccountKey{
			{Key: secret(3).Public(), Rights: all}, {Key: keytest.P256("browser").Public(), Rights: tx.RightInvoke}, {Key: keytest.Phone("phone").Public(), Rights: tx.RightInvoke},
		}})
		w.dev = device(secret(4).Public(), uint64(version), &owner)
		w.free = device(secret(8).Public(), 0, nil)
		if err := tree.Set([]byte{'t', byte(version)}, []byte("tick")); err != nil {
			t.Fatal(err)
		}
		_, root, err := tree.Commit()
		if err != nil {
			t.Fatal(err)
		}
		w.roots = append(w.roots, root)
	}
	return w
}

func (w *world) ask(t *testing.T, text, query string, accept ...string) Response {
	t.Helper()
	out, err := Resolve(t.Context(), w, Request{Chain: "hos-1", DID: text, Accept: accept, Query: query})
	if err != nil {
		t.Fatalf("%s?%s: %v", text, query, err)
	}
	return out
}

// Every answer verifies under the header of the next block, and says what was
// true then.
func TestResolve_Verifies(t *testing.T) {
	w := newWorld(t)
	for _, d := range []did.DID{w.plain, w.rotated, w.phones, w.dev, w.free} {
		for query, version := range map[string]int64{"": 3, "versionId=2": 2, "versionId=3": 3, "versionId=4": 4} {
			out := w.ask(t, d.String(), query)
			if out.Status != http.StatusOK || out.Type != did.TypeResult || out.Cause != nil {
				t.Fatalf("%s: %d %s %s", d, out.Status, out.Type, out.Body)
			}
			r, err := did.ParseResult(out.Body)
			if err != nil {
				t.Fatal(err)
			}
			doc, meta, err := did.Verify(did.Head{Height: version + 1, AppHash: w.roots[version-1]}, d, r)
			if err != nil || meta.VersionID != fmt.Sprint(version) {
				t.Fatalf("%s at %d: %+v %v", d, version, meta, err)
			}
			for _, mediaType := range []string{did.TypeJSON, did.TypeJSONLD} {
				if only := w.ask(t, d.String(), query, mediaType); only.Status != 200 || only.Type != mediaType || !bytes.Equal(only.Body, doc.Produce(mediaType)) {
					t.Errorf("%s as %s: %d %s", d, mediaType, only.Status, only.Body)
				}
			}
			if d == w.dev && (doc.Controller == w.rotated.String()) != (version >= 3) {
				t.Errorf("at %d the owner is %s", version, doc.Controller)
			}
			if d == w.rotated && (meta.KeyVersion == "1" && len(doc.VerificationMethod) == 2 && doc.AssertionMethod == nil) != (version >= 3) {
				t.Errorf("at %d the keys are %+v", version, doc)
			}
		}
	}
}

func TestResolve_Refuses(t *testing.T) {
	w := newWorld(t)
	good := w.plain.String()
	nobody, err := did.OfAccount("hos-1", secret(9).Public().AccountID())
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for name, c := range map[string]struct {
		did, query, accept string
		want               Error
	}{
		"no DID":              {"x", "", "", invalidDID},
		"a DID URL":           {good + "#seal", "", "", invalidDID},
		"a bad id":            {good[:len(good)-1] + "b", "", "", invalidDID},
		"another method":      {"did:web:example.com", "", "", methodNotSupported},
		"another method, bad": {"did:web:example.com", "x=1", "text/html", methodNotSupported},
		"nobody":              {nobody.String(), "", "", notFound},
		"another ledger":      {strings.Replace(good, "hos-1", "hos-2", 1), "", "", notFound},
		"unknown parameter":   {good, "x=1", "", invalidOptions},
		"bad query":           {good, "versionId=%zz", "", invalidOptions},
		"too many parameters": {good, "a&b&c&d&e&f&g&h&i", "", invalidOptions},
		"version twice":       {good, "versionId=1&versionId=2", "", invalidOptions},
		"version zero":        {good, "versionId=0", "", invalidOptions},
		"version negative":    {good, "versionId=-1", "", invalidOptions},
		"version with plus":   {good, "versionId=%2B2", "", invalidOptions},
		"version with zeros":  {good, "versionId=02", "", invalidOptions},
		"version no number":   {good, "versionId=x", "", invalidOptions},
		"version empty":       {good, "versionId=", "", invalidOptions},
		"version huge":        {good, "versionId=9223372036854775808", "", invalidOptions},
		"version to come":     {good, "versionId=5", "", noVersion},
		"version pruned":      {good, "versionId=1", "", noVersion},
		"version time":        {good, "versionTime=2026-01-01T00:00:00Z", "", featureNotSupported},
		"dereferencing":       {good, "service=x&relativeRef=y", "", featureNotSupported},
		"CBOR":                {good, "", "application/did+cbor", notSupported},
		"text":                {good, "", "text/html", notSupported},
		"none":                {good, "", "*/*;q=0", notSupported},
		"a bad range":         {good, "", "/", notSupported},
		"other parameters":    {good, "", "application/did+json;profile=x", notSupported},
		"a weight over one":   {good, "", "application/did+json;q=2", notSupported},
		"a weight of nothing": {good, "", "application/did+json;q=NaN", notSupported},
		"too many ranges":     {good, "", strings.Repeat("text/html,", maxRanges) + "*/*", notSupported},
	} {
		var accept []string
		if c.accept != "" {
			accept = []string{c.accept}
		}
		out := w.ask(t, c.did, c.query, accept...)
		r, err := did.ParseResult(out.Body)
		if err != nil {
			t.Fatalf("%s: %s %v", name, out.Body, err)
		}
		e := r.Resolution.Error
		if e == nil || e.Code != c.want.Code || e.Type != "https://www.w3.org/ns/did#"+c.want.name || out.Status != c.want.Status || out.Type != did.TypeResult ||
			r.Document != nil || r.Metadata != (did.Metadata{}) || out.Cause != nil || e.Title == "" || e.Detail == "" {
			t.Errorf("%s: %d %s %s, want %s", name, out.Status, out.Type, out.Body, c.want.Code)
		}
		seen[c.want.Code] = true
	}
	if err := w.tree.Set(w.plain.RecordKey(), []byte("damaged")); err != nil {
		t.Fatal(err)
	}
	_, root, err := w.tree.Commit()
	if err != nil {
		t.Fatal(err)
	}
	w.roots = append(w.roots, root)
	for name, out := range map[string]Response{
		"a damaged record":             w.ask(t, good, "versionId=5"),
		"a damaged record, one format": w.ask(t, good, "versionId=5", did.TypeJSON),
	} {
		if out.Status != 500 || !errors.Is(out.Cause, did.BadRecord) || !strings.Contains(string(out.Body), `"internalError"`) || strings.Contains(string(out.Body), "bad_record") {
			t.Errorf("%s: %d %s %v", name, out.Status, out.Body, out.Cause)
		}
	}
	w.err = errors.New("disk on fire")
	if out := w.ask(t, good, ""); out.Status != 500 || !errors.Is(out.Cause, w.err) || strings.Contains(string(out.Body), "fire") {
		t.Errorf("a broken ledger: %d %s %v", out.Status, out.Body, out.Cause)
	}
	seen[internal.Code] = true
	for _, e := range Errors() {
		if !seen[e.Code] {
			t.Errorf("%s was never seen", e.Code)
		}
	}
}

// A ledger that cannot be asked now is no statement about the DID.
func TestResolve_NotNow(t *testing.T) {
	w := newWorld(t)
	for _, e := range []error{fetch.Busy, fetch.Unavailable, fetch.Timeout, fetch.NotFound} {
		w.err = fmt.Errorf("told: %w", e)
		if out, err := Resolve(t.Context(), w, Request{Chain: "hos-1", DID: w.plain.String()}); !errors.Is(err, e) || out.Body != nil {
			t.Errorf("%v: %+v %v", e, out, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.err = context.Canceled
	if _, err := Resolve(ctx, w, Request{Chain: "hos-1", DID: w.plain.String()}); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that has gone: %v", err)
	}
}

func TestNegotiate(t *testing.T) {
	const result, linked, plain = did.TypeResult, did.TypeJSONLD, did.TypeJSON
	for accept, want := range map[string]string{
		"": result, " ": result, "*/*": result, "application/*": result, "text/html, */*;q=0.8": result,
		linked: linked, plain: plain, result: result, "Application/DID+JSON": plain,
		plain + "," + result:             result,
		plain + ";q=0.9, " + linked:      linked,
		plain + ", " + linked + ";q=0.9": plain,
		"*/*, " + result + ";q=0":        linked,
		result + ";q=0, application/*":   linked,
		"*/*;q=0.1, " + plain + ";q=0.2": plain,
		"text/html":                      "", plain + ";q=0": "", "x": "",
	} {
		if got := negotiate([]string{accept}); got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
	}
	if got := negotiate(nil); got != result {
		t.Errorf("nothing: %q", got)
	}
	if got := negotiate([]string{"text/html", plain}); got != plain {
		t.Errorf("two headers: %q", got)
	}
}

// docs/spec/did.md has a row for every error.
func TestErrors_Documented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/spec/did.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range Errors() {
		if row := fmt.Sprintf("| `%s` | `%s` | %d |", e.Code, e.name, e.Status); !strings.Contains(string(doc), row) {
			t.Errorf("docs/spec/did.md lacks %s", row)
		}
		if text, err := json.Marshal(e.because("x").Error()); err != nil || !strings.Contains(string(text), e.Code) {
			t.Errorf("%s: %s %v", e.Code, text, err)
		}
	}
}
