package msg

import (
	"encoding/json"
	"unicode/utf8"
)

// Result answers a Call, from provider to broker and from broker to caller.
type Result struct {
	ID     uint64
	Result json.RawMessage // nil is sent as null
}

// Type implements Message.
func (*Result) Type() string { return "result" }

// Check implements Message.
func (m *Result) Check() error { return checkID(m.ID) }

func (m *Result) append(dst []byte) []byte {
	raw := m.Result
	if len(raw) == 0 {
		raw = json.RawMessage("null")
	}
	return append(rawMember(open(dst, "result", m.ID), "result", raw), '}')
}

func readResult(f *fields) Message {
	m := &Result{ID: f.id(), Result: f.payload("result")}
	if m.Result == nil {
		f.fail(MissingField, "result")
	}
	return m
}

// Error answers a request with a refusal. ID 0 (the field is absent) means the
// connection itself: the broker closes it after this.
type Error struct {
	ID     uint64
	Code   Code
	Detail string // for people, at most MaxDetail bytes
}

// Type implements Message.
func (*Error) Type() string { return "error" }

// Check implements Message.
func (m *Error) Check() error {
	if !m.Code.Known() {
		return Refuse(BadValue, "code %.80q", string(m.Code))
	}
	if m.ID > MaxID || len(m.Detail) > MaxDetail {
		return Refuse(BadValue, "id or detail out of range")
	}
	return nil
}

func (m *Error) append(dst []byte) []byte {
	dst = strMember(open(dst, "error", m.ID), "code", string(m.Code))
	if m.Detail != "" {
		dst = strMember(dst, "detail", cut(m.Detail))
	}
	return append(dst, '}')
}

// cut shortens s to MaxDetail bytes as they will be after escaping bad UTF-8.
func cut(s string) string {
	n := 0
	for i, r := range s {
		if n += utf8.RuneLen(r); n > MaxDetail {
			return s[:i]
		}
	}
	return s
}

func readError(f *fields) Message {
	return &Error{ID: f.optUint("id", MaxID), Code: Code(f.str("code")), Detail: f.opt("detail")}
}

// OK answers register, unregister, subscribe, unsubscribe and a publish that
// had an id.
type OK struct {
	ID uint64
}

// Type implements Message.
func (*OK) Type() string { return "ok" }

// Check implements Message.
func (m *OK) Check() error { return checkID(m.ID) }

func (m *OK) append(dst []byte) []byte { return append(open(dst, "ok", m.ID), '}') }

func readOK(f *fields) Message { return &OK{ID: f.id()} }
