package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
)

// devices is a mesh in memory.
type devices struct {
	forward error
	receipt []byte
	gate    chan struct{} // if set, Forward waits for it

	mu       sync.Mutex
	online   map[key.DeviceID]bool
	sent     [][]byte
	watchers map[int]func(key.DeviceID, bool)
	next     int
}

func (d *devices) Online(id key.DeviceID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.online[id]
}

func (d *devices) Forward(ctx context.Context, id key.DeviceID, raw []byte) ([]byte, error) {
	if d.gate != nil {
		select {
		case <-d.gate:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrNoReceipt, ctx.Err())
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent = append(d.sent, raw)
	return d.receipt, d.forward
}

func (d *devices) Watch(ctx context.Context, f func(key.DeviceID, bool)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.watchers == nil {
		d.watchers = make(map[int]func(key.DeviceID, bool))
	}
	n := d.next
	d.next++
	d.watchers[n] = f
	context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.watchers, n)
	})
}

// set changes a device's state and tells it.
func (d *devices) set(id key.DeviceID, online bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.online == nil {
		d.online = make(map[key.DeviceID]bool)
	}
	d.online[id] = online
	for _, f := range d.watchers {
		f(id, online)
	}
}

const page = "<!doctype html>"

func newPhone(t testing.TB, f *fake, d *devices, l *lists, hosts ...string) *Server {
	t.Helper()
	s, err := New(Config{Ledger: f, Devices: d, Index: l, Phone: &Phone{
		Hosts: hosts,
		Page:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) }),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func phoneRequest(method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "http://localhost:8080"+path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// command1 is a command to the device of a test key.
func command1(t testing.TB, device byte) []byte {
	t.Helper()
	k, err := key.FromBytes(bytes.Repeat([]byte{'s'}, 32))
	if err != nil {
		t.Fatal(err)
	}
	d, err := key.FromBytes(bytes.Repeat([]byte{device}, 32))
	if err != nil {
		t.Fatal(err)
	}
	c, err := command.New(command.Body{
		Device: d.Public().DeviceID(), Endpoint: "lock", Method: "open", Epoch: 1, Principal: k.Public().AccountID(),
		Key: k.Public().ID(), Nonce: 1, IssuedAt: 1, Expires: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Sign(codec.ChainDigest{}, k)
	return c.Bytes()
}

// The bytes reach the device as they were sent, and the receipt the phone as it
// came.
func TestServer_Command(t *testing.T) {
	d := &devices{receipt: []byte("receipt\x00\xff")}
	s := newPhone(t, &fake{}, d, &lists{})
	raw := command1(t, 'd')
	w := httptest.NewRecorder()
	s.PhoneHandler().ServeHTTP(w, phoneRequest("POST", "/v1/commands", string(raw), "Content-Type", "application/cbor", "Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-origin"))
	if w.Code != 200 || w.Body.String() != string(d.receipt) || w.Header().Get("Content-Type") != "application/cbor" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if diff := cmp.Diff([][]byte{raw}, d.sent); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func TestServer_Boxes(t *testing.T) {
	h := newPhone(t, &fake{}, &devices{}, &lists{}).PhoneHandler()
	path := "/v1/boxes/" + strings.Repeat("ab", 16) + "/offer"
	if code, body := call(h, phoneRequest("POST", path, "sealed\x00", "Content-Type", "application/octet-stream")); code != 204 || body != "" {
		t.Errorf("%d %s", code, body)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, phoneRequest("GET", path+"?wait=25", ""))
	if w.Code != 200 || w.Body.String() != "sealed\x00" || w.Header().Get("Content-Type") != "application/octet-stream" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %q %v", w.Code, w.Body, w.Header())
	}
}

// A path is served where the table says, and nowhere else.
func TestServer_WhichListenerServesWhat(t *testing.T) {
	s := newPhone(t, &fake{status: Status{Height: 1}}, &devices{}, &lists{})
	for _, r := range s.routes() {
		method, path, _ := strings.Cut(r.pattern, " ")
		path = strings.NewReplacer("{key}", "00", "{id}", "x", "{box}", "x", "{slot}", "x", "{did}", "x").Replace(path)
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // streams end at once
		_, local := call(s.Handler(), phoneRequest(method, path, "").WithContext(ctx))
		_, phone := call(s.PhoneHandler(), phoneRequest(method, path, "").WithContext(ctx))
		if strings.HasPrefix(local, `{"code":"no_path"`) {
			t.Errorf("%s is not served here", r.pattern)
		}
		if other := phone == page || strings.HasPrefix(phone, `{"code":"no_path"`); other == r.phone {
			t.Errorf("%s, phone %v: phones get %s", r.pattern, r.phone, phone)
		}
	}
	for path, want := range map[string]bool{"/": true, "/app.js": true, "/v1/other": false, "/1.0/other": false, "/healthz": true} {
		if _, body := call(s.PhoneHandler(), phoneRequest("GET", path, "")); (body == page) != want {
			t.Errorf("%s: %s", path, body)
		}
	}
}

// The document names every path with its listeners, and every class with its
// places.
func TestRoutes_Documented(t *testing.T) {
	raw, err := os.ReadFile("../../docs/spec/http.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(raw)
	ids := strings.NewReplacer("/accounts/{id}", "/accounts/{hosacc1…}", "/devices/{id}", "/devices/{hosdev1…}",
		"/grants/{id}", "/grants/{hex id}", "/keys/{id}", "/keys/{hoskey1…}", "/records/{key}", "/records/{hex key}")
	for _, r := range newPhone(t, &fake{}, &devices{}, &lists{}).routes() {
		mark := " |"
		if r.phone {
			mark = " P |"
		}
		if row := "| `" + ids.Replace(r.pattern) + "` |" + mark; !strings.Contains(doc, row) {
			t.Errorf("docs/spec/http.md lacks %s", row)
		}
		c := r.class
		if !strings.Contains(doc, fmt.Sprintf("| %s | ", c.name)) || !strings.Contains(doc, fmt.Sprintf(" | %d | ", c.all)) {
			t.Errorf("docs/spec/http.md lacks the %d places of %s", c.all, c.name)
		}
	}
}

func TestServer_PhoneNames(t *testing.T) {
	for name, c := range map[string]struct {
		hosts        []string
		host, origin string
		site, path   string
		want         string // a code, or nothing
	}{
		"localhost":              {nil, "localhost:8080", "http://localhost:8080", "", "/v1/status", ""},
		"loopback":               {nil, "127.0.0.1:8080", "", "", "/v1/status", ""},
		"IPv6 loopback":          {nil, "[::1]:8080", "http://[::1]:8080", "", "/v1/status", ""},
		"page":                   {nil, "localhost", "", "cross-site", "/", ""},
		"name":                   {[]string{"door.example", "d2.example"}, "D2.example:443", "https://d2.example:443", "same-origin", "/v1/status", ""},
		"behind a proxy":         {[]string{"door.example"}, "door.example", "https://door.example", "", "/v1/status", ""},
		"typed":                  {[]string{"door.example"}, "door.example", "", "none", "/v1/status", ""},
		"localhost not named":    {[]string{"door.example"}, "localhost:8080", "", "", "/v1/status", "bad_host"},
		"loopback not named":     {[]string{"door.example"}, "127.0.0.1:8080", "", "", "/", "bad_host"},
		"rebinding":              {nil, "evil.example:8080", "", "", "/", "bad_host"},
		"suffix":                 {[]string{"door.example"}, "door.example.evil.example", "", "", "/v1/status", "bad_host"},
		"prefix":                 {[]string{"door.example"}, "evil-door.example", "", "", "/v1/status", "bad_host"},
		"dot":                    {[]string{"door.example"}, "door.example.", "", "", "/v1/status", "bad_host"},
		"two ports":              {[]string{"door.example"}, "door.example:1:2", "", "", "/v1/status", "bad_host"},
		"odd port":               {[]string{"door.example"}, "door.example:80@evil", "", "", "/v1/status", "bad_host"},
		"user":                   {[]string{"door.example"}, "door.example@evil.example", "", "", "/v1/status", "bad_host"},
		"no host":                {nil, "", "", "", "/v1/status", "bad_host"},
		"other origin":           {nil, "localhost:8080", "http://localhost:8081", "", "/v1/status", "bad_origin"},
		"other scheme":           {nil, "localhost:8080", "https://localhost:8080", "", "/v1/status", "bad_origin"},
		"other name":             {[]string{"door.example"}, "door.example", "https://evil.example", "", "/", "bad_origin"},
		"null":                   {nil, "localhost", "null", "", "/", "bad_origin"},
		"opaque":                 {nil, "localhost", "file://localhost", "", "/", "bad_origin"},
		"path":                   {nil, "localhost", "http://localhost/x", "", "/", "bad_origin"},
		"cross-site without one": {nil, "localhost", "", "cross-site", "/v1/status", "bad_origin"},
		"odd site":               {nil, "localhost", "", "x", "/v1/status", "bad_origin"},
	} {
		h := newPhone(t, &fake{}, &devices{}, &lists{}, c.hosts...).PhoneHandler()
		r := phoneRequest("GET", c.path, "")
		r.Host = c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		code, body := call(h, r)
		if c.want == "" && code != 200 || c.want != "" && !strings.Contains(body, `"`+c.want+`"`) {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
	two := phoneRequest("GET", "/", "")
	two.Header["Origin"] = []string{"http://localhost:8080", "http://localhost:8080"}
	if code, _ := call(newPhone(t, &fake{}, &devices{}, &lists{}).PhoneHandler(), two); code != 403 {
		t.Errorf("two origins: %d", code)
	}
}

// With TLS a page of the same name that came by plain HTTP is another site.
func TestDoor_SameOriginWithTLS(t *testing.T) {
	d := &door{secure: true, hosts: []string{"door.example"}}
	if !d.sameOrigin("https://door.example", "door.example") || d.sameOrigin("http://door.example", "door.example") {
		t.Error("wrong scheme")
	}
}

func TestServer_SecurityHeaders(t *testing.T) {
	h := newPhone(t, &fake{}, &devices{}, &lists{}).PhoneHandler()
	for _, path := range []string{"/", "/v1/status", "/v1/none"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, phoneRequest("GET", path, "", "Origin", "http://localhost:8080"))
		for name, want := range map[string]string{
			"Content-Security-Policy":      policy,
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
			"Access-Control-Allow-Origin":  "",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s: %q", path, name, got)
			}
		}
		if api := strings.HasPrefix(path, "/v1/"); (w.Header().Get("Cache-Control") == "no-store") != api {
			t.Errorf("%s: cached: %v", path, w.Header())
		}
	}
}

func TestNew_Refuses(t *testing.T) {
	good := Config{Ledger: &fake{}, Devices: &devices{}, Index: &lists{}}
	for name, change := range map[string]func(*Config){
		"no ledger": func(c *Config) { c.Ledger = nil }, "no devices": func(c *Config) { c.Devices = nil },
		"no index": func(c *Config) { c.Index = nil }, "no page": func(c *Config) { c.Phone = &Phone{} },
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Error(name)
		}
	}
	s, err := New(good)
	if err != nil || s.PhoneHandler() != nil {
		t.Fatalf("%v, %v", err, s.PhoneHandler())
	}
	l := newPipes()
	if err := s.RunPhone(t.Context(), l); err == nil {
		t.Error("phones are served without a page")
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the listener stays open")
	}
}

// Records are read at the block that an event told, even where the engine's
// status lags behind the index.
func TestServer_ReadsAtTheNewestHead(t *testing.T) {
	f := &fake{status: Status{Height: 7}, records: map[string][]byte{"x": []byte("v")}}
	h := newPhone(t, f, &devices{}, &lists{head: Head{Height: 8}}).PhoneHandler()
	if _, body := call(h, phoneRequest("GET", "/v1/records/78", "")); !strings.Contains(body, `"version":8`) {
		t.Error(body)
	}
	f.status.Height = 9
	if _, body := call(h, phoneRequest("GET", "/v1/records/78", "")); !strings.Contains(body, `"version":9`) {
		t.Error(body)
	}
}
