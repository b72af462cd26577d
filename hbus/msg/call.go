package msg

import (
	"encoding/json"
	"time"
)

// Call asks the broker to have a method carried out. Exactly one Result or
// Error with the same ID comes back, at the latest when Deadline has passed.
type Call struct {
	ID     uint64 // the caller's own, free again after the answer
	Target string // endpoint
	Method string
	Params json.RawMessage // forwarded as it is; nil if the method takes none
	// Deadline counts from when the broker reads the call; 0 means
	// DefaultDeadline.
	Deadline time.Duration
	// Verified is the agent's word about the command behind the call; only
	// the agent may set it.
	Verified json.RawMessage
}

// Type implements Message.
func (*Call) Type() string { return "call" }

// Check implements Message.
func (m *Call) Check() error {
	if m.Deadline < 0 || m.Deadline > MaxDeadline {
		return Refuse(BadValue, "deadline %v", m.Deadline)
	}
	return checkRoute(m.ID, m.Target, m.Method)
}

func (m *Call) append(dst []byte) []byte {
	dst = appendCall(open(dst, "call", m.ID), m.Target, m.Method, m.Params, m.Deadline, m.Verified)
	return append(dst, '}')
}

func appendCall(dst []byte, target, method string, params json.RawMessage, d time.Duration, verified json.RawMessage) []byte {
	dst = strMember(dst, "target", target)
	dst = strMember(dst, "method", method)
	if d > 0 {
		// Rounded up: a deadline under a millisecond must not become none.
		dst = uintMember(dst, "deadline_ms", uint64((d+time.Millisecond-1)/time.Millisecond))
	}
	dst = rawMember(dst, "verified", verified)
	return rawMember(dst, "params", params)
}

func readCall(f *fields) Message {
	return &Call{
		ID: f.id(), Target: f.str("target"), Method: f.str("method"),
		Params: f.payload("params"), Deadline: f.deadline(), Verified: f.verified(),
	}
}

// Invoke is a call as the provider gets it. ID is the broker's, not the
// caller's, and is never used twice on a connection.
type Invoke struct {
	ID       uint64
	Target   string
	Method   string
	Params   json.RawMessage
	Deadline time.Duration // what the caller gave, counted by the broker
	Verified json.RawMessage
	Caller   *Identity
}

// Type implements Message.
func (*Invoke) Type() string { return "invoke" }

// Check implements Message.
func (m *Invoke) Check() error {
	if err := m.Caller.check(); err != nil {
		return err
	}
	return checkRoute(m.ID, m.Target, m.Method)
}

func (m *Invoke) append(dst []byte) []byte {
	dst = m.Caller.AppendJSON(member(open(dst, "invoke", m.ID), "caller"))
	dst = appendCall(dst, m.Target, m.Method, m.Params, m.Deadline, m.Verified)
	return append(dst, '}')
}

func readInvoke(f *fields) Message {
	id := readIdentity(f, "caller", f.need("caller"))
	return &Invoke{
		ID: f.id(), Target: f.str("target"), Method: f.str("method"),
		Params: f.payload("params"), Deadline: f.deadline(), Verified: f.verified(),
		Caller: &id,
	}
}

// Cancel takes a call back. From a caller it names the caller's id; the broker
// tells the provider with the provider's id, also when a deadline has passed.
// It has no answer of its own: the call is answered with Canceled.
type Cancel struct {
	ID uint64
}

// Type implements Message.
func (*Cancel) Type() string { return "cancel" }

// Check implements Message.
func (m *Cancel) Check() error { return checkID(m.ID) }

func (m *Cancel) append(dst []byte) []byte { return append(open(dst, "cancel", m.ID), '}') }

func readCancel(f *fields) Message { return &Cancel{ID: f.id()} }
