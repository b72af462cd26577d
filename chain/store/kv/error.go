package kv

import (
	"errors"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrorKind names why the store refused or stopped; comparable with errors.Is.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// Locked: another process, or another Open of this one, holds the directory.
	Locked ErrorKind = "locked"
	// Corrupt: a file does not hold what was written; restore or resync.
	Corrupt ErrorKind = "corrupt"
	// Full: the disk has no space left.
	Full ErrorKind = "full"
	// Denied: the operating system refused access to the directory.
	Denied ErrorKind = "denied"
	// Failing: any other fault of the disk or of the file system.
	Failing ErrorKind = "failing"
	// WrongLayout: the directory holds other data, or was written by a newer
	// version of the program.
	WrongLayout ErrorKind = "wrong_layout"
	// Closed: the store or the batch was closed before.
	Closed ErrorKind = "closed"
	// BadKey: an empty key, one over MaxKeyBytes, or one of the reserved range.
	BadKey ErrorKind = "bad_key"
	// BadValue: a nil value.
	BadValue ErrorKind = "bad_value"
	// BadConfig: options that contradict each other.
	BadConfig ErrorKind = "bad_config"
)

// Kinds lists every kind, for the tests of those who map them.
var Kinds = []ErrorKind{Locked, Corrupt, Full, Denied, Failing, WrongLayout, Closed, BadKey, BadValue, BadConfig}

// Error is a refusal with the directory that it concerns.
type Error struct {
	// Kind is the class of the refusal.
	Kind ErrorKind
	// Dir is the directory of the store.
	Dir string
	// Detail says what was being done.
	Detail string
	// Cause is the error below, or nil.
	Cause error
}

// Error is one lower-case line.
func (e *Error) Error() string {
	text := "store " + e.Dir + ": " + e.Detail
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap gives the kind and the cause to errors.Is.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// Hint is the "try:" text that belongs to the kind, or "".
func (e *Error) Hint() string {
	switch e.Kind {
	case Locked:
		return "stop the other process that uses " + e.Dir
	case Full:
		return "free space on the disk that holds " + e.Dir + " and start again"
	case Corrupt:
		return "check the disk, move " + e.Dir + " away and sync it again from the network"
	case Denied:
		return "check the owner and the permissions of " + e.Dir
	case WrongLayout:
		return "use the program version that wrote " + e.Dir + ", or another directory"
	default:
		return ""
	}
}

// fault turns an error from pebble into ours, by its cause.
func fault(dir, doing string, cause error) *Error {
	e := &Error{Kind: Failing, Dir: dir, Detail: doing, Cause: cause}
	switch {
	case vfs.IsNoSpaceError(cause):
		e.Kind, e.Detail = Full, doing+": no space left on the disk"
	case pebble.IsCorruptionError(cause):
		e.Kind, e.Detail = Corrupt, doing+": a file is corrupt"
	case errors.Is(cause, fs.ErrPermission):
		e.Kind = Denied
	case errors.Is(cause, pebble.ErrClosed):
		e.Kind = Closed
	}
	return e
}
