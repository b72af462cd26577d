package bench

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestOpenLoop_CountsTheWaitOfOthers: while one answer is late, the others are
// sent all the same, and each is measured from when it was due.
func TestOpenLoop_CountsTheWaitOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{}) // the ledger stands still for a second
		time.AfterFunc(time.Second, func() { close(free) })
		var sent atomic.Int32
		took, late, err := openLoop(t.Context(), 25*time.Millisecond, make([][]byte, 80), func(context.Context, int, []byte) error {
			sent.Add(1)
			<-free
			return nil
		})
		if err != nil || late != 0 || sent.Load() != 80 {
			t.Fatalf("%d sent, %d late, %v", sent.Load(), late, err)
		}
		if took[0] != time.Second || took[20] != 500*time.Millisecond || took[79] != 0 {
			t.Fatalf("took %v, %v and %v", took[0], took[20], took[79])
		}
	})
}

func TestOpenLoop_Failures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took, late, err := openLoop(t.Context(), time.Millisecond, make([][]byte, 3), func(ctx context.Context, i int, _ []byte) error {
			switch i {
			case 0:
				<-ctx.Done()
				return ctx.Err()
			case 1:
				return errBusy
			}
			return nil
		})
		if err != nil || late != 2 || took[0] != latencyWait || took[1] != latencyWait || took[2] != 0 {
			t.Fatalf("took %v, %d late, %v", took, late, err)
		}
		refused := errors.New("refused")
		if _, _, err := openLoop(t.Context(), time.Millisecond, make([][]byte, 1), func(context.Context, int, []byte) error { return refused }); !errors.Is(err, refused) {
			t.Fatalf("got %v", err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := openLoop(ended, time.Hour, make([][]byte, 2), func(context.Context, int, []byte) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	})
}

// TestInterleave: a sender's turn comes again after all others had theirs, so
// that its transactions reach one validator in order.
func TestInterleave(t *testing.T) {
	lists, err := keyValues(7, 3)
	if err != nil {
		t.Fatal(err)
	}
	all := interleave(lists)
	if len(all) != 3*loadVendors || string(all[loadVendors+5]) != string(lists[5][1]) || loadVendors%validators != 0 {
		t.Fatalf("%d transactions, the wrong order", len(all))
	}
}

func TestReport_Latency(t *testing.T) {
	r := Report{Rounds: 5, Ledgers: ledgerRows{Waits: []latencyRow{
		{Name: "hosd", P50: 851 * time.Millisecond, P99: time.Second}, {Name: "kvstore", P50: 600 * time.Millisecond, P99: time.Second, Late: 3},
	}}}
	var b strings.Builder
	if err := r.write(&b, Options{Only: []string{"ledger"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| hosd | 851 ms | 1000 ms | 0 | 850 ms missed |", "| kvstore | 600 ms | 1000 ms | 3 |  |"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}
