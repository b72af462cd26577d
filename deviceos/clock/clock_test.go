package clock

import (
	"testing"
	"time"
)

func TestClock_NeverBackAndRunsOn(t *testing.T) {
	base := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	hw := base
	c := New(func() time.Time { return hw }, base.Add(-time.Hour), time.Time{})
	step := func(what string, want time.Time) {
		t.Helper()
		if got := c.Now(); !got.Equal(want) {
			t.Fatalf("%s: %s, want %s", what, got, want)
		}
	}
	step("hardware is ahead of the floor", base)
	c.Observe(base.Add(time.Minute))
	step("a header is ahead", base.Add(time.Minute))
	hw = hw.Add(10 * time.Second)
	step("it runs on between headers", base.Add(70*time.Second))
	c.Observe(base)
	step("an old header changes nothing", base.Add(70*time.Second))
	hw = base.Add(-24 * time.Hour)
	step("the hardware clock was set back", base.Add(70*time.Second))
	hw = hw.Add(time.Second)
	step("and runs on", base.Add(71*time.Second))
	hw = base.Add(2 * time.Hour)
	if got := c.Now(); got.Before(base.Add(2 * time.Hour)) {
		t.Fatalf("does not follow the hardware forward: %s", got)
	}
}
