package msg

import (
	"context"
	"fmt"
)

// Code is the reason of a refusal. The list is closed and shared by every
// face and client; it only ever grows. A Code is an error, so that
// errors.Is(err, msg.Timeout) tells what happened.
type Code string

// Refusals of the decoder. The broker answers with one and closes.
const (
	// TooLarge: a frame or a payload passes its cap.
	TooLarge Code = "too_large"
	// Malformed: the bytes are not one JSON object in UTF-8, or something
	// follows it.
	Malformed Code = "malformed"
	// TooDeep: a payload nests deeper than MaxDepth.
	TooDeep Code = "too_deep"
	// DuplicateKey: an object names a member twice, so that two readers
	// could understand two things.
	DuplicateKey Code = "duplicate_key"
	// UnknownType: the message type is not one of this protocol version.
	UnknownType Code = "unknown_type"
	// UnknownField: the message carries a field its type does not have.
	UnknownField Code = "unknown_field"
	// MissingField: the message lacks a field its type needs.
	MissingField Code = "missing_field"
	// BadName: an app, endpoint, method, event name or pattern is not in the
	// grammar.
	BadName Code = "bad_name"
	// BadValue: a field has the wrong JSON type or is out of range.
	BadValue Code = "bad_value"
)

// Refusals of a session. The broker answers with one and closes.
const (
	// BadVersion: the peer speaks another protocol version.
	BadVersion Code = "bad_version"
	// NotAuthenticated: something other than auth came first, or auth came
	// too late.
	NotAuthenticated Code = "not_authenticated"
	// Unexpected: a known message that this peer may not send (now).
	Unexpected Code = "unexpected"
	// BadProof: the signature over the challenge is wrong.
	BadProof Code = "bad_proof"
	// AppDenied: the app name belongs to another key or uid, or the key is
	// registered for no app of that name.
	AppDenied Code = "app_denied"
	// DuplicateID: a call used the id of a call that is still outstanding.
	DuplicateID Code = "duplicate_id"
	// TooManyPeers: the broker, or this uid, has no connection left.
	TooManyPeers Code = "too_many_peers"
)

// Refusals of one request; the connection goes on.
const (
	// NotFound: no such endpoint and method, or no such registration.
	NotFound Code = "not_found"
	// Exists: the endpoint belongs to another connection, or the method or
	// subscription is there already.
	Exists Code = "exists"
	// NotYours: an app may register methods and publish events only under
	// its own name.
	NotYours Code = "not_yours"
	// Limit: the peer's own quota (outstanding calls, methods,
	// subscriptions) is used up.
	Limit Code = "limit"
	// Busy: the other side's queue is full; try again later.
	Busy Code = "busy"
	// Timeout: the deadline passed; whether the provider acted is unknown.
	Timeout Code = "timeout"
	// Canceled: the caller took the call back.
	Canceled Code = "canceled"
	// ProviderGone: the provider's connection ended before it answered;
	// whether it acted is unknown.
	ProviderGone Code = "provider_gone"
	// NotAgent: the call carries a verified marker and the caller is not the
	// agent. The call did not reach the provider.
	NotAgent Code = "not_agent"
	// Unverified: the method needs a verified marker and the call has none.
	// The call did not reach the provider.
	Unverified Code = "unverified"
)

// Answers of a provider; only these may come from one.
const (
	// Failed: the provider tried and could not.
	Failed Code = "failed"
	// Denied: the provider will not do this for this caller.
	Denied Code = "denied"
	// BadParams: the provider does not understand the params.
	BadParams Code = "bad_params"
	// Unavailable: the provider cannot do this now.
	Unavailable Code = "unavailable"
)

// Codes returns every code, in the order of docs/spec/hbus.md.
func Codes() []Code {
	return []Code{
		TooLarge, Malformed, TooDeep, DuplicateKey, UnknownType, UnknownField,
		MissingField, BadName, BadValue,
		BadVersion, NotAuthenticated, Unexpected, BadProof, AppDenied,
		DuplicateID, TooManyPeers,
		NotFound, Exists, NotYours, Limit, Busy, Timeout, Canceled,
		ProviderGone, NotAgent, Unverified,
		Failed, Denied, BadParams, Unavailable,
	}
}

// Known tells whether c is in the list.
func (c Code) Known() bool {
	for _, k := range Codes() {
		if c == k {
			return true
		}
	}
	return false
}

// FromProvider tells whether a provider may answer with c. A provider that
// could say NotAgent or Timeout would speak in the broker's name.
func (c Code) FromProvider() bool {
	switch c {
	case Failed, Denied, BadParams, Unavailable:
		return true
	}
	return false
}

// Error makes a Code usable with errors.Is.
func (c Code) Error() string { return string(c) }

// Refuse returns a refusal with a text for people. The text is cut to
// MaxDetail bytes when it is sent.
func Refuse(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Detail: fmt.Sprintf(format, args...)}
}

// Error reads "code: detail".
func (e *Error) Error() string {
	if e.Detail == "" {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Detail
}

// Is matches the code, and context's own errors for Timeout and Canceled.
func (e *Error) Is(target error) bool {
	if c, ok := target.(Code); ok {
		return c == e.Code
	}
	switch e.Code {
	case Timeout:
		return target == context.DeadlineExceeded
	case Canceled:
		return target == context.Canceled
	}
	return false
}
