package did

import (
	"net/http"

	"github.com/hybridos-net/hybridos/chain/did"
)

// Error is why nothing is resolved.
type Error struct {
	Status int    // of HTTP
	Code   string // one word; stable
	name   string // of the type's URL
	title  string
	detail string
}

// Error gives code and detail.
func (e *Error) Error() string { return e.Code + ": " + e.detail }

// The errors of DID Resolution that there can be. There is no other type for a
// version that is not kept than NOT_FOUND, so that its code says it.
var (
	invalidDID          = Error{Status: http.StatusBadRequest, Code: "invalidDid", name: "INVALID_DID", title: "Not a DID of this method"}
	invalidOptions      = Error{Status: http.StatusBadRequest, Code: "invalidOptions", name: "INVALID_OPTIONS", title: "Unknown or malformed parameter"}
	notFound            = Error{Status: http.StatusNotFound, Code: "notFound", name: "NOT_FOUND", title: "No such account or device"}
	noVersion           = Error{Status: http.StatusNotFound, Code: "no_version", name: "NOT_FOUND", title: "No such version"}
	notSupported        = Error{Status: http.StatusNotAcceptable, Code: "representationNotSupported", name: "REPRESENTATION_NOT_SUPPORTED", title: "No such representation"}
	internal            = Error{Status: http.StatusInternalServerError, Code: "internalError", name: "INTERNAL_ERROR", title: "The node failed"}
	methodNotSupported  = Error{Status: http.StatusNotImplemented, Code: "methodNotSupported", name: "METHOD_NOT_SUPPORTED", title: "Another DID method"}
	featureNotSupported = Error{Status: http.StatusNotImplemented, Code: "featureNotSupported", name: "FEATURE_NOT_SUPPORTED", title: "This resolver cannot do that"}
)

// Errors lists them all.
func Errors() []Error {
	return []Error{
		invalidDID, invalidOptions, notFound, noVersion, notSupported, internal, methodNotSupported, featureNotSupported,
	}
}

func (e Error) because(detail string) *Error {
	e.detail = detail
	return &e
}

func (e *Error) response(cause error) Response {
	r := did.Result{Resolution: did.Resolution{Error: &did.Problem{
		Code: e.Code, Detail: e.detail, Title: e.title, Type: "https://www.w3.org/ns/did#" + e.name,
	}}}
	return Response{Status: e.Status, Type: did.TypeResult, Body: r.Bytes(), Cause: cause}
}
