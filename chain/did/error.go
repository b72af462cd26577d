package did

import "fmt"

// ErrorKind names why a DID, a record or a resolver's answer was refused;
// comparable with errors.Is.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// InvalidDID: not a DID, or not one of this method's two forms.
	InvalidDID ErrorKind = "invalid_did"
	// MethodNotSupported: a DID of another method.
	MethodNotSupported ErrorKind = "method_not_supported"
	// BadRecord: a record that does not decode, or is not of this subject.
	BadRecord ErrorKind = "bad_record"
	// Malformed: the answer is not a DID resolution result in the strict form.
	Malformed ErrorKind = "malformed"
	// NotResolved: the answer is an error, and has no document.
	NotResolved ErrorKind = "not_resolved"
	// NoProof: the answer does not carry exactly one proof of ours.
	NoProof ErrorKind = "no_proof"
	// WrongVersion: the proof is of another version than the header commits to,
	// or the metadata names another than the proof.
	WrongVersion ErrorKind = "wrong_version"
	// BadProof: the proof is of another record, or does not lead to the app hash.
	BadProof ErrorKind = "bad_proof"
	// WrongDocument: document or metadata are not what the proven record gives.
	WrongDocument ErrorKind = "wrong_document"
)

// Kinds lists every kind.
var Kinds = []ErrorKind{
	InvalidDID, MethodNotSupported, BadRecord, Malformed, NotResolved, NoProof, WrongVersion, BadProof, WrongDocument,
}

// Error is a refusal with its kind and detail for people.
type Error struct {
	Kind   ErrorKind
	Detail string
}

// Error gives kind and detail.
func (e *Error) Error() string { return "did: " + string(e.Kind) + ": " + e.Detail }

// Unwrap lets errors.Is find the kind.
func (e *Error) Unwrap() error { return e.Kind }

func refuse(k ErrorKind, format string, args ...any) error {
	return &Error{Kind: k, Detail: fmt.Sprintf(format, args...)}
}
