package phone

import "fmt"

// ErrorKind names why something about a phone was refused; comparable with
// errors.Is.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// BadOrigin: a passkey cannot live on this address.
	BadOrigin ErrorKind = "bad_origin"
	// BadLink: not a link for a phone.
	BadLink ErrorKind = "bad_link"
	// BadMessage: too long, not canonical, or parts that make no sense.
	BadMessage ErrorKind = "bad_message"
	// NotSealed: not sealed with this box's key for this slot.
	NotSealed ErrorKind = "not_sealed"
	// WrongKey: not a passkey of the address that was offered, or of a curve
	// point that does not exist.
	WrongKey ErrorKind = "wrong_phone_key"
	// Unreachable: no answer from the address.
	Unreachable ErrorKind = "phone_page_unreachable"
	// NotANode: something else than a hosd answers at the address.
	NotANode ErrorKind = "not_a_node"
	// SlotTaken: somebody else has written into the slot.
	SlotTaken ErrorKind = "slot_taken"
	// TooManyBoxes: the node keeps no further box now.
	TooManyBoxes ErrorKind = "too_many_boxes"
	// RateLimited: the node has had too many requests.
	RateLimited ErrorKind = "rate_limited"
	// Refused: the node refuses for another reason.
	Refused ErrorKind = "refused_by_node"
	// Expired: nothing came within the time.
	Expired ErrorKind = "phone_silent"
)

// Kinds lists every kind.
func Kinds() []ErrorKind {
	return []ErrorKind{BadOrigin, BadLink, BadMessage, NotSealed, WrongKey, Unreachable, NotANode, SlotTaken,
		TooManyBoxes, RateLimited, Refused, Expired}
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
