// Package web is the phone page that a node serves: the bundle that
// sdk/js/build.mjs makes from sdk/js/page, committed and embedded, so that
// building the node needs no JavaScript tools.
//
// It is no server: it checks no Host, sets no policy and knows no ledger; the
// phone listener of node/api does. It holds no secret and renders nothing. The
// entry points are Handler and Paths.
//
// What must never change: the page is only ever these bytes, the same for
// everybody who asks; and the root page is revalidated on every visit, so that
// a mended page reaches phones at once.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

//go:embed assets
var assets embed.FS

// types are the content types by ending; a file with another ending is not
// served. They stand here since mime.TypeByExtension answers differently from
// one machine to the next.
var types = map[string]string{
	"html":        "text/html; charset=utf-8",
	"js":          "text/javascript; charset=utf-8",
	"css":         "text/css; charset=utf-8",
	"svg":         "image/svg+xml",
	"png":         "image/png",
	"webmanifest": "application/manifest+json",
}

// index is the file behind "/".
const index = "index.html"

// asset is one file, ready to be sent.
type asset struct {
	kind    string // content type
	tag     string // strong ETag of the plain bytes
	plain   []byte
	zipped  []byte // nil: not worth it
	zipTag  string
	caching string
}

// Paths lists what Handler answers to, sorted: "/" and one path for each file.
func Paths() []string {
	var out []string
	for path := range load() {
		out = append(out, path)
	}
	slices.Sort(out)
	return out
}

// Handler serves the page to GET and HEAD. Anything that is no file of the
// bundle is 404, other methods are 405. It is safe for concurrent use.
func Handler() http.Handler {
	files := load()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := files[r.URL.Path]
		if !ok {
			http.Error(w, "no such page", http.StatusNotFound)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		a.send(w, r)
	})
}

// load reads the embedded files. That they can be read and have known endings
// is decided when the node is built, and tested.
func load() map[string]*asset {
	entries, err := assets.ReadDir("assets")
	if err != nil {
		panic("web: no assets: " + err.Error())
	}
	out := make(map[string]*asset, len(entries)+1)
	for _, e := range entries {
		b, err := assets.ReadFile("assets/" + e.Name())
		if err != nil {
			panic("web: " + err.Error())
		}
		a := newAsset(e.Name(), b)
		if a == nil {
			continue
		}
		out["/"+e.Name()] = a
		if e.Name() == index {
			out["/"] = a
		}
	}
	return out
}

// newAsset prepares a file; nil for one with an unknown ending.
func newAsset(name string, b []byte) *asset {
	ending := name[strings.LastIndexByte(name, '.')+1:]
	kind, ok := types[ending]
	if !ok {
		return nil
	}
	sum := sha256.Sum256(b)
	id := hex.EncodeToString(sum[:16])
	a := &asset{kind: kind, tag: fmt.Sprintf("%q", id), zipTag: fmt.Sprintf("%q", id+"-gz"), plain: b}
	// Names are fixed, so nothing may be used without asking: no-cache means
	// "ask first", and with an ETag the answer is mostly an empty 304. Pictures
	// change rarely and decide nothing.
	a.caching = "no-cache"
	if ending == "png" || ending == "svg" {
		a.caching = "max-age=86400, must-revalidate"
	}
	if z := zip(b); len(z) < len(b)*9/10 {
		a.zipped = z
	}
	return a
}

func zip(b []byte) []byte {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		panic("web: " + err.Error())
	}
	// A bytes.Buffer takes everything.
	_, _ = w.Write(b)
	_ = w.Close()
	return buf.Bytes()
}

func (a *asset) send(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", a.caching)
	h.Set("X-Content-Type-Options", "nosniff")
	body, tag := a.plain, a.tag
	if a.zipped != nil {
		h.Set("Vary", "Accept-Encoding")
		if takesGzip(r.Header.Get("Accept-Encoding")) {
			body, tag = a.zipped, a.zipTag
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("ETag", tag)
	if matches(r.Header.Get("If-None-Match"), tag) {
		h.Del("Content-Type")
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method == http.MethodGet {
		// A reader that has gone needs no answer.
		_, _ = w.Write(body)
	}
}

// takesGzip reads Accept-Encoding (RFC 9110, 12.5.3) as far as it matters here:
// gzip is named and not refused with a weight of 0.
func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		weight, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		return !ok || strings.Trim(weight, "0.") != ""
	}
	return false
}

// matches reads If-None-Match (RFC 9110, 13.1.2): weak comparison with a list.
func matches(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if part == tag || part == "*" {
			return true
		}
	}
	return false
}
