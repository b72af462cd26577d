package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/p2p/fetch"
)

// Error is the body of every answer that is not a success.
type Error struct {
	Status  int    `json:"-"`       // of HTTP
	Code    string `json:"code"`    // stable
	Message string `json:"message"` // for people
	Try     string `json:"try,omitempty"`
}

// Error gives code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// The refusals of the interface itself. Codes are stable.
var (
	errNoPath  = &Error{http.StatusNotFound, "no_path", "there is nothing at this path", "see docs/spec/http.md"}
	errHost    = &Error{http.StatusForbidden, "bad_host", "the Host header is not a name of this interface", "use http://localhost on this machine, or add the name to phone_hosts"}
	errOrigin  = &Error{http.StatusForbidden, "bad_origin", "requests of other sites are not answered", ""}
	errRate    = &Error{http.StatusTooManyRequests, "rate_limited", "too many requests from this address", "ask again in a moment"}
	errBusy    = &Error{http.StatusServiceUnavailable, "busy", "too many requests at once", "ask again in a moment"}
	errType    = &Error{http.StatusUnsupportedMediaType, "bad_type", "the body is not sent as the type that this path takes", "add the header Content-Type: application/cbor, or application/octet-stream for boxes"}
	errLarge   = &Error{http.StatusRequestEntityTooLarge, "too_large", "the body is longer than this path takes", ""}
	errBody    = &Error{http.StatusBadRequest, "bad_body", "the body ended early or is empty", "send the bytes of one message"}
	errQuery   = &Error{http.StatusBadRequest, "bad_query", "a query parameter is unknown or malformed", "see docs/spec/http.md"}
	errID      = &Error{http.StatusBadRequest, "bad_id", "the id in the path is malformed", ""}
	errAbsent  = &Error{http.StatusNotFound, "not_found", "there is no such record", ""}
	errCommand = &Error{http.StatusBadRequest, "bad_command", "the body is not a command", ""}
	errOffline = &Error{http.StatusServiceUnavailable, "device_offline", "the device is not connected to this node; nothing was sent", "check the device's power and network, then send the same bytes again"}
	errNoWord  = &Error{http.StatusGatewayTimeout, "no_receipt", "the command was sent and no receipt came; its outcome is unknown", "send the same bytes again: the device does nothing twice"}
	errTaken   = &Error{http.StatusConflict, "slot_taken", "this slot was written before", "begin again with a new link"}
	errBoxes   = &Error{http.StatusServiceUnavailable, "too_many_boxes", "there are too many boxes", "try again in a quarter of an hour"}
	errCursor  = &Error{http.StatusBadRequest, "bad_cursor", "the cursor is malformed, or of another list", "begin again without it"}
	errIndex   = &Error{http.StatusServiceUnavailable, "indexing", "this node is making its lists", "ask again later; /v1/status tells how far it is"}
	errNoIndex = &Error{http.StatusServiceUnavailable, "no_index", "the lists of this node have stopped on a fault", "ask another node; its operator should start it anew"}
	errMessage = &Error{http.StatusNotFound, "no_message", "there is no message in this slot yet", "ask again with wait=25"}
)

// own lists them all.
var own = []*Error{
	errNoPath, errHost, errOrigin, errRate, errBusy, errType, errLarge, errBody, errQuery, errID, errAbsent,
	errCommand, errOffline, errNoWord, errTaken, errBoxes, errMessage,
	errCursor, errIndex, errNoIndex,
}

// ErrorCodes lists the codes that the interface itself can answer with; a
// refused transaction has the ledger's codes instead.
func ErrorCodes() []string {
	out := []string{"internal"}
	for _, e := range own {
		out = append(out, e.Code)
	}
	for c := range backend {
		if e := backend[c].err; e.Code != errBusy.Code {
			out = append(out, e.Code)
		}
	}
	return out
}

// backend turns the codes of the fetch protocol into those of HTTP.
var backend = []struct {
	code fetch.Code
	err  *Error
}{
	{fetch.BadRequest, &Error{http.StatusBadRequest, "bad_request", "the ledger cannot be asked this", ""}},
	{fetch.NotFound, &Error{http.StatusNotFound, "no_version", "this node does not have that version (yet)", "ask for a newer one, or leave version out"}},
	{fetch.Busy, errBusy},
	{fetch.Unavailable, &Error{http.StatusServiceUnavailable, "unavailable", "this node cannot answer now; it may be catching up", "look at /v1/status"}},
	{fetch.Timeout, &Error{http.StatusGatewayTimeout, "timeout", "the transaction is not in a block yet; its fate is open", "send the same bytes again"}},
}

// fail answers with an error. Errors from the inside are logged, not told.
func (s *Server) fail(w http.ResponseWriter, err error) {
	e := explain(err)
	if e.Code == "internal" {
		s.log.Error("request failed", "err", err)
	}
	if e == errBusy || e == errRate {
		// The connection goes too: who is over the limits keeps nothing open.
		w.Header().Set("Connection", "close")
		w.Header().Set("Retry-After", "1")
	}
	s.answer(w, e.Status, e)
}

func explain(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	switch {
	case errors.Is(err, ErrIndexing):
		return errIndex
	case errors.Is(err, ErrNoIndex):
		return errNoIndex
	case errors.Is(err, context.DeadlineExceeded):
		err = fetch.Timeout
	}
	for _, row := range backend {
		if errors.Is(err, row.code) {
			return row.err
		}
	}
	for _, kind := range []state.ErrorKind{state.NoDevice, state.NoAccount, state.NoGrant, state.NoVendor} {
		if errors.Is(err, kind) {
			return errAbsent
		}
	}
	return &Error{http.StatusInternalServerError, "internal", "this node failed to answer", "look at its log"}
}

// refused is the answer to a transaction that the ledger refused.
func refused(code uint32, log string) *Error {
	kind := abci.KindOf(code)
	if kind == "" {
		kind = "refused"
	}
	return &Error{http.StatusUnprocessableEntity, kind, log, ""}
}
