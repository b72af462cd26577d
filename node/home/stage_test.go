package home

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustLock(t *testing.T, d Dir) {
	t.Helper()
	l, err := d.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Unlock(); err != nil {
		t.Fatal(err)
	}
}

// build makes a stage with a file in each part.
func build(t *testing.T, d Dir) {
	t.Helper()
	if err := d.Stage(); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{StageState, StageStores} {
		dir := filepath.Join(d.StageDir(), part)
		if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "x"), nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

func adopted(d Dir) bool {
	_, a := os.Stat(filepath.Join(d.StateDir(), "x"))
	_, b := os.Stat(filepath.Join(d.storesDir(), "x"))
	_, c := os.Stat(d.importDir())
	_, e := os.Stat(d.StageDir())
	return a == nil && b == nil && errors.Is(c, os.ErrNotExist) && errors.Is(e, os.ErrNotExist)
}

// A crash at any point of an import leaves the home as it was, or is made good
// by whoever comes next.
func TestStage_Crash(t *testing.T) {
	made := func() Dir {
		d, err := Create(filepath.Join(t.TempDir(), "home"), Default())
		if err != nil {
			t.Fatal(err)
		}
		mustLock(t, d)
		return d
	}
	t.Run("adopted", func(t *testing.T) {
		d := made()
		build(t, d)
		if err := d.Adopt(); err != nil || !adopted(d) {
			t.Fatal(err)
		}
		if err := d.Stage(); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("over a state: %v", err)
		}
	})
	t.Run("while building", func(t *testing.T) {
		d := made()
		before := names(t, d)
		build(t, d)
		mustLock(t, d)
		if diff := cmp.Diff(before, names(t, d)); diff != "" {
			t.Error(diff)
		}
	})
	for _, moved := range []int{0, 1, 2} {
		d := made()
		build(t, d)
		if err := os.Rename(d.StageDir(), d.importDir()); err != nil {
			t.Fatal(err)
		}
		if err := d.Stage(); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("beside an import: %v", err)
		}
		for i, to := range []string{d.StateDir(), d.storesDir()} {
			if i < moved {
				if err := os.Rename(filepath.Join(d.importDir(), []string{StageState, StageStores}[i]), to); err != nil {
					t.Fatal(err)
				}
			}
		}
		if mustLock(t, d); !adopted(d) {
			t.Errorf("%d parts moved: %v", moved, names(t, d))
		}
	}
	d := made()
	if err := d.Stage(); err != nil {
		t.Fatal(err)
	}
	if err := d.Adopt(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half built: %v", err)
	}
}

func names(t *testing.T, d Dir) (out []string) {
	t.Helper()
	if err := filepath.Walk(string(d), func(path string, _ os.FileInfo, err error) error {
		out = append(out, path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}
