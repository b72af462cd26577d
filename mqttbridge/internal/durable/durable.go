// Package durable reads and writes the bridge's small private files.
//
// It is not a store: a file is read whole and replaced whole. Entry points:
// ReadPrivate and Replace. What must never change: files are of mode 0600, a
// file open to others is refused on reading, and a crash at any point leaves the
// old file or the new one, never a part.
package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrMode says that a file is no regular file or that others may open it. The
// caller should have its owner run chmod 600 and not go on.
var ErrMode = errors.New("file must be a regular file of mode 0600")

// ErrTooLarge says that a file is over the caller's cap.
var ErrTooLarge = errors.New("file is too large")

// ReadPrivate reads the private file at path, at most limit bytes of it. It
// follows no symbolic link.
func ReadPrivate(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s has mode %v: %w", path, info.Mode(), ErrMode)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: %w", path, ErrTooLarge)
	}
	return data, nil
}

// Replace puts data in the place of path, as a file of mode 0600.
func Replace(path string, data []byte) error {
	return place(path, data, os.Rename)
}

// Create writes data to a new file at path. If path exists already, the error is
// os.ErrExist and the file is left alone.
func Create(path string, data []byte) error {
	return place(path, data, func(from, to string) error {
		if err := os.Link(from, to); err != nil {
			return err
		}
		return os.Remove(from)
	})
}

// place writes data beside path, makes it durable and moves it into place.
func place(path string, data []byte, move func(from, to string) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("create temporary file: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err = f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	if err = f.Close(); err != nil {
		return fmt.Errorf("close %s: %w", path, err)
	}
	if err = move(f.Name(), path); err != nil {
		return fmt.Errorf("put %s in place: %w", path, err)
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}
