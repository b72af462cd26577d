package mux

import "errors"

// Errors a caller may meet; each ends the connection or the stream it names.
var (
	// ErrClosed: this side closed the connection.
	ErrClosed = errors.New("mux: connection closed")
	// ErrStreamClosed: this side closed the half of the stream it now uses.
	ErrStreamClosed = errors.New("mux: stream closed")
	// ErrKeepAlive: the peer was silent for three keep-alive intervals.
	ErrKeepAlive = errors.New("mux: peer does not answer")
	// ErrExhausted: all stream numbers of this connection are used up; dial anew.
	ErrExhausted = errors.New("mux: stream numbers used up")
	// ErrProtocol is wrapped by every violation of the framing by the peer.
	ErrProtocol = errors.New("mux: protocol violation")
)

// Violations, all of the kind ErrProtocol.
var (
	errVersion   = violation("unknown version")
	errKind      = violation("unknown frame type")
	errFlags     = violation("unknown flag")
	errStreamID  = violation("stream number does not fit the frame type")
	errParity    = violation("stream number belongs to the other side")
	errDuplicate = violation("stream opened twice")
	errWindow    = violation("window exceeded")
	errCredit    = violation("window overflows")
	errFlood     = violation("too many refused streams")
)

// errPoked: the read was interrupted, no byte was lost.
var errPoked = errors.New("mux: interrupted")

type violationError string

func violation(s string) error           { return violationError(s) }
func (v violationError) Error() string   { return ErrProtocol.Error() + ": " + string(v) }
func (v violationError) Is(t error) bool { return t == ErrProtocol }
