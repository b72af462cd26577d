package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// files is what the page consists of.
var files = []string{
	"/", "/app.js", "/icon-192.png", "/icon-512.png", "/icon.svg", "/index.html",
	"/manifest.webmanifest", "/style.css", "/sw.js",
}

func ask(t *testing.T, method, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPaths_AreTheBundle(t *testing.T) {
	if got := Paths(); !slices.Equal(got, files) {
		t.Errorf("paths are %q, want %q", got, files)
	}
	entries, err := assets.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries)+1 != len(files) {
		t.Errorf("%d files in assets, %d are served: a file with an unknown ending?", len(entries), len(files)-1)
	}
}

func TestHandler_Answers(t *testing.T) {
	for _, path := range files {
		r := ask(t, "GET", path)
		b := body(t, r)
		kind := r.Header.Get("Content-Type")
		if r.StatusCode != http.StatusOK || len(b) == 0 || kind == "" || r.Header.Get("ETag") == "" {
			t.Errorf("%s: %d, %q, %d bytes", path, r.StatusCode, kind, len(b))
		}
		asks := r.Header.Get("Cache-Control") == "no-cache"
		if picture := strings.HasPrefix(kind, "image/"); asks == picture {
			t.Errorf("%s: Cache-Control %q", path, r.Header.Get("Cache-Control"))
		}
		head := ask(t, "HEAD", path)
		if head.StatusCode != http.StatusOK || len(body(t, head)) != 0 || head.Header.Get("Content-Length") != r.Header.Get("Content-Length") {
			t.Errorf("%s: HEAD differs from GET", path)
		}
	}
}

func TestHandler_Revalidates(t *testing.T) {
	tag := ask(t, "GET", "/app.js").Header.Get("ETag")
	cases := []struct {
		name, header string
		want         int
	}{
		{"same", tag, 304},
		{"weak", "W/" + tag, 304},
		{"in a list", `"x", ` + tag, 304},
		{"any", "*", 304},
		{"another", `"x"`, 200},
		{"none", "", 200},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := ask(t, "GET", "/app.js", "If-None-Match", c.header)
			if r.StatusCode != c.want {
				t.Errorf("status %d, want %d", r.StatusCode, c.want)
			}
			if c.want == 304 && len(body(t, r)) != 0 {
				t.Error("304 with a body")
			}
		})
	}
}

func TestHandler_Compresses(t *testing.T) {
	plain := ask(t, "GET", "/app.js")
	whole := body(t, plain)
	cases := []struct {
		name, accept string
		want         bool
	}{
		{"browser", "gzip, deflate, br, zstd", true},
		{"weighted", "br;q=1, gzip;q=0.5", true},
		{"refused", "gzip;q=0", false},
		{"refused in full", "gzip; q=0.000", false},
		{"other", "br", false},
		{"nothing", "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := ask(t, "GET", "/app.js", "Accept-Encoding", c.accept)
			if got := r.Header.Get("Content-Encoding") == "gzip"; got != c.want {
				t.Fatalf("gzip is %v, want %v", got, c.want)
			}
			if !c.want {
				return
			}
			if r.Header.Get("ETag") == plain.Header.Get("ETag") {
				t.Error("two bodies under one strong tag")
			}
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(z)
			if err != nil || !bytes.Equal(b, whole) {
				t.Errorf("the compressed page is another one: %v", err)
			}
		})
	}
}

func TestHandler_Refuses(t *testing.T) {
	for _, path := range []string{"/nothing", "/assets/app.js", "/../web.go", "//app.js", "/app.js/", "/v1/status"} {
		if r := ask(t, "GET", path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", path, r.StatusCode)
		}
	}
	if r := ask(t, "POST", "/"); r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") == "" {
		t.Errorf("POST: status %d", r.StatusCode)
	}
	if newAsset("secrets.txt", nil) != nil {
		t.Error("a file with an unknown ending is served")
	}
}

// The policy of the phone listener allows no script and no style inside the
// page, and nothing from elsewhere.
func TestIndex_KeepsThePolicy(t *testing.T) {
	page := string(body(t, ask(t, "GET", "/")))
	for _, bad := range []string{`<style`, `\sstyle=`, `<script>`, `\son[a-z]+=`, `="javascript:`, `(src|href)="(https?:)?//`} {
		if m := regexp.MustCompile("(?i)" + bad).FindString(page); m != "" {
			t.Errorf("index.html has %q", m)
		}
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"#]+)"`).FindAllStringSubmatch(page, -1) {
		if !slices.Contains(files, m[1]) {
			t.Errorf("index.html names %s, which is not served", m[1])
		}
	}
}
