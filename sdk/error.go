package sdk

import (
	"errors"
	"strings"

	"github.com/hybridos-net/hybridos/p2p/fetch"
)

// ErrorKind names what went wrong, by what the caller can do about it;
// comparable with errors.Is.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds.
const (
	// NoNode: no node gives an answer that fits; check the network and try again.
	NoNode ErrorKind = "no_node"
	// Refused: the ledger refused the transaction; the detail begins with the
	// rule's kind.
	Refused ErrorKind = "refused"
	// Undecided: a node took the transaction, but no block came in time; hand in
	// the same bytes again.
	Undecided ErrorKind = "undecided"
	// BadAddress: not a multiaddr with a peer id, or none is known.
	BadAddress ErrorKind = "bad_address"
	// Unreachable: the device was not reached; nothing was executed.
	Unreachable ErrorKind = "unreachable"
	// NoReceipt: the command went out and no answer came; the outcome is
	// unknown. Send the same command again.
	NoReceipt ErrorKind = "no_receipt"
	// BadReceipt: the answer is not signed by the device for this command.
	BadReceipt ErrorKind = "bad_receipt"
)

// Kinds lists every kind.
func Kinds() []ErrorKind {
	return []ErrorKind{NoNode, Refused, Undecided, BadAddress, Unreachable, NoReceipt, BadReceipt}
}

// Error is a failure with its kind, detail for people and what lies behind it.
type Error struct {
	Kind   ErrorKind
	Detail string
	Cause  error
}

// Error gives kind, detail and cause.
func (e *Error) Error() string {
	s := string(e.Kind) + ": " + e.Detail
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap lets errors.Is find kind and cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}

// nodeError marks the failure of all nodes; other errors pass.
func nodeError(err error) error {
	if errors.Is(err, fetch.ErrNoNode) {
		return &Error{Kind: NoNode, Detail: "no node answers", Cause: err}
	}
	return err
}

// printable keeps a node's words from steering the terminal that shows them.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), 500)])
}
