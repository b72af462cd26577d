package vault

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File is an open file of a store.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size is the file's length.
	Size() (int64, error)
	// Truncate sets the length.
	Truncate(size int64) error
	// Sync returns when the file's content is on disk.
	Sync() error
}

// FS is the disk under a store: the operating system's, or a test's that loses
// power.
type FS interface {
	// MkdirAll makes the directory of the store.
	MkdirAll(dir string) error
	// Lock takes the directory for this process, or fails with Locked.
	Lock(dir string) (io.Closer, error)
	// List names the files of the directory.
	List(dir string) ([]string, error)
	// Open opens a file for reading and writing; create makes a new one and
	// empties an old one.
	Open(path string, create bool) (File, error)
	// Rename moves a file in one step; SyncDir makes that last.
	Rename(from, to string) error
	// Remove deletes a file.
	Remove(path string) error
	// SyncDir returns when the names in the directory are on disk.
	SyncDir(dir string) error
}

// disk is the operating system's file system.
type disk struct{}

var _ FS = disk{}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f osFile) Sync() error { return syncData(f.File) }

// MkdirAll also makes the names last on the way up, or a power cut could take
// the directory with all that was synced in it.
func (d disk) MkdirAll(dir string) error {
	dir = filepath.Clean(dir)
	parent := filepath.Dir(dir)
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := d.MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := syncDir(parent); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err // a parent that may not be opened was not made by us
	}
	return nil
}

func (disk) Lock(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (disk) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

func (disk) Open(path string, create bool) (File, error) {
	flag := os.O_RDWR
	if create {
		flag |= os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flag, fs.FileMode(0o600))
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (disk) Rename(from, to string) error { return os.Rename(from, to) }
func (disk) Remove(path string) error     { return os.Remove(path) }
func (disk) SyncDir(dir string) error     { return syncDir(dir) }
