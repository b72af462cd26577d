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
	errNoPath = &Error{http.StatusNotFound, "no_path", "there is nothing at this path", "see docs/spec/http.md"}
	errHost   = &Error{http.StatusForbidden, "bad_host", "the Host header is not a loopback name", "use http://127.0.0.1 or http://localhost"}
	errOrigin = &Error{http.StatusForbidden, "bad_origin", "requests of other sites are not answered", ""}
	errBusy   = &Error{http.StatusServiceUnavailable, "busy", "too many requests at once", "ask again in a moment"}
	errType   = &Error{http.StatusUnsupportedMediaType, "bad_type", "a transaction is sent as application/cbor", "add the header Content-Type: application/cbor"}
	errLarge  = &Error{http.StatusRequestEntityTooLarge, "too_large", "the transaction is over 64 KiB", ""}
	errBody   = &Error{http.StatusBadRequest, "bad_body", "the body ended early or is empty", "send the bytes of one signed transaction"}
	errQuery  = &Error{http.StatusBadRequest, "bad_query", "a query parameter is unknown or malformed", "use prove=1 and version=N"}
	errID     = &Error{http.StatusBadRequest, "bad_id", "the id in the path is malformed", ""}
	errAbsent = &Error{http.StatusNotFound, "not_found", "there is no such record", ""}
)

// ErrorCodes lists the codes that the interface itself can answer with; a
// refused transaction has the ledger's codes instead.
func ErrorCodes() []string {
	out := []string{"internal"}
	for _, e := range []*Error{errNoPath, errHost, errOrigin, errBusy, errType, errLarge, errBody, errQuery, errID, errAbsent} {
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
	s.answer(w, e.Status, e)
}

func explain(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) {
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
