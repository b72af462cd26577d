package home

import "fmt"

// ErrorKind names why the home folder refused; comparable with errors.Is.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// NoHome: it cannot be told where the folder should be.
	NoHome ErrorKind = "no_home"
	// BadFile: a file is damaged; it is never overwritten because of that.
	BadFile ErrorKind = "bad_file"
	// NewerFile: a file was written by a later version of the wallet.
	NewerFile ErrorKind = "newer_file"
	// Busy: another wallet process holds the folder.
	Busy ErrorKind = "home_busy"
	// NoDevice: no device of that name or id is known.
	NoDevice ErrorKind = "unknown_device"
	// Ambiguous: more than one device fits.
	Ambiguous ErrorKind = "ambiguous_device"
	// NameTaken: another device has the name.
	NameTaken ErrorKind = "name_taken"
	// NoGrant: no grant of that id is known.
	NoGrant ErrorKind = "unknown_grant"
	// BadValue: a value that the files do not take.
	BadValue ErrorKind = "bad_value"
	// OtherLedger: the folder belongs to another ledger.
	OtherLedger ErrorKind = "other_ledger"
	// Full: no room for more entries.
	Full ErrorKind = "home_full"
)

// Kinds lists every kind.
func Kinds() []ErrorKind {
	return []ErrorKind{NoHome, BadFile, NewerFile, Busy, NoDevice, Ambiguous, NameTaken, NoGrant, BadValue, OtherLedger, Full}
}

// Error is a refusal with its kind and detail for people.
type Error struct {
	Kind   ErrorKind
	Detail string
}

// Error gives kind and detail.
func (e *Error) Error() string { return string(e.Kind) + ": " + e.Detail }

// Unwrap lets errors.Is find the kind.
func (e *Error) Unwrap() error { return e.Kind }

func refuse(k ErrorKind, format string, args ...any) error {
	return &Error{Kind: k, Detail: fmt.Sprintf(format, args...)}
}
