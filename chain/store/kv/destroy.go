package kv

import "github.com/cockroachdb/pebble/v2/vfs"

// Destroy removes the directory of a store with all that is in it; disk is nil
// for the operating system's file system. It is for stores that can be made
// again from others: closed ones, and ones that have stopped on a fault.
func Destroy(dir string, disk FS) error {
	if disk == nil {
		disk = vfs.Default
	}
	if err := disk.RemoveAll(dir); err != nil {
		return fault(dir, "remove the directory", err)
	}
	return nil
}

// Exists reports whether something stands at dir.
func Exists(dir string, disk FS) bool {
	if disk == nil {
		disk = vfs.Default
	}
	_, err := disk.Stat(dir)
	return err == nil
}
