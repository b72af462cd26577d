// Package link carries signed commands to a device and its receipts back, on
// the persistent, pipelined stream /hybridos/command/1.
//
// It does not look into the bytes: what is a valid command is the gate's
// affair. Entry points: Dial for the sender, New for the device.
//
// What must never change: a request is a frame of a number and the command, the
// answer a frame of the same number and the receipt, in order of completion;
// numbers rise; one bad frame closes the stream; and the sender is told truly
// whether its command may have been executed (ErrNoAnswer) or surely was not
// (ErrNotSent).
package link

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What Send reports when it has no answer.
var (
	// ErrNotSent: the device has not got the command; it is safe to send again.
	ErrNotSent = errors.New("command not sent")
	// ErrNoAnswer: the command went out and no answer came; whether it was
	// executed is unknown. Sending the same signed bytes again is safe (the
	// device answers a repeated command with its first receipt), signing a new
	// command is not.
	ErrNoAnswer = errors.New("no answer, outcome unknown")
	// ErrClosed: the link was closed by its owner.
	ErrClosed = errors.New("link closed")
	// ErrTooLarge: the command is empty or over the cap; nothing was sent.
	ErrTooLarge = errors.New("command empty or too large")
)

// ErrorKind names what a peer did wrong on the stream; it is closed for it.
type ErrorKind string

// The kinds, beside those of package frame.
const (
	// BadNumber: the request number is not minimal, zero, or not rising; or an
	// answer has a number that was never asked.
	BadNumber ErrorKind = "link_bad_number"
	// NoBody: a frame with a number and nothing behind it.
	NoBody ErrorKind = "link_no_body"
)

// Kinds lists every kind.
func Kinds() []ErrorKind { return []ErrorKind{BadNumber, NoBody} }

// Error makes a kind usable as an error.
func (k ErrorKind) Error() string { return string(k) }

// appendNumber is the number in front of a body.
func appendNumber(b []byte, n uint64) []byte { return binary.AppendUvarint(b, n) }

// split takes a frame apart into number and body.
func split(f []byte) (uint64, []byte, error) {
	n, used := binary.Uvarint(f)
	switch {
	case used <= 0, n == 0, used > 1 && f[used-1] == 0:
		return 0, nil, fmt.Errorf("%w: cannot be read", BadNumber)
	case used == len(f):
		return 0, nil, NoBody
	}
	return n, f[used:], nil
}
