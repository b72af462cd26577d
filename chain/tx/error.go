package tx

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
)

// ErrorKind names why a transaction's bytes were refused; comparable with
// errors.Is. Refusals by chain/codec and chain/key pass through unchanged.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// Malformed: a field is missing, out of its range or out of order.
	Malformed ErrorKind = "malformed_tx"
	// BadVersion: a body version that this code does not know.
	BadVersion ErrorKind = "bad_version"
	// UnknownKind: a transaction kind that this code does not know.
	UnknownKind ErrorKind = "unknown_kind"
	// InvokeOnly: a key whose algorithm may sign commands only, in a place or
	// with rights that ask for more.
	InvokeOnly ErrorKind = "invoke_only"
)

// Error is a refusal with its kind and detail for people.
type Error struct {
	Kind   ErrorKind
	Detail string
}

// Error gives kind and detail.
func (e *Error) Error() string { return string(e.Kind) + ": " + e.Detail }

// Unwrap lets errors.Is find the kind.
func (e *Error) Unwrap() error { return e.Kind }

// fullKey checks a key that signs more than commands: a root, a vendor's or a
// device's.
func fullKey(p key.Public, as string) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if p.Alg.InvokeOnly() {
		return &Error{Kind: InvokeOnly, Detail: fmt.Sprintf("a key of algorithm %d cannot be %s", p.Alg, as)}
	}
	return nil
}

func malformed(detail string) error { return &Error{Kind: Malformed, Detail: detail} }
