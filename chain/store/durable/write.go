package durable

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// FileMode is the mode of every file that is written here.
const FileMode fs.FileMode = 0o600

// DirMode is the mode of a folder for such files.
const DirMode fs.FileMode = 0o700

// tempMark stands in the names of files that are being written.
const tempMark = ".tmp-"

// Writer writes files; the zero value is ready. Step, if set, is told before
// each stage of a write, so that a test can kill the process there.
type Writer struct {
	Step func(Stage)
}

// Stage is a point in a write at which a process may die.
type Stage string

// The stages, in their order.
const (
	BeforeTemp   Stage = "before-temp"
	BeforeSync   Stage = "before-sync"
	BeforeRename Stage = "before-rename"
	AfterRename  Stage = "after-rename"
)

// Stages lists every stage in its order.
func Stages() []Stage { return []Stage{BeforeTemp, BeforeSync, BeforeRename, AfterRename} }

// Write replaces the file at path with the zero Writer.
func Write(path string, b []byte) error { return Writer{}.Write(path, b) }

// Write replaces the file at path by b: a new file beside it, synced, renamed
// over it, and the folder synced. The folder must exist. Callers that share a
// path hold its Lock; leftovers of writers that were killed are removed here.
func (w Writer) Write(path string, b []byte) error {
	removeLeftovers(path)
	return w.place(path, b, os.Rename)
}

// Create writes b to a new file at path, in the same way. If path exists, the
// error is fs.ErrExist and the file is left alone; of two callers one wins, and
// no lock is needed.
func Create(path string, b []byte) error {
	return Writer{}.place(path, b, func(temp, path string) error {
		if err := os.Link(temp, path); err != nil {
			return err
		}
		return os.Remove(temp)
	})
}

func (w Writer) place(path string, b []byte, move func(temp, path string) error) error {
	w.step(BeforeTemp)
	dir := filepath.Dir(path)
	temp, err := w.writeTemp(dir, filepath.Base(path), b)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	w.step(BeforeRename)
	if err := move(temp, path); err != nil {
		_ = os.Remove(temp)
		return fmt.Errorf("write %s: %w", path, err)
	}
	w.step(AfterRename)
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// writeTemp leaves a synced file beside the target, or nothing. CreateTemp
// opens with 0600 already; a wide umask cannot widen it.
func (w Writer) writeTemp(dir, base string, b []byte) (name string, err error) {
	f, err := os.CreateTemp(dir, "."+base+tempMark+"*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(b); err != nil {
		return "", err
	}
	w.step(BeforeSync)
	if err = f.Sync(); err != nil {
		return "", err
	}
	return f.Name(), f.Close()
}

func (w Writer) step(s Stage) {
	if w.Step != nil {
		w.Step(s)
	}
}

// removeLeftovers deletes what killed writers left: whoever calls holds the
// lock, so no living writer's file is among them.
func removeLeftovers(path string) {
	old, err := filepath.Glob(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+tempMark+"*"))
	if err != nil {
		return
	}
	for _, name := range old {
		_ = os.Remove(name)
	}
}
