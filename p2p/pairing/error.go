package pairing

import (
	"fmt"
	"slices"
	"strings"
)

// ErrorKind names why a pairing ended; comparable with errors.Is and sent to
// the other side.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// BadCode: not a pairing code, or damaged.
	BadCode ErrorKind = "bad_code"
	// WrongChain: wallet and device belong to different ledgers.
	WrongChain ErrorKind = "wrong_chain"
	// WrongDevice: the other side is not the device of the code.
	WrongDevice ErrorKind = "wrong_device"
	// WrongSecret: the other side does not know the code's secret.
	WrongSecret ErrorKind = "wrong_secret"
	// AlreadyOwned: the device has an owner.
	AlreadyOwned ErrorKind = "already_owned"
	// BadMessage: malformed, or out of order.
	BadMessage ErrorKind = "bad_message"
	// BadClaim: what the device was asked to sign is not a claim of itself.
	BadClaim ErrorKind = "bad_claim"
	// Cancelled: the owner did not sign.
	Cancelled ErrorKind = "cancelled"
	// NotCommitted: the ledger did not take the claim.
	NotCommitted ErrorKind = "not_committed"
	// NotArmed: the device did not find itself owned on the ledger.
	NotArmed ErrorKind = "not_armed"
)

// Kinds lists every kind.
func Kinds() []ErrorKind {
	return []ErrorKind{
		BadCode, WrongChain, WrongDevice, WrongSecret, AlreadyOwned,
		BadMessage, BadClaim, Cancelled, NotCommitted, NotArmed,
	}
}

// knownKind keeps a stranger from naming kinds that we have not.
func knownKind(k ErrorKind) ErrorKind {
	if slices.Contains(Kinds(), k) {
		return k
	}
	return BadMessage
}

// printable keeps a stranger's words from steering the terminal that shows
// them.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), maxDetail)])
}

// Error is a refusal with its kind and detail for people.
type Error struct {
	Kind   ErrorKind
	Detail string
	Remote bool  // the other side said so
	Cause  error // what lies behind it, if known
}

// Error gives kind and detail.
func (e *Error) Error() string {
	if e.Remote {
		return "refused by the other side: " + string(e.Kind) + ": " + e.Detail
	}
	return string(e.Kind) + ": " + e.Detail
}

// Unwrap lets errors.Is find the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause != nil {
		return []error{e.Kind, e.Cause}
	}
	return []error{e.Kind}
}

func refuse(k ErrorKind, format string, args ...any) error {
	return &Error{Kind: k, Detail: fmt.Sprintf(format, args...)}
}
