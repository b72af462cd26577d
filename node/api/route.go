package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"time"
)

// route is one path. The table of them says everything that is done before a
// handler runs.
type route struct {
	pattern string // of http.ServeMux
	phone   bool   // also for phones
	class   *class
	body    *body // nil: no body is read
	handle  handler
}

// handler answers one request; body is nil where the route takes none.
type handler func(w http.ResponseWriter, r *http.Request, body []byte)

// body is what a route takes. The types are ones that a page of another site
// cannot send unasked.
type body struct {
	kind string
	max  int64
}

// routes is the one list of the API's paths.
func (s *Server) routes() []route {
	const here, phone = false, true
	cbor := func(n int64) *body { return &body{"application/cbor", n} }
	return []route{
		{"GET /healthz", here, &classRead, nil, s.health},
		{"GET /metrics", here, &classRead, nil, s.metrics},
		{"POST /v1/tx", here, &classSubmit, cbor(maxTx), s.submit},
		{"GET /v1/status", phone, &classRead, nil, s.status},
		{"GET /v1/records/{key}", phone, &classRead, nil, s.record},
		{"GET /v1/devices/{id}", phone, &classRead, nil, s.device},
		{"GET /v1/accounts/{id}", phone, &classRead, nil, s.account},
		{"GET /v1/accounts/{id}/devices", phone, &classRead, nil, s.accountDevices},
		{"GET /v1/vendors/{id}/devices", phone, &classRead, nil, s.vendorDevices},
		{"GET /v1/devices/{id}/grants", phone, &classRead, nil, s.deviceGrants},
		{"GET /v1/history/{id}", phone, &classRead, nil, s.history},
		{"GET /v1/txs", phone, &classRead, nil, s.txs},
		{"GET /v1/blocks", phone, &classRead, nil, s.blocks},
		{"GET /v1/follow", phone, &classEvents, nil, s.follow},
		{"GET /v1/grants/{id}", phone, &classRead, nil, s.grant},
		{"GET /v1/keys/{id}/grants", phone, &classRead, nil, s.keyGrants},
		{"POST /v1/commands", phone, &classCommand, cbor(maxCommand), s.command},
		{"GET /v1/events", phone, &classEvents, nil, s.events},
		{"POST /v1/boxes/{box}/{slot}", phone, &classRead, &body{"application/octet-stream", maxMessage}, s.putBox},
		{"GET /v1/boxes/{box}/{slot}", phone, &classWait, nil, s.getBox},
		{"GET /1.0/identifiers/{did}", phone, &classRead, nil, s.identifier},
		{"GET /v1/openapi.json", phone, &classRead, nil, s.openapi},
	}
}

// serve puts the work of a route around its handler. The body is read before a
// place is taken: who sends slowly keeps nobody out.
func (d *door) serve(t route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := t.read(w, r)
		if err != nil {
			d.server.fail(w, err)
			return
		}
		from := clientOf(r.RemoteAddr)
		places := d.places[t.class]
		if !places.take(from) {
			d.server.fail(w, errBusy)
			return
		}
		defer places.leave(from)
		if err := t.class.deadlines(w); err != nil {
			d.server.fail(w, err)
			return
		}
		t.handle(w, r, body)
	})
}

func (t route) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if t.body == nil {
		return nil, nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != t.body.kind {
		return nil, errType
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, t.body.max))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, errLarge
	case err != nil, len(raw) == 0:
		return nil, errBody
	}
	return raw, nil
}

// deadlines replaces the server's: an answer may take its class's time, and
// the connection's read deadline, which has done its work, would end a longer
// one.
func (c *class) deadlines(w http.ResponseWriter) error {
	control := http.NewResponseController(w)
	var write time.Time
	if c.lasts > 0 {
		write = time.Now().Add(c.lasts + answerTimeout)
	}
	err := errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(write))
	if errors.Is(err, http.ErrNotSupported) { // not a connection: a test's recorder
		return nil
	}
	return err
}
