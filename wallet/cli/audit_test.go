package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJourney_Audit: the owner sees who did what, and what is wrong; an anchor on
// the ledger is held against the receipts.
func TestJourney_Audit(t *testing.T) {
	w := newWorld(t)
	p, d := w.owner(t, "lock")
	p.hos(exitOK, "door", "open")
	p.hos(exitOK, "door", "state")
	out, _ := p.hos(exitOK, "audit", "front-door")
	if strings.Count(out, "(owner)") != 3 || !strings.Contains(out, "3 receipts, 0 not in order") {
		t.Errorf("shown: %s", out)
	}
	p.hos(exitOK, "audit", "front-door", "--anchor", "--yes")
	out, _ = p.hos(exitOK, "audit", "front-door", "--json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var end map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &end); err != nil || end["schema"] != "hos.audit" || end["anchored"] != float64(4) || len(lines) != 7 {
		t.Errorf("%d lines, the last %v, %v", len(lines), end, err)
	}

	whole := d.trail
	d.trail = append(append([][]byte{}, whole[:1]...), whole[2:]...)
	out, _ = p.hos(exitInvalid, "audit", "front-door")
	if !strings.Contains(out, "GAP") {
		t.Errorf("a gap: %s", out)
	}
	d.trail = d.trail[len(d.trail)-1:] // the device has let go what is anchored
	p.hos(exitOK, "audit", "front-door")
	p.hos(exitUnreachable, "audit", "front-door", "--export", filepath.Join(p.dir, "x"))

	p.hos(exitNotFound, "audit", "back-door")
	p.hos(exitUsage, "audit", "front-door", "--verify", "x")
	p.hos(exitNotFound, "audit", "--verify", filepath.Join(p.dir, "none"))
	junk := filepath.Join(p.dir, "junk")
	if err := os.WriteFile(junk, []byte("an audit"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.hos(exitInvalid, "audit", "--verify", junk)
}
