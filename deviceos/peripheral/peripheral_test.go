package peripheral

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func TestEndpoints_WellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range Endpoints() {
		if !tx.ValidName(e.Name) || !tx.ValidName(e.App) || seen[e.Name] || len(e.Methods) == 0 {
			t.Errorf("endpoint %q", e.Name)
		}
		seen[e.Name] = true
		var names []string
		for _, m := range e.Methods {
			names = append(names, m.Name)
			if !tx.ValidName(m.Name) {
				t.Errorf("method %q of %q", m.Name, e.Name)
			}
			if c, ok := ClassOf(e.Name, m.Name); !ok || c != m.Class {
				t.Errorf("class of %s.%s", e.Name, m.Name)
			}
			if f := FloorOf(e.Name, m.Name); f != m.Floor || m.Class.AtLeast(f) != m.Class {
				t.Errorf("floor of %s.%s is stricter than its class", e.Name, m.Name)
			}
		}
		if !slices.IsSorted(names) {
			t.Errorf("methods of %q are not in order", e.Name)
		}
	}
	if _, ok := ClassOf("lock", "melt"); ok {
		t.Error("a method out of nowhere")
	}
	for c, name := range map[Class]string{Read: "R0", Comfort: "R1", Access: "R2", Sealed: "R3"} {
		if c.String() != name || c.Age() <= 0 {
			t.Errorf("%s is not %s", c, name)
		}
	}
	order := []Class{Read, Comfort, Access, Sealed}
	for i, c := range order {
		if ClassFor(tx.Freshness(i)) != c || ClassFor(99) != Sealed {
			t.Errorf("R%d is %s", i, ClassFor(tx.Freshness(i)))
		}
		for j, d := range order {
			if c.AtLeast(d) != order[max(i, j)] {
				t.Errorf("of %s and %s the stricter is %s", c, d, c.AtLeast(d))
			}
		}
	}
	if FloorOf("lock", "melt") != Access {
		t.Error("a method out of nowhere has a loose floor")
	}
	var unset Class
	if unset != Access {
		t.Error("an undeclared class is not the strictest")
	}
}

func TestParseMarker(t *testing.T) {
	good, err := json.Marshal(Marker{Command: command.ID{1}, Epoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := ParseMarker(good); err != nil || m.Command != (command.ID{1}) {
		t.Fatalf("%+v, %v", m, err)
	}
	for _, bad := range []string{"", "{}", "[]", "1", `{"command":"00"}`, string(good) + "{}", string(good[:len(good)-1])} {
		if _, err := ParseMarker([]byte(bad)); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

func FuzzParseMarker(f *testing.F) {
	f.Add([]byte(`{"command":"0100000000000000000000000000000000000000000000000000000000000000","epoch":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if m, err := ParseMarker(raw); err == nil && m.Command == (command.ID{}) {
			t.Fatal("a marker for no command")
		}
	})
}
