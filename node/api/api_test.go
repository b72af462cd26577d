package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/fetch"
)

// fake is a ledger in memory.
type fake struct {
	status  Status
	records map[string][]byte
	prove   error
	result  fetch.Result
	submit  error
	block   chan struct{} // if set, Submit waits for it
	entered chan struct{}
	forward error // what forwarding a command gives
	receipt []byte
}

func (f *fake) Status() Status { return f.status }

func (f *fake) Prove(_ context.Context, k []byte, version int64) (light.Proof, error) {
	if f.prove != nil {
		return light.Proof{}, f.prove
	}
	if version == 0 {
		version = f.status.Height - 1
	}
	return light.Proof{Height: version, Key: k, Value: f.records[string(k)], Proof: []byte("proof")}, nil
}

func (f *fake) Submit(ctx context.Context, raw []byte) (fetch.Result, error) {
	if f.block != nil {
		f.entered <- struct{}{}
		<-f.block
	}
	return f.result, f.submit
}

func secret(t *testing.T, b byte) *key.Private {
	t.Helper()
	k, err := key.FromBytes([]byte(strings.Repeat(string(rune(b)), 32)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newServer(t *testing.T, f *fake) http.Handler {
	t.Helper()
	return newPhone(t, f, &devices{}, &lists{}).Handler()
}

func request(method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "http://127.0.0.1:1234"+path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func call(h http.Handler, r *http.Request) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestServer_Reads(t *testing.T) {
	owner, dev := secret(t, 'o').Public(), secret(t, 'd').Public()
	ownerID := owner.AccountID()
	grant, err := tx.New(ownerID, 1, 100, &tx.CreateGrant{
		Grantee: dev, NotAfter: 99,
		Targets: []tx.Target{{Device: dev.DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	grant.Sign(codec.ChainDigest{}, tx.RoleAccount, secret(t, 'o'))
	gid := grant.ID(codec.ChainDigest{})
	guarded := state.RootKeySet(owner)
	guarded.Guardians = &tx.Guardians{Keys: []key.Public{dev}, Threshold: 1, Delay: 60}
	f := &fake{status: Status{ChainID: "hos-1", Height: 8, Name: "one"}, records: map[string][]byte{
		"x":                                     []byte("value"),
		string(state.DeviceKey(dev.DeviceID())): codec.MustMarshal(state.Device{Key: dev, Model: "lock", Epoch: 1, Owner: &ownerID, Lost: true}),
		string(state.AccountKey(ownerID)):       codec.MustMarshal(state.Account{Root: owner, KeySet: guarded, Sequence: 3, Frozen: true, Recovery: &state.Recovery{Version: 1, Due: 99}}),
		string(state.GrantKey(gid)):             codec.MustMarshal(state.Grant{Issuer: ownerID, Status: state.Revoked, Tx: grant.Bytes()}),
		string(state.GrantKey(tx.ID{7})):        codec.MustMarshal(state.Grant{Issuer: ownerID, Status: state.Active, Tx: []byte("x")}),
	}}
	given := grantRecords(t, f.records, dev)
	h := newServer(t, f)
	for path, want := range map[string]string{
		"/v1/grants/" + given[0].String(): fmt.Sprintf(`{"record":{"id":"%s","issuer":"%s","status":"active","grantee":"%s","not_before":1,"not_after":99,"targets":[{"device":"%s","epoch":1,"endpoint":"lock","methods":["open"]}],"windows":[{"day":1,"from":480,"to":1080}],"zone":"Europe/Berlin","uses":3,"rate":{"count":5,"period":3600},"depth":1,"parent":"%s"},"version":8}`,
			given[0], key.AccountID{1}, dev, dev.DeviceID(), tx.ID{9}),
		"/v1/grants/" + given[1].String(): fmt.Sprintf(`{"record":{"id":"%s","issuer":"%s","status":"active","not_before":0,"not_after":0,"targets":[{"device":"%s","epoch":1,"endpoint":"","methods":[]}],"private_digest":"05%s"},"version":8}`,
			given[1], key.AccountID{1}, dev.DeviceID(), strings.Repeat("00", 31)),
		"/healthz":                 `{"height":8,"status":"ok"}`,
		"/v1/records/78":           `{"key":"78","version":8,"found":true,"value":"dmFsdWU="}`,
		"/v1/records/78?prove=1":   `{"key":"78","version":7,"found":true,"value":"dmFsdWU=","proof":"cHJvb2Y="}`,
		"/v1/records/79?version=3": `{"key":"79","version":3,"found":false}`,
		"/v1/devices/" + dev.DeviceID().String(): fmt.Sprintf(`{"record":{"id":"%s","key":"%s","seal_key":"%s","vendor":"%s","model":"lock","epoch":1,"owner":"%s","lost":true},"version":8}`,
			dev.DeviceID(), dev, hex.EncodeToString(make([]byte, 32)), key.AccountID{}, ownerID),
		"/v1/accounts/" + ownerID.String(): fmt.Sprintf(`{"record":{"id":"%s","root":"%s","key_version":0,"threshold":1,"keys":[{"id":"%s","key":"%s","admin":true,"invoke":true}],"sequence":3,"frozen":true,"guardians":{"keys":["%s"],"threshold":1,"delay":60},"recovery":{"version":1,"due":99}},"version":8}`,
			ownerID, owner, owner.ID(), owner, dev),
		"/v1/grants/" + gid.String(): fmt.Sprintf(`{"record":{"id":"%s","issuer":"%s","status":"revoked","grantee":"%s","not_before":0,"not_after":99,"targets":[{"device":"%s","epoch":1,"endpoint":"lock","methods":["open"]}]},"version":8}`,
			gid, ownerID, dev, dev.DeviceID()),
	} {
		code, body := call(h, request("GET", path, ""))
		if diff := cmp.Diff(want, body); code != http.StatusOK || diff != "" {
			t.Errorf("%s: %d (-want +got):\n%s", path, code, diff)
		}
	}
	if code, body := call(h, request("GET", "/v1/grants/"+tx.ID{7}.String(), "")); code != 500 || !strings.Contains(body, `"internal"`) {
		t.Errorf("a damaged record: %d %s", code, body)
	}
	code, body := call(h, request("GET", "/metrics", ""))
	if code != 200 || !strings.Contains(body, "\nhosd_height 8\n") || strings.Count(body, "# TYPE") != len(newMetrics(f.Status).rows) {
		t.Errorf("metrics: %d\n%s", code, body)
	}
}

func TestServer_Submit(t *testing.T) {
	f := &fake{result: fetch.Result{Height: 4, Hash: []byte{1, 2}}}
	code, body := call(newServer(t, f), request("POST", "/v1/tx", "bytes", "Content-Type", "application/cbor"))
	if code != 200 || body != `{"height":4,"block":"0102"}` {
		t.Errorf("%d %s", code, body)
	}
	f.result = fetch.Result{Code: abci.CodeOf(state.DeviceOwned), Log: "owned"}
	code, body = call(newServer(t, f), request("POST", "/v1/tx", "bytes", "Content-Type", "application/cbor"))
	if code != http.StatusUnprocessableEntity || body != `{"code":"device_owned","message":"owned"}` {
		t.Errorf("%d %s", code, body)
	}
}

// Every code that the interface can answer with, and how to get it.
func TestServer_Errors(t *testing.T) {
	const cbor, octets = "application/cbor", "application/octet-stream"
	dev := secret(t, 'd').Public().DeviceID().String()
	box := "/v1/boxes/" + strings.Repeat("0f", 16) + "/"
	cmd := string(command1(t, 'd'))
	type row struct {
		code   string
		status int
		f      fake
		r      *http.Request
	}
	cases := []row{
		{"no_path", 404, fake{}, request("GET", "/nothing", "")},
		{"no_path", 404, fake{}, request("GET", "/", "")},
		{"no_path", 404, fake{}, request("DELETE", "/v2/tx", "")},
		{"no_path", 404, fake{}, request("DELETE", "/v1/tx", "")},
		{"no_path", 404, fake{}, request("GET", "/v1/commands", "")},
		{"no_path", 404, fake{}, request("HEAD", "/v1/events", "")},
		{"bad_host", 403, fake{}, httptest.NewRequest("GET", "http://evil.example/v1/status", nil)},
		{"bad_host", 403, fake{}, httptest.NewRequest("GET", "http://127.0.0.1.evil.example/v1/status", nil)},
		{"bad_host", 403, fake{}, httptest.NewRequest("GET", "http://192.168.1.2:80/v1/status", nil)},
		{"bad_origin", 403, fake{}, request("POST", "/v1/tx", "x", "Content-Type", cbor, "Origin", "https://evil.example")},
		{"bad_origin", 403, fake{}, request("GET", "/v1/status", "", "Origin", "null")},
		{"bad_origin", 403, fake{}, request("GET", "/v1/status", "", "Origin", "")},
		{"bad_origin", 403, fake{}, request("GET", "/v1/events", "", "Sec-Fetch-Site", "cross-site")},
		{"bad_origin", 403, fake{}, request("GET", "/v1/events", "", "Sec-Fetch-Site", "same-site")},
		{"bad_type", 415, fake{}, request("POST", "/v1/tx", "x", "Content-Type", "text/plain")},
		{"bad_type", 415, fake{}, request("POST", "/v1/tx", "x")},
		{"bad_type", 415, fake{}, request("POST", "/v1/commands", "x", "Content-Type", octets)},
		{"bad_type", 415, fake{}, request("POST", box+"key", "x", "Content-Type", cbor)},
		{"too_large", 413, fake{}, request("POST", "/v1/tx", strings.Repeat("x", maxTx+1), "Content-Type", cbor)},
		{"too_large", 413, fake{}, request("POST", "/v1/commands", strings.Repeat("x", maxCommand+1), "Content-Type", cbor)},
		{"too_large", 413, fake{}, request("POST", box+"key", strings.Repeat("x", maxMessage+1), "Content-Type", octets)},
		{"bad_body", 400, fake{}, request("POST", "/v1/tx", "", "Content-Type", cbor)},
		{"bad_body", 400, fake{}, request("POST", "/v1/commands", "", "Content-Type", cbor)},
		{"bad_body", 400, fake{}, request("POST", box+"key", "", "Content-Type", octets)},
		{"bad_query", 400, fake{}, request("GET", "/v1/records/78?prove=yes", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/records/78?version=-1", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/records/78?height=1", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/records/78?prove=1;version=1", "")},
		{"bad_query", 400, fake{}, request("GET", box+"key?wait=26", "")},
		{"bad_query", 400, fake{}, request("GET", box+"key?wait=-1", "")},
		{"bad_query", 400, fake{}, request("GET", box+"key?wait=1&wait=2", "")},
		{"bad_query", 400, fake{}, request("GET", box+"key?slot=tx", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/events?account="+dev, "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/events?device=x", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/events?colour=red", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/events?device=%zz", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/events?device="+dev+strings.Repeat("&device="+dev, maxWatched), "")},
		{"bad_id", 400, fake{}, request("GET", "/v1/records/xyz", "")},
		{"bad_id", 400, fake{}, request("GET", "/v1/records/"+strings.Repeat("00", maxKey+1), "")},
		{"bad_id", 400, fake{}, request("GET", "/v1/devices/hosacc1x", "")},
		{"bad_id", 400, fake{}, request("GET", "/v1/accounts/"+dev, "")},
		{"bad_id", 400, fake{}, request("GET", "/v1/accounts/"+dev+"/devices", "")},
		{"bad_id", 400, fake{}, request("GET", "/v1/keys/"+dev+"/grants", "")},
		{"bad_id", 400, fake{}, request("GET", "/v1/grants/00", "")},
		{"bad_id", 400, fake{}, request("GET", "/v1/history/hosdev1x", "")},
		{"bad_id", 400, fake{}, request("GET", "/v1/vendors/"+dev+"/devices", "")},
		{"bad_id", 400, fake{}, request("GET", "/v1/devices/00/grants", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/blocks?limit=0", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/blocks?limit=1001", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/blocks?limit=1&limit=2", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/blocks?limit=99999999999999999999", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/blocks?limit=", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/blocks?kind=claim", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/txs?kind=clam", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/devices/"+dev+"/grants?status=dead", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/vendors/"+key.AccountID{}.String()+"/devices?owned=yes", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/follow?id=x", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/follow?blocks=yes", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/follow?after=-1", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/follow?after=1.4294967295", "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/follow?id="+dev+strings.Repeat("&id="+dev, maxWatched), "")},
		{"bad_query", 400, fake{}, request("GET", "/v1/follow", "", "Last-Event-ID", "x")},
		{"no_path", 404, fake{}, request("HEAD", "/v1/follow", "")},
		{"bad_cursor", 400, fake{}, request("GET", "/v1/blocks?cursor=x", "")},
		{"bad_cursor", 400, fake{}, request("GET", "/v1/blocks?cursor="+strings.Repeat("A", 1<<12), "")},
		{"bad_cursor", 400, fake{}, request("GET", "/v1/txs?cursor="+encodeCursor("blocks?", make([]byte, sizeTx)), "")},
		{"bad_cursor", 400, fake{}, request("GET", "/v1/txs?kind=claim&cursor="+encodeCursor("txs?", make([]byte, sizeTx)), "")},
		{"bad_cursor", 400, fake{}, request("GET", "/v1/txs?cursor="+encodeCursor("txs?", make([]byte, sizeTx-1)), "")},
		{"bad_id", 400, fake{}, request("GET", "/v1/boxes/00/key", "")},
		{"bad_id", 400, fake{}, request("GET", "/v1/boxes/"+strings.Repeat("0F", 16)+"/key", "")},
		{"bad_id", 400, fake{}, request("POST", box+"other", "x", "Content-Type", octets)},
		{"not_found", 404, fake{}, request("GET", "/v1/devices/"+dev, "")},
		{"no_message", 404, fake{}, request("GET", box+"key", "")},
		{"bad_command", 400, fake{}, request("POST", "/v1/commands", "x", "Content-Type", cbor)},
		{"bad_command", 400, fake{}, request("POST", "/v1/commands", cmd+"x", "Content-Type", cbor)},
		{"device_offline", 503, fake{forward: fmt.Errorf("dial: %w", ErrOffline)}, request("POST", "/v1/commands", cmd, "Content-Type", cbor)},
		{"no_receipt", 504, fake{forward: fmt.Errorf("wait: %w", ErrNoReceipt)}, request("POST", "/v1/commands", cmd, "Content-Type", cbor)},
		{"no_receipt", 504, fake{forward: errors.New("something else, at /secret/path")}, request("POST", "/v1/commands", cmd, "Content-Type", cbor)},
		{"no_receipt", 504, fake{receipt: make([]byte, command.MaxReceipt+1)}, request("POST", "/v1/commands", cmd, "Content-Type", cbor)},
		{"no_receipt", 504, fake{}, request("POST", "/v1/commands", cmd, "Content-Type", cbor)},
		{"busy", 503, fake{forward: ErrDeviceBusy}, request("POST", "/v1/commands", cmd, "Content-Type", cbor)},
		{"bad_request", 400, fake{prove: fetch.BadRequest}, request("GET", "/v1/records/78", "")},
		{"no_version", 404, fake{prove: fmt.Errorf("%w: pruned", fetch.NotFound)}, request("GET", "/v1/records/78", "")},
		{"unavailable", 503, fake{}, request("GET", "/healthz", "")},
		{"unavailable", 503, fake{status: Status{Height: 3, Syncing: true}}, request("GET", "/healthz", "")},
		{"unavailable", 503, fake{submit: fetch.Unavailable}, request("POST", "/v1/tx", "x", "Content-Type", cbor)},
		{"busy", 503, fake{submit: fetch.Busy}, request("POST", "/v1/tx", "x", "Content-Type", cbor)},
		{"timeout", 504, fake{submit: fmt.Errorf("wait: %w", context.DeadlineExceeded)}, request("POST", "/v1/tx", "x", "Content-Type", cbor)},
		{"internal", 500, fake{prove: errors.New("disk at /secret/path")}, request("GET", "/v1/records/78", "")},
	}
	seen := map[string]bool{}
	check := func(h http.Handler, c row) {
		t.Helper()
		seen[c.code] = true
		status, body := call(h, c.r)
		var e Error
		if err := json.Unmarshal([]byte(body), &e); err != nil || e.Code != c.code || e.Message == "" || status != c.status {
			t.Errorf("%s %s: %d %s, want %d %s", c.r.Method, c.r.URL, status, body, c.status, c.code)
		}
		if strings.Contains(body, "secret") {
			t.Errorf("%s tells the inside: %s", c.r.URL, body)
		}
	}
	for _, c := range cases {
		check(newPhone(t, &c.f, &devices{forward: c.f.forward, receipt: c.f.receipt}, &lists{}).Handler(), c)
	}
	for code, l := range map[string]*lists{
		"indexing": {err: fmt.Errorf("%w: /secret", ErrIndexing)}, "no_index": {err: fmt.Errorf("%w: /secret", ErrNoIndex), state: IndexState{Failed: true}},
	} {
		h := newPhone(t, &fake{}, &devices{}, l).Handler()
		for _, path := range []string{
			"/v1/blocks", "/v1/txs", "/v1/history/" + dev, "/v1/devices/" + dev + "/grants", "/v1/follow",
			"/v1/keys/" + key.KeyID{}.String() + "/grants", "/v1/accounts/" + key.AccountID{}.String() + "/devices",
			"/v1/vendors/" + key.AccountID{}.String() + "/devices",
		} {
			check(h, row{code: code, status: 503, r: request("GET", path, "")})
		}
	}
	h := newPhone(t, &fake{}, &devices{}, &lists{}).PhoneHandler()
	put := func(box, slot string) *http.Request {
		return phoneRequest("POST", "/v1/boxes/"+box+"/"+slot, "x", "Content-Type", octets)
	}
	for i := range 16 {
		if status, body := call(h, put(fmt.Sprintf("%032x", i), "offer")); status != http.StatusNoContent {
			t.Fatalf("box %d: %d %s", i, status, body)
		}
	}
	check(h, row{code: "slot_taken", status: 409, r: put(strings.Repeat("0", 32), "offer")})
	check(h, row{code: "too_many_boxes", status: 503, r: put(strings.Repeat("f", 32), "offer")})
	for code := 0; code != http.StatusTooManyRequests; { // in a tight loop, faster than phoneRate
		code, _ = call(h, phoneRequest("GET", "/v1/status", ""))
	}
	check(h, row{code: "rate_limited", status: 429, r: phoneRequest("GET", "/v1/status", "")})
	for _, code := range ErrorCodes() {
		if !seen[code] {
			t.Errorf("no case for code %q", code)
		}
	}
	if len(seen) != len(ErrorCodes()) {
		t.Errorf("%d codes seen, %d listed", len(seen), len(ErrorCodes()))
	}
}

// The document names every code.
func TestErrors_Documented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/spec/http.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range ErrorCodes() {
		if !strings.Contains(string(doc), "| "+code+" |") {
			t.Errorf("docs/spec/http.md lacks code %q", code)
		}
	}
}

func TestServer_NoCORS(t *testing.T) {
	w := httptest.NewRecorder()
	r := request("OPTIONS", "/v1/tx", "", "Origin", "http://127.0.0.1:1234", "Access-Control-Request-Method", "POST")
	newServer(t, &fake{}).ServeHTTP(w, r)
	for name := range w.Header() {
		if strings.HasPrefix(name, "Access-Control") {
			t.Errorf("header %s", name)
		}
	}
}

// Transactions that wait take their own places only.
func TestServer_BusyOverTheLimit(t *testing.T) {
	f := &fake{status: Status{Height: 1}, block: make(chan struct{}), entered: make(chan struct{})}
	h := newServer(t, f)
	submit := func() (int, string) {
		return call(h, request("POST", "/v1/tx", "x", "Content-Type", "application/cbor"))
	}
	done := make(chan struct{}, classSubmit.all)
	for range classSubmit.all {
		go func() {
			submit()
			done <- struct{}{}
		}()
	}
	for range classSubmit.all {
		<-f.entered
	}
	if code, body := submit(); code != 503 || !strings.Contains(body, `"busy"`) {
		t.Errorf("%d %s", code, body)
	}
	if code, body := call(h, request("GET", "/healthz", "")); code != 200 {
		t.Errorf("%d %s", code, body)
	}
	close(f.block)
	for range classSubmit.all {
		<-done
	}
}

func TestServer_RunEndsWithContext(t *testing.T) {
	s, err := New(Config{Ledger: &fake{status: Status{Height: 1, Time: time.Unix(5, 0)}}, Devices: &devices{}, Index: &lists{}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, l) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(resp.Body); !strings.Contains(string(body), `"height":1`) {
		t.Errorf("%s", body)
	}
	resp.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := http.Get("http://" + l.Addr().String() + "/v1/status"); err == nil {
		t.Error("still answers")
	}
}
