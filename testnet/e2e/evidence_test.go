package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// nowhere is a node that does not exist: a device with it alone is without a
// network.
const nowhere = "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"

// TestOffline: a lock whose agent reaches no node opens for a wallet that does,
// through evidence, also what the ledger must have sealed; afterwards a third
// party checks all that it did with the genesis document and a file.
func TestOffline(t *testing.T) {
	d := pairedDoor(t)
	d.restart(nowhere)
	d.hos(0, "door", "open", "dev1")
	d.moves(2)
	d.hos(0, "door", "open", "dev1", "--seal", "--yes")
	d.moves(3)

	file := filepath.Join(t.TempDir(), "dev1.audit")
	var sum struct{ Receipts, Flagged, Anchored int }
	check(t, d.hos(0, "audit", "dev1", "--export", file).Decode(&sum))
	if sum.Receipts != 4 || sum.Flagged != 0 {
		t.Errorf("audit: %+v", sum)
	}
	check(t, d.hos(0, "audit", "--verify", file).Decode(&sum))
	if sum.Receipts != 4 || sum.Flagged != 0 {
		t.Errorf("checked by a third party: %+v", sum)
	}
	d.hos(0, "audit", "dev1", "--anchor", "--yes")
	check(t, d.hos(0, "audit", "dev1").Decode(&sum))
	if sum.Anchored != 5 || sum.Flagged != 0 {
		t.Errorf("after the anchor: %+v", sum)
	}
	raw := must(os.ReadFile(file))(t)
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if a := must(d.net.Hos(d.ctx, d.owner, "audit", "--verify", file))(t); a.Exit == 0 {
		t.Error("a spoiled file is taken")
	}
}
