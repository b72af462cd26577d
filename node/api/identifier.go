package api

import (
	"context"
	_ "embed" // openapi.json
	"net/http"

	"github.com/hybridos-net/hybridos/node/did"
)

// identifier resolves a DID. What is wrong with the DID or with how it is asked
// for is told in the form of DID Resolution, not in ours.
func (s *Server) identifier(w http.ResponseWriter, r *http.Request, _ []byte) {
	ctx, cancel := context.WithTimeout(r.Context(), queryTimeout)
	defer cancel()
	out, err := did.Resolve(ctx, s.ledger, did.Request{
		Chain: s.ledger.Status().ChainID, DID: r.PathValue("did"), Accept: r.Header.Values("Accept"), Query: r.URL.RawQuery,
	})
	if err != nil {
		s.fail(w, err)
		return
	}
	if out.Cause != nil {
		s.log.Error("request failed", "err", out.Cause)
	}
	write(w, out.Status, out.Type, out.Body)
}

// description is the OpenAPI description of this interface.
//
//go:embed openapi.json
var description []byte

func (s *Server) openapi(w http.ResponseWriter, _ *http.Request, _ []byte) {
	write(w, http.StatusOK, "application/json", description)
}

func write(w http.ResponseWriter, status int, mediaType string, body []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have gone
}
