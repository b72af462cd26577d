// Package did answers for DIDs from a node's ledger: the HTTP binding of DID
// Resolution without the HTTP server.
//
// What a DID and its document are is decided by chain/did; node/api serves the
// path. Every answer that asks for it carries the record's proof, so that who
// asks need not trust this node. Callers use Resolve; Errors lists what it can
// refuse.
//
// What must never change: the codes and statuses of errors.
package did

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/hybridos-net/hybridos/chain/did"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/p2p/fetch"
)

// Ledger gives records with their proofs. Errors that wrap a fetch.Code are
// understood.
type Ledger interface {
	// Prove gives a record after the given block. 0 means the newest that a
	// committed header vouches for.
	Prove(ctx context.Context, key []byte, version int64) (light.Proof, error)
}

// Request asks for a DID.
type Request struct {
	Chain  string // the ledger that is asked
	DID    string // as it came
	Accept []string
	Query  string // the URL's, as it came
}

// Response is what to answer.
type Response struct {
	Status int
	Type   string // of Body
	Body   []byte
	Cause  error // why this node failed, for its log; nil if it did not
}

// Resolve answers a request. The error is the ledger's where it cannot be asked
// now: busy, catching up, too slow. Everything else is a response.
func Resolve(ctx context.Context, l Ledger, r Request) (Response, error) {
	result, mediaType, err := resolve(ctx, l, r)
	var bad *Error
	switch {
	case err == nil && mediaType == did.TypeResult:
		return Response{Status: http.StatusOK, Type: mediaType, Body: result.Bytes()}, nil
	case err == nil:
		return Response{Status: http.StatusOK, Type: mediaType, Body: result.Document}, nil
	case errors.As(err, &bad):
		return bad.response(nil), nil
	case errors.Is(err, fetch.Busy), errors.Is(err, fetch.Unavailable), errors.Is(err, fetch.Timeout), ctx.Err() != nil:
		return Response{}, err
	default:
		return internal.because("this node failed to answer").response(err), nil
	}
}

func resolve(ctx context.Context, l Ledger, r Request) (*did.Result, string, error) {
	d, err := did.Parse(r.DID)
	switch {
	case errors.Is(err, did.MethodNotSupported):
		return nil, "", methodNotSupported.because(err.Error())
	case err != nil:
		return nil, "", invalidDID.because(err.Error())
	}
	version, err := readQuery(r.Query)
	if err != nil {
		return nil, "", err
	}
	mediaType := negotiate(r.Accept)
	if mediaType == "" {
		return nil, "", notSupported.because("there are " + did.TypeResult + ", " + did.TypeJSONLD + " and " + did.TypeJSON)
	}
	if d.Chain() != r.Chain {
		return nil, "", notFound.because(fmt.Sprintf("this node knows the ledger %s alone", r.Chain))
	}
	result, err := read(ctx, l, d, version, mediaType)
	return result, mediaType, err
}

// read asks the ledger. For a document's type the result is that document.
func read(ctx context.Context, l Ledger, d did.DID, version int64, mediaType string) (*did.Result, error) {
	p, err := l.Prove(ctx, d.RecordKey(), version)
	switch {
	case errors.Is(err, fetch.NotFound) && version != 0:
		return nil, noVersion.because(fmt.Sprintf("this node does not have the state after block %d (any more, or yet)", version))
	case errors.Is(err, fetch.NotFound):
		return nil, fmt.Errorf("%w: %w", fetch.Unavailable, err) // nothing is committed yet
	case err != nil:
		return nil, err
	case len(p.Value) == 0:
		return nil, notFound.because(fmt.Sprintf("there is no record of it after block %d", p.Height))
	}
	if mediaType == did.TypeResult {
		return did.NewResult(d, p.Value, p.Proof, p.Height)
	}
	doc, _, err := did.Derive(d, p.Value, p.Height)
	return &did.Result{Document: doc.Produce(mediaType)}, err
}

// foreseen are parameters of the specifications that this resolver does not
// have: they are told apart from unknown ones. There is no dereferencing, and
// the ledger keeps no times of changes.
var foreseen = map[string]bool{
	"versionTime": true, "service": true, "serviceType": true, "relativeRef": true, "hl": true,
	"noCache": true, "expandRelativeUrls": true,
}

// readQuery gives the height of versionId, 0 if it is not asked for.
func readQuery(raw string) (version int64, err error) {
	q, err := url.ParseQuery(raw)
	if err != nil || len(q) > maxParameters {
		return 0, invalidOptions.because("the query does not parse")
	}
	for name, values := range q {
		switch {
		case foreseen[name]:
			return 0, featureNotSupported.because("the parameter " + name)
		case name != "versionId" || len(values) != 1:
			return 0, invalidOptions.because("versionId, once, is the only parameter")
		}
		version, err = strconv.ParseInt(values[0], 10, 64)
		if err != nil || version < 1 || strconv.FormatInt(version, 10) != values[0] {
			return 0, invalidOptions.because("versionId is the height of a block, in decimal")
		}
	}
	return version, nil
}
