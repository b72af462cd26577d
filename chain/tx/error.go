package tx

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

func malformed(detail string) error { return &Error{Kind: Malformed, Detail: detail} }
