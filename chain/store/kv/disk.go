package kv

import (
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is the file system that pebble sees. It has two rules of its own.
//
// A directory is on disk before a marker in it comes or goes. Pebble creates a
// manifest, moves the marker to it and syncs the directory once; a power cut
// before that could keep the marker's name and lose the manifest's, or lose both
// the old marker and the new one, and with them the store: POSIX promises no
// order between names.
//
// A log that cannot be written stops the store, and what wanted to write stays
// where it is. Pebble would panic, in some places between an unlock and its
// deferred twin, which ends the process.
type disk struct {
	vfs.FS
	failure *failure
}

// markerPrefix begins the names of pebble's markers, logSuffix ends those of
// its logs.
const (
	markerPrefix = "marker."
	logSuffix    = ".log"
)

// Create implements vfs.FS.
func (d disk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := d.settle(name); err != nil {
		return nil, err
	}
	return d.guard(name)(d.FS.Create(name, category))
}

// ReuseForWrite implements vfs.FS.
func (d disk) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.guard(name)(d.FS.ReuseForWrite(old, name, category))
}

// Remove implements vfs.FS.
func (d disk) Remove(name string) error {
	if err := d.settle(name); err != nil {
		return err
	}
	return d.FS.Remove(name)
}

// Unwrap implements vfs.FS.
func (d disk) Unwrap() vfs.FS { return d.FS }

// settle syncs the directory of a marker; other files need no order.
func (d disk) settle(name string) error {
	if !strings.HasPrefix(d.PathBase(name), markerPrefix) {
		return nil
	}
	dir, err := d.OpenDir(d.PathDir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// guard makes a log of a file that is one.
func (d disk) guard(name string) func(vfs.File, error) (vfs.File, error) {
	return func(f vfs.File, err error) (vfs.File, error) {
		if err != nil || !strings.HasSuffix(name, logSuffix) {
			return f, err
		}
		return logFile{f, d.failure}, nil
	}
}

// logFile is a log; its errors never reach pebble.
type logFile struct {
	vfs.File
	failure *failure
}

// Write implements vfs.File.
func (l logFile) Write(b []byte) (n int, err error) {
	n, err = l.File.Write(b)
	return n, l.mind(err)
}

// Preallocate implements vfs.File.
func (l logFile) Preallocate(offset, length int64) error {
	return l.mind(l.File.Preallocate(offset, length))
}

// Sync implements vfs.File.
func (l logFile) Sync() error { return l.mind(l.File.Sync()) }

// SyncTo implements vfs.File.
func (l logFile) SyncTo(length int64) (full bool, err error) {
	full, err = l.File.SyncTo(length)
	return full, l.mind(err)
}

// SyncData implements vfs.File.
func (l logFile) SyncData() error { return l.mind(l.File.SyncData()) }

// Close implements vfs.File.
func (l logFile) Close() error { return l.mind(l.File.Close()) }

// mind stops the store at an error and does not come back: callers of the store
// are told by its failure, and whoever runs it ends the process.
func (l logFile) mind(err error) error {
	if err == nil {
		return nil
	}
	l.failure.set(fault(l.failure.dir, "write the log", err))
	select {}
}
