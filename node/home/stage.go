package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hybridos-net/hybridos/chain/store/durable"
)

// A home is given a state and stores from outside in one step: they are built
// in StageDir, which counts for nothing, and the rename of that folder is the
// moment from which they are the home's. What is left to move then is moved by
// whoever locks the home next, should this process die.

// ErrNotEmpty: the home holds a state or blocks already; nothing was changed.
var ErrNotEmpty = errors.New("holds a state already")

// StageDir is where an import is built.
func (d Dir) StageDir() string { return d.join("data", "import.tmp") }

// importDir is where a complete one waits to be moved into place.
func (d Dir) importDir() string { return d.join("data", "import") }

// The parts of an import, as they are named in StageDir.
const (
	StageState  = "state"  // of StateDir
	StageStores = "stores" // of EngineDir
)

// storesDir is where an engine has its stores.
func (d Dir) storesDir() string { return filepath.Join(d.EngineDir(), StageStores) }

// Stage makes an empty StageDir for a home without state and blocks.
func (d Dir) Stage() error {
	for _, dir := range []string{d.StateDir(), d.storesDir(), d.importDir()} {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s %w", string(d), errors.Join(ErrNotEmpty, err))
		}
	}
	if err := d.Unstage(); err != nil {
		return err
	}
	return os.MkdirAll(d.StageDir(), durable.DirMode)
}

// Unstage removes what an import has built.
func (d Dir) Unstage() error { return os.RemoveAll(d.StageDir()) }

// Adopt makes what was built in StageDir the home's.
func (d Dir) Adopt() error {
	for _, part := range []string{StageState, StageStores} {
		if _, err := os.Stat(filepath.Join(d.StageDir(), part)); err != nil {
			return fmt.Errorf("import: %w", err)
		}
	}
	if err := durable.SyncDir(d.StageDir()); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if err := os.Rename(d.StageDir(), d.importDir()); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if err := durable.SyncDir(d.join("data")); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	return d.settle()
}

// settle ends an import that a crash cut off, forwards if it was complete, else
// backwards. The caller holds the lock.
func (d Dir) settle() error {
	if err := d.Unstage(); err != nil {
		return err
	}
	if _, err := os.Stat(d.importDir()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, part := range []struct{ name, to string }{{StageState, d.StateDir()}, {StageStores, d.storesDir()}} {
		if err := os.MkdirAll(filepath.Dir(part.to), durable.DirMode); err != nil {
			return fmt.Errorf("import: %w", err)
		}
		err := os.Rename(filepath.Join(d.importDir(), part.name), part.to)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // moved before the crash
			return fmt.Errorf("import: %w", err)
		}
		if err := durable.SyncDir(filepath.Dir(part.to)); err != nil {
			return fmt.Errorf("import: %w", err)
		}
	}
	return os.RemoveAll(d.importDir())
}
