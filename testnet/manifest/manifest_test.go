package manifest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse_Defaults(t *testing.T) {
	m, err := Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), m); diff != "" {
		t.Error(diff)
	}
}

func TestParse_RoundTrip(t *testing.T) {
	want := Manifest{Name: "abc", Validators: 7, FullNodes: 2, Devices: 3, Bridge: true, Phone: true, LogLevel: "debug"}
	got, err := Parse(want.TOML())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParse_Refusals(t *testing.T) {
	for name, text := range map[string]string{
		"unknown name":       "validator = 4",
		"unknown table":      "[devices]\ncount = 1",
		"no TOML":            "validators = = 4",
		"wrong type":         `validators = "four"`,
		"twice":              "validators = 4\nvalidators = 5",
		"no validator":       "validators = 0",
		"negative":           "devices = -1",
		"too many":           "validators = 33",
		"too many nodes":     "full_nodes = 33",
		"too many devices":   "devices = 65",
		"bridge without one": "devices = 0\nbridge = true",
		"name":               `name = "Upper"`,
		"short name":         `name = "ab"`,
		"long name":          `name = "` + strings.Repeat("a", MaxName+1) + `"`,
		"name with a path":   `name = "../abc"`,
		"log level":          `log_level = "loud"`,
		"oversized":          "# " + strings.Repeat("x", MaxBytes),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(text)); !errors.Is(err, ErrInvalid) {
				t.Errorf("error %v, want %v", err, ErrInvalid)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net.toml")
	if _, err := Load(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("validators = 99"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v does not name the file", err)
	}
}

func TestShapes_Valid(t *testing.T) {
	names, what := Shapes()
	if len(names) != 5 || len(what) != len(names) {
		t.Fatalf("%d shapes, want 5", len(names))
	}
	for i, name := range names {
		m, ok := Shape(name)
		if !ok || what[i] == "" {
			t.Errorf("shape %s is not found or not described", name)
		}
		if err := m.Validate(); err != nil {
			t.Errorf("shape %s: %v", name, err)
		}
	}
	if _, ok := Shape("nosuch"); ok {
		t.Error("an unknown shape was found")
	}
}

func FuzzParse(f *testing.F) {
	names, _ := Shapes()
	for _, name := range names {
		m, _ := Shape(name)
		f.Add(m.TOML())
	}
	f.Add([]byte("validators = 99"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(m.TOML())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Error(diff)
		}
	})
}
