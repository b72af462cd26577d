package codec

// ErrorKind names a reason why bytes were refused. Kinds are comparable with
// errors.Is.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// TooLarge: more bytes than the caller's cap.
	TooLarge ErrorKind = "too_large"
	// Malformed: not CBOR, or not of the expected shape.
	Malformed ErrorKind = "malformed"
	// NotCanonical: valid CBOR, but not the one deterministic encoding.
	NotCanonical ErrorKind = "not_canonical"
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
