package ticket

import "fmt"

// ErrorKind names why a ticket was refused; comparable with errors.Is.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// BadInvite: not an invitation, damaged, or its parts contradict each other.
	BadInvite ErrorKind = "bad_invitation"
	// BadOffer: not an offer file, damaged, or holding another transaction.
	BadOffer ErrorKind = "bad_offer"
	// OtherLedger: made for another ledger.
	OtherLedger ErrorKind = "other_ledger"
	// NotForUs: made for another key.
	NotForUs ErrorKind = "not_for_this_wallet"
)

// Kinds lists every kind.
func Kinds() []ErrorKind { return []ErrorKind{BadInvite, BadOffer, OtherLedger, NotForUs} }

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
