package gate

import (
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// HoldsAt evaluates the windows of a grant in its zone.
func HoldsAt(tb testing.TB, g *tx.CreateGrant, at time.Time) bool {
	tb.Helper()
	zone, err := zoneOf(g.Zone)
	if err != nil {
		tb.Fatal(err)
	}
	return holdsAt(g, at, zone)
}
