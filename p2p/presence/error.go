package presence

import (
	"fmt"
	"slices"
)

// ErrorKind names why a node did not take a statement; comparable with
// errors.Is.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// BadStatement: not the canonical form of a statement, or over its caps.
	BadStatement ErrorKind = "bad_statement"
	// WrongNode: it is meant for another node.
	WrongNode ErrorKind = "wrong_node"
	// WrongPeer: it came over a connection of another peer.
	WrongPeer ErrorKind = "wrong_peer"
	// TooOld: it was made more than MaxSkew ago.
	TooOld ErrorKind = "too_old"
	// TooNew: it was made more than MaxSkew from now.
	TooNew ErrorKind = "too_new"
	// BadSignature: the device's key did not sign it, or not for this ledger.
	BadSignature ErrorKind = "bad_signature"
	// UnknownDevice: the ledger does not know the device (yet).
	UnknownDevice ErrorKind = "unknown_device"
	// Full: the node knows as many devices as it may.
	Full ErrorKind = "full"
	// RateLimited: too many statements over one connection.
	RateLimited ErrorKind = "rate_limited"
	// Unavailable: the node cannot look at its ledger now.
	Unavailable ErrorKind = "unavailable"
)

// Kinds lists every kind; a kind's number on the wire is its place, from 1.
// New kinds are appended.
func Kinds() []ErrorKind {
	return []ErrorKind{
		BadStatement, WrongNode, WrongPeer, TooOld, TooNew,
		BadSignature, UnknownDevice, Full, RateLimited, Unavailable,
	}
}

// number is how a kind travels; 0 is none.
func (k ErrorKind) number() uint8 { return uint8(slices.Index(Kinds(), k) + 1) }

// Error is a refusal with its kind and detail for people.
type Error struct {
	Kind   ErrorKind
	Detail string
	Cause  error // what lies behind it, if known
}

// Error gives kind and detail.
func (e *Error) Error() string { return string(e.Kind) + ": " + e.Detail }

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
