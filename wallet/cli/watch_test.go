package cli

import (
	"bufio"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestWatch tells headers, each change once, and what the lock says.
func TestWatch(t *testing.T) {
	w := newWorld(t)
	owner, _ := w.owner(t, "lock")
	guest := w.person(t)
	guest.hos(exitOK, "key", "new")
	g := owner.json("hos.grant", "grant", "add", "--to", guest.public(), "--method", "lock.open", "--for", "1h", "--yes")
	w.before = func(heads int, w *world) {
		if heads == 2 {
			owner.hos(exitOK, "grant", "revoke", g["grant"].(string))
		}
		w.now = w.now.Add(time.Second)
	}
	out, _ := owner.hos(exitOK, "watch", "--heads", "4")
	var got []string
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		var e map[string]any
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if e["schema"] != "hos.watch" || e["version"] != float64(1) || e["height"] == float64(0) {
			t.Errorf("line %q", lines.Text())
		}
		word := e["event"].(string)
		if s, ok := e["status"].(string); ok {
			word += " " + s
		}
		if r, ok := e["result"].(string); ok {
			word += " " + r
		}
		got = append(got, word)
	}
	want := []string{
		"head", "device", "grant active", `state executed {"state":"locked"}`,
		"head",
		"head", "grant revoked", `state executed {"state":"locked"}`,
		"head",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
