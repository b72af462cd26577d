package store

import (
	"errors"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/store/kv"
)

// ErrorKind names why the tree refused; comparable with errors.Is. Faults of
// the disk are kv errors instead.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// BadKey: a key that is empty, over MaxKeyBytes or begins with 0x00 or 0xff.
	BadKey ErrorKind = "bad_key"
	// BadValue: a value that is empty or over MaxValueBytes.
	BadValue ErrorKind = "bad_value"
	// NoVersion: the version was pruned or never committed; ask for a newer one.
	NoVersion ErrorKind = "no_version"
	// Closed: the tree was closed.
	Closed ErrorKind = "closed"
	// Damaged: the nodes on disk do not form a tree; resync.
	Damaged ErrorKind = "damaged"
	// BadSnapshot: chunks that are not those of a tree with the root asked for;
	// take them from somebody else.
	BadSnapshot ErrorKind = "bad_snapshot"
	// Unfinished: the state is being imported; nothing else can be done with it.
	Unfinished ErrorKind = "unfinished"
)

// Kinds lists every kind, for the tests of those who map them.
var Kinds = []ErrorKind{BadKey, BadValue, NoVersion, Closed, Damaged, BadSnapshot, Unfinished}

// Error is a refusal with its kind and detail for people.
type Error struct {
	// Kind is the class of the refusal.
	Kind ErrorKind
	// Detail is for people.
	Detail string
}

// Error gives kind and detail.
func (e *Error) Error() string { return "state tree: " + string(e.Kind) + ": " + e.Detail }

// Unwrap lets errors.Is find the kind.
func (e *Error) Unwrap() error { return e.Kind }

func refuse(kind ErrorKind, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// fault passes errors of the disk on; whatever else iavl reports means that the
// nodes on disk do not fit together.
func (t *Tree) fault(doing string, err error) error {
	var disk *kv.Error
	if errors.As(err, &disk) {
		return fmt.Errorf("state tree: %s: %w", doing, err)
	}
	return refuse(Damaged, "%s: %v", doing, err)
}

// catch turns iavl's panics into errors: it panics where a node cannot be read,
// which is a fault of the disk and not of the program.
func (t *Tree) catch(doing string, err *error) {
	switch r := recover().(type) {
	case nil:
	case error:
		*err = t.fault(doing, r)
	default:
		*err = refuse(Damaged, "%s: %v", doing, r)
	}
}
