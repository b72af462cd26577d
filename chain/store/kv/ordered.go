package kv

import (
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ordered is a file system that has a directory on disk before a marker in it
// comes or goes. Pebble creates a manifest, moves the marker to it and syncs the
// directory once; a power cut before that could keep the marker's name and lose
// the manifest's, or lose both the old marker and the new one, and with them the
// store. POSIX promises no order between names.
type ordered struct{ vfs.FS }

// markerPrefix begins the names of pebble's markers.
const markerPrefix = "marker."

// Create implements vfs.FS.
func (o ordered) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := o.settle(name); err != nil {
		return nil, err
	}
	return o.FS.Create(name, category)
}

// Remove implements vfs.FS.
func (o ordered) Remove(name string) error {
	if err := o.settle(name); err != nil {
		return err
	}
	return o.FS.Remove(name)
}

// Unwrap implements vfs.FS.
func (o ordered) Unwrap() vfs.FS { return o.FS }

// settle syncs the directory of a marker; other files need no order.
func (o ordered) settle(name string) error {
	if !strings.HasPrefix(o.PathBase(name), markerPrefix) {
		return nil
	}
	dir, err := o.OpenDir(o.PathDir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
