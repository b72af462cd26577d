package bench

import (
	"strings"
	"testing"
)

func TestGrowth_EveryFigure(t *testing.T) {
	row, err := measureGrowth(t.Context(), 2000, 16)
	if err != nil {
		t.Fatal(err)
	}
	// So small a tree shrinks while it grows: Kept may be below zero.
	if len(row.Points) != 5 || row.Points[4].Blocks != 16 || row.Kept == 0 || row.Chunks != 1 || row.Snap < 2000*300 {
		t.Fatalf("figures are missing: %+v", row)
	}
	for _, p := range row.Points {
		if p.Bytes < 2000*300 {
			t.Errorf("%d bytes after %d blocks, less than the records", p.Bytes, p.Blocks)
		}
	}
	var b strings.Builder
	if err := (&Report{Rounds: 5, Growth: row}).write(&b, Options{Only: []string{"growth"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## State growth", "| 16 | 1600 |", "A snapshot has"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}
