package durable

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWrite_ReplacesAndKeepsMode(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	leftover := filepath.Join(dir, ".a.json"+tempMark+"123")
	if err := os.WriteFile(leftover, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one", "two"} {
		if err := Write(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path, 100)
		if err != nil || string(got) != want {
			t.Fatalf("read %q, %v; want %q", got, err, want)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if OthersCanRead(info) {
		t.Errorf("mode %v lets others in", info.Mode())
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Errorf("folder holds %v, %v; want the file alone", names, err)
	}
}

func TestWrite_MissingFolder(t *testing.T) {
	err := Write(filepath.Join(t.TempDir(), "no", "a"), []byte("x"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want not exist", err)
	}
}

func TestRead_Cap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := Write(path, make([]byte, 11)); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, 10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if _, err := Read(path, 11); err != nil {
		t.Errorf("at the cap: %v", err)
	}
}

func TestLock_Excludes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Lock(done, path); !errors.Is(err, ErrLocked) {
		t.Fatalf("second holder: %v, want ErrLocked", err)
	}
	unlock()
	again, err := Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	again()
}
