package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// between stands between a browser and the phone page of a node, and is for the
// browser the node itself: it serves what the node serves, and lies when told
// to. Safe for concurrent use.
type between struct {
	origin string // by the name localhost, as passkeys need it

	mu       sync.Mutex
	lie      func(receipt []byte) []byte // nil: the truth
	silent   bool                        // commands do not reach the node; they are answered by lie(nil)
	commands [][]byte
	receipts [][]byte // as the node gave them
}

// standBetween starts it.
func standBetween(t *testing.T, node string) *between {
	t.Helper()
	target, err := url.Parse(node)
	if err != nil {
		t.Fatal(err)
	}
	b := new(between)
	proxy := &httputil.ReverseProxy{
		// The name that the browser used stays: the node must take it for its own.
		Rewrite: func(r *httputil.ProxyRequest) {
			host := r.In.Host
			r.SetURL(target)
			r.Out.Host = host
		},
		ModifyResponse: b.answer,
		FlushInterval:  -1, // events at once
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isCommand(r) || !b.catch(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		server.CloseClientConnections() // event streams never end by themselves
		server.Close()
	})
	b.origin = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	return b
}

func isCommand(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == "/v1/commands"
}

// catch keeps the command, and answers it here if it is not to reach the node.
func (b *between) catch(w http.ResponseWriter, r *http.Request) bool {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commands = append(b.commands, raw)
	if !b.silent {
		return false
	}
	w.Header().Set("Content-Type", "application/cbor")
	_, _ = w.Write(b.lie(nil))
	return true
}

// answer keeps the node's receipt, and puts a lie in its place.
func (b *between) answer(r *http.Response) error {
	if !isCommand(r.Request) || r.StatusCode != http.StatusOK {
		return nil
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.receipts = append(b.receipts, raw)
	if b.lie != nil {
		raw = b.lie(slices.Clone(raw))
		r.Header.Del("Content-Length")
		r.ContentLength = -1
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	return nil
}

// tell sets the lie; silent keeps commands from the node.
func (b *between) tell(lie func([]byte) []byte, silent bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lie, b.silent = lie, silent
}

// last is the newest receipt that the node gave.
func (b *between) last(t *testing.T) []byte {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.receipts) == 0 {
		t.Fatal("no receipt went through")
	}
	return b.receipts[len(b.receipts)-1]
}

// sent is how many commands the browser has sent.
func (b *between) sent() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.commands)
}
