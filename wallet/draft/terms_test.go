package draft

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/tx"
)

func TestParseWindow(t *testing.T) {
	for text, want := range map[string][]tx.Window{
		"mon 08:00-18:00 Europe/Berlin":         {{Day: 1, From: 480, To: 1080}},
		"fri-mon 00:00-24:00 Europe/Berlin":     {{Day: 1, From: 0, To: 1440}, {Day: 5, From: 0, To: 1440}, {Day: 6, From: 0, To: 1440}, {Day: 7, From: 0, To: 1440}},
		"Tue,Thu 09:30-09:31 Europe/Berlin":     {{Day: 2, From: 570, To: 571}, {Day: 4, From: 570, To: 571}},
		"sun 22:00-06:00 Europe/Berlin":         {{Day: 1, From: 0, To: 360}, {Day: 7, From: 1320, To: 1440}},
		"sat 22:00-00:00 Europe/Berlin":         {{Day: 6, From: 1320, To: 1440}},
		"mon,mon-tue 08:00-09:00 Europe/Berlin": {{Day: 1, From: 480, To: 540}, {Day: 2, From: 480, To: 540}},
	} {
		got, zone, err := ParseWindow(text)
		if err != nil || zone != "Europe/Berlin" {
			t.Errorf("%q: zone %q, %v", text, zone, err)
		}
		if d := cmp.Diff(want, tx.Weekly(got)); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
	if w, zone, err := ParseWindow("daily 22:00-06:00"); err != nil || zone != "" || len(tx.Weekly(w)) != tx.MaxWindows {
		t.Errorf("%d windows, zone %q, %v", len(tx.Weekly(w)), zone, err)
	}
	for _, bad := range []string{
		"", "mon", "mon 08:00-18:00 Europe/Berlin x", "moon 08:00-18:00", "mon- 08:00-18:00", "mon 08:00", "mon 08:00-25:00", "mon 08:00-18:60",
		"mon 08:00-08:00", "mon 24:00-08:00", "mon 08:00-18:00 Local", "mon 08:00-18:00 ../x", ",mon 08:00-18:00",
	} {
		if _, _, err := ParseWindow(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]tx.Rate{"5/1h": {Count: 5, Period: 3600}, "64/744h": {Count: 64, Period: tx.MaxPeriod}, "1/1s": {Count: 1, Period: 1}} {
		if got, err := ParseRate(text); err != nil || *got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "5", "/1h", "5/", "0/1h", "65/1h", "5/0s", "5/-1h", "5/1.5s", "5/745h", "x/1h", "5/1h/2"} {
		if _, err := ParseRate(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
