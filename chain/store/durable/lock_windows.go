//go:build windows

package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

func tryLock(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION):
		return false, nil
	default:
		return false, err
	}
}

// syncDir has nothing to do: the file system journals renames.
func syncDir(string) error { return nil }

// OthersCanRead cannot tell from mode bits here; the profile folder's own
// access list protects the files.
func OthersCanRead(os.FileInfo) bool { return false }

// openNoFollow opens a file for reading; links need a privilege to be made here.
func openNoFollow(path string) (*os.File, error) { return os.Open(path) }
