package msg

import "time"

// Caps of the native face. A peer that passes one is refused with TooLarge,
// TooDeep, BadName or BadValue, never served in part.
const (
	// HeaderSize is the length prefix of a frame: big-endian uint32.
	HeaderSize = 4
	// MaxFrame bounds the body of a frame, so that one connection can never
	// make the broker hold more than this for a message that is not complete.
	MaxFrame = 256 << 10
	// MaxPayload bounds params, result and data. The rest of MaxFrame is what
	// the broker needs to add names, the caller's identity and the marker.
	MaxPayload = 224 << 10
	// MaxVerified bounds the verified marker; it names a command, it does not
	// carry one.
	MaxVerified = 4 << 10
	// MaxDepth bounds the nesting inside a payload (design: params depth 16).
	MaxDepth = 16
	// MaxFields bounds the members of a message object and of the objects the
	// protocol itself defines. The widest message has 8.
	MaxFields = 12
	// MaxApp bounds an app name and every other single name segment.
	MaxApp = 64
	// MaxEndpoint bounds an endpoint name.
	MaxEndpoint = 64
	// MaxName bounds a method, an event name or a pattern as a whole.
	MaxName = 160
	// MaxSegments bounds the parts of an event name.
	MaxSegments = 8
	// MaxDetail bounds the human text of an error.
	MaxDetail = 512
	// MaxID bounds message ids to what every JSON reader keeps exactly.
	MaxID = 1<<53 - 1
	// MaxDeadline bounds how long a call may be outstanding: longer work is
	// an event, not a call.
	MaxDeadline = 10 * time.Minute
	// DefaultDeadline holds for a call that names none: no call is for ever.
	DefaultDeadline = 10 * time.Second
	// MaxListing bounds the entries of one listing; with the longest names
	// and identities a listing stays under MaxFrame.
	MaxListing = 256
)
