package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestCreate_NeverWritesOver(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := Create(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, []byte("two")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create over a file: %v", err)
	}
	if got, err := ReadPrivate(path, 3); err != nil || string(got) != "one" {
		t.Errorf("read %q, %v", got, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("files left over: %v, %v", left, err)
	}
	if err := Create(filepath.Join(dir, "none", "f"), nil); err == nil {
		t.Error("wrote into a folder that is not there")
	}
}

func TestReadPrivate_Refusals(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := Write(path, []byte("three")); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPrivate(path, 3); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the cap: %v", err)
	}
	if got, err := ReadPrivate(path, 5); err != nil || string(got) != "three" {
		t.Errorf("read %q, %v", got, err)
	}
	linked := filepath.Join(dir, "link")
	if err := os.Symlink(path, linked); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPrivate(linked, 5); err == nil {
		t.Error("followed a symbolic link")
	}
	if _, err := ReadPrivate(dir, 5); !errors.Is(err, ErrMode) {
		t.Errorf("a folder: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPrivate(path, 5); !errors.Is(err, ErrMode) {
		t.Errorf("mode 0644: %v", err)
	}
}
