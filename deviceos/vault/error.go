package vault

import (
	"errors"
	"io/fs"
	"syscall"
)

// ErrorKind names why the store refused or stopped; comparable with errors.Is.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// Locked: another process uses the directory.
	Locked ErrorKind = "locked"
	// Corrupt: a file does not hold what was written.
	Corrupt ErrorKind = "corrupt"
	// Full: the disk has no space left.
	Full ErrorKind = "full"
	// Denied: the operating system refused access.
	Denied ErrorKind = "denied"
	// Failing: any other fault of the disk.
	Failing ErrorKind = "failing"
	// WrongLayout: written by a newer version of the program.
	WrongLayout ErrorKind = "wrong_layout"
	// Closed: the store was closed before.
	Closed ErrorKind = "closed"
	// BadWrite: an empty key, or one or a value over its cap.
	BadWrite ErrorKind = "bad_write"
)

// Kinds lists every kind.
func Kinds() []ErrorKind {
	return []ErrorKind{Locked, Corrupt, Full, Denied, Failing, WrongLayout, Closed, BadWrite}
}

// Error is a refusal with the directory that it concerns.
type Error struct {
	Kind   ErrorKind
	Dir    string
	Detail string
	Cause  error // nil: none
}

// Error is one lower-case line.
func (e *Error) Error() string {
	text := "store " + e.Dir + ": " + e.Detail
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap gives kind and cause to errors.Is.
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
		return "check the disk; a device whose store is lost must be released by its owner and paired again"
	case Denied:
		return "check the owner and the permissions of " + e.Dir
	case WrongLayout:
		return "use the program version that wrote " + e.Dir
	}
	return ""
}

// fault turns an error of the disk into ours.
func fault(dir, doing string, cause error) *Error {
	var known *Error
	if errors.As(cause, &known) {
		return known
	}
	e := &Error{Kind: Failing, Dir: dir, Detail: doing, Cause: cause}
	switch {
	case errors.Is(cause, Locked):
		e.Kind, e.Detail, e.Cause = Locked, "another process uses this directory", nil
	case errors.Is(cause, syscall.ENOSPC), errors.Is(cause, syscall.EDQUOT):
		e.Kind = Full
	case errors.Is(cause, fs.ErrPermission), errors.Is(cause, syscall.EROFS):
		e.Kind = Denied
	}
	return e
}
