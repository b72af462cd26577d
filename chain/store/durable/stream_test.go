package durable

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A streamed file is there whole or not at all, and never in another's place.
func TestStream(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	fault := errors.New("fault")
	if err := Stream(path, func(w io.Writer) error { _, _ = w.Write([]byte("half")); return fault }); !errors.Is(err, fault) {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Fatalf("left: %v, %v", left, err)
	}
	if err := Stream(path, func(w io.Writer) error { _, err := w.Write([]byte("whole")); return err }); err != nil {
		t.Fatal(err)
	}
	if err := Stream(path, func(io.Writer) error { t.Error("asked for what cannot be placed"); return nil }); !errors.Is(err, os.ErrExist) {
		t.Errorf("over another: %v", err)
	}
	info, err := os.Stat(path)
	if b, _ := os.ReadFile(path); err != nil || string(b) != "whole" || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%q, %v, %v", b, info, err)
	}
	if err := Stream(filepath.Join(dir, "none", "file"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	late := filepath.Join(dir, "late")
	err = Stream(late, func(io.Writer) error { return os.WriteFile(late, []byte("first"), 0o600) })
	if b, _ := os.ReadFile(late); !errors.Is(err, os.ErrExist) || string(b) != "first" {
		t.Errorf("somebody was faster: %v, %q", err, b)
	}
}
