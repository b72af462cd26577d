package bench

import (
	"bytes"
	"strings"
	"testing"
)

// Both trees do the same work, so that their roots differ by the fence alone and
// every figure is there.
func TestTrees_BothSides(t *testing.T) {
	rows, err := compareTrees(t.Context(), 1, 500)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		if r.PerSec <= 0 || r.Proof < 100 {
			t.Errorf("figures are missing: %+v", r)
		}
	}
	var b bytes.Buffer
	report := Report{Rounds: 5, Trees: rows}
	if err := report.write(&b, Options{Only: []string{"tree"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## The state tree", "| state tree | 500 |", "| bare iavl on goleveldb | 500 |"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}

func TestOptions_Only(t *testing.T) {
	if err := (Options{Rounds: 5, Only: []string{"tree", "ledger"}, TreeKeys: []int{1}}).validate(); err != nil {
		t.Error(err)
	}
	if err := (Options{Rounds: 5, Only: []string{"weather"}}).validate(); err == nil {
		t.Error("an unknown part is accepted")
	}
	if err := (Options{Rounds: 5, TreeKeys: []int{maxTreeKeys + 1}}).validate(); err == nil {
		t.Error("a tree that fills the disk is accepted")
	}
	if o := (Options{Only: []string{"tree"}}); o.wants("ledger") || !o.wants("tree") || !(Options{}).wants("phone") {
		t.Error("the wrong parts are measured")
	}
}
