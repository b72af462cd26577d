package bench

import (
	"strings"
	"testing"
	"time"
)

func TestSample_Quantile(t *testing.T) {
	var s sample
	for i := 100; i > 0; i-- {
		s = append(s, time.Duration(i))
	}
	if s.quantile(0.5) != 51 || s.quantile(0.99) != 100 || s.quantile(1) != 100 {
		t.Fatalf("p50 %d, p99 %d, max %d", s.quantile(0.5), s.quantile(0.99), s.quantile(1))
	}
	if median([]int{5, 1, 4, 2, 3}) != 3 {
		t.Fatal("median of five")
	}
}

func TestRun_NeedsFiveRounds(t *testing.T) {
	if err := Run(t.Context(), Options{Rounds: 4}, &strings.Builder{}, &strings.Builder{}); err == nil {
		t.Fatal("four rounds were accepted")
	}
}

// TestTransports_SameVerdict sends real commands to the real gate over each
// transport that needs no other program, and demands verified receipts.
func TestTransports_SameVerdict(t *testing.T) {
	d, err := openDoor(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for name, open := range map[string]func() (transport, error){
		"slim": func() (transport, error) { return openSlim(t.Context(), d.handle) },
		"tls":  func() (transport, error) { return openTLS(t.Context(), d.handle) },
	} {
		t.Run(name, func(t *testing.T) {
			tr, err := open()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := oneRound(t.Context(), d, tr, 3, true); err != nil {
				t.Error(err)
			}
			if err := tr.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReport_SaysWhetherBarsHold(t *testing.T) {
	row := func(name string, us int) roundTripRow {
		return roundTripRow{Name: name, P50: time.Duration(us) * time.Microsecond, P99: time.Duration(us) * time.Microsecond}
	}
	r := Report{Rounds: 5, Gate: []roundTripRow{row("slim stream", 100), row("raw TLS 1.3", 50), row("mosquitto QoS 1", 200)}}
	var b strings.Builder
	if err := r.write(&b, Options{Only: []string{"gate"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 2.00 | 2.00 | 1.2 missed |", "| 0.50 | 0.50 | 1.0 holds |"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}

func TestCPUOf_ReadsThisProcess(t *testing.T) {
	if _, err := cpuOf(1 << 30); err == nil {
		t.Error("a process that is not there has used time")
	}
	if b, err := rssOf(1); err == nil && b <= 0 {
		t.Errorf("resident memory %d", b)
	}
}
