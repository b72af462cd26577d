package e2e

import (
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/testnet/bench"
)

// A ledger of 500 blocks and more, made by four validators: a fresh node joins
// it by the command of a person, begins with a snapshot, and proves records under
// the head that an independent light client verifies. How long it takes is told,
// and no test.
func TestStateSync_HighLedger(t *testing.T) {
	var report, talk strings.Builder
	o := bench.Options{Bin: programs, Rounds: 5, Only: []string{"sync"}}
	if err := bench.Run(t.Context(), o, &report, &talk); err != nil {
		t.Fatal(err)
	}
	t.Log(report.String())
}
