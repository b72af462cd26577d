package light

import "fmt"

// ErrorKind names why a header or proof was refused; comparable with
// errors.Is.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// BadHeader: malformed, or its parts do not belong together.
	BadHeader ErrorKind = "bad_header"
	// WrongChain: a header of another ledger.
	WrongChain ErrorKind = "wrong_chain"
	// BadCommit: not signed by more than two thirds of its validators.
	BadCommit ErrorKind = "bad_commit"
	// TooFewKnown: too few of the trusted validators signed; headers between are
	// needed.
	TooFewKnown ErrorKind = "too_few_known"
	// AnchorExpired: the trusted header is older than the trusting period; a new
	// anchor is needed.
	AnchorExpired ErrorKind = "anchor_expired"
	// FromFuture: the header's time lies ahead of the clock.
	FromFuture ErrorKind = "from_future"
	// Fork: two signed headers of one height.
	Fork ErrorKind = "fork"
	// BadProof: the proof does not show what the node says, under this head.
	BadProof ErrorKind = "bad_proof"
	// BadEvidence: not evidence, or out of its caps.
	BadEvidence ErrorKind = "bad_evidence"
	// NoHead: nothing has been verified yet.
	NoHead ErrorKind = "no_head"
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

func refuse(k ErrorKind, format string, args ...any) error {
	return &Error{Kind: k, Detail: fmt.Sprintf(format, args...)}
}
