package attest

import "fmt"

// Flag names what is wrong with a statement or with its place in the stream.
// Comparable with errors.Is; append-only, and part of the vectors.
type Flag string

// The flags of what is no statement of this stream; it changes nothing.
const (
	// TooLarge: longer than the cap.
	TooLarge Flag = "too_large"
	// Malformed: not a statement, or a field out of its range.
	Malformed Flag = "malformed"
	// NotCanonical: not the one deterministic encoding.
	NotCanonical Flag = "not_canonical"
	// BadVersion: unknown body version.
	BadVersion Flag = "bad_version"
	// WrongChain: of a device of another ledger.
	WrongChain Flag = "wrong_chain"
	// ForeignDevice: of another device.
	ForeignDevice Flag = "foreign_device"
	// BadSignature: not signed by the device's key.
	BadSignature Flag = "bad_signature"
	// WrongEpoch: made under another ownership.
	WrongEpoch Flag = "wrong_epoch"
	// ForeignStream: of another stream of the same device.
	ForeignStream Flag = "foreign_stream"
	// PayloadMismatch: the payload is not the one that was signed for.
	PayloadMismatch Flag = "payload_mismatch"
)

// The flags of a genuine statement that is not the next one; it is not taken.
const (
	// Replay: it came before, or is older than what is remembered.
	Replay Flag = "replay"
	// Reorder: it was missing and comes late.
	Reorder Flag = "reorder"
	// Splice: it has the next number but follows another past, or its number was
	// given to another statement: two histories were joined.
	Splice Flag = "splice"
)

// The flags of a statement that is taken all the same.
const (
	// Drop: statements before it did not come.
	Drop Flag = "drop"
	// Restart: the device crashed, and cannot tell which of the numbers before
	// it were used. As many statements may be missing.
	Restart Flag = "restart"
	// TimeBack: the device's time is before that of the last statement.
	TimeBack Flag = "time_back"
	// HeightBack: the device's ledger head is below that of the last statement.
	HeightBack Flag = "height_back"
)

// Flags lists every flag.
func Flags() []Flag {
	return []Flag{
		TooLarge, Malformed, NotCanonical, BadVersion, WrongChain, ForeignDevice, BadSignature, WrongEpoch, ForeignStream,
		PayloadMismatch, Replay, Reorder, Splice, Drop, Restart, TimeBack, HeightBack,
	}
}

// Error makes a flag usable as a target of errors.Is.
func (f Flag) Error() string { return string(f) }

// Error is a refusal with its flag and detail for people.
type Error struct {
	Flag   Flag
	Detail string
}

// Error gives flag and detail.
func (e *Error) Error() string { return string(e.Flag) + ": " + e.Detail }

// Unwrap lets errors.Is find the flag.
func (e *Error) Unwrap() error { return e.Flag }

func refuse(f Flag, format string, args ...any) error {
	return &Error{Flag: f, Detail: fmt.Sprintf(format, args...)}
}
