package api

import (
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// prefixes are what of the paths that phones reach is API and not page. The
// second is of DID Resolution.
var prefixes = []string{"/v1/", "/1.0/"}

// door is one listener's side of the server: who may come in under which name,
// and how many.
type door struct {
	server  *Server
	hosts   []string // nil: loopback names
	secure  bool     // TLS ends here
	proxied bool     // plain HTTP under a public name: TLS ends in front of it
	rate    *buckets // nil: no limit
	places  map[*class]*places
	http    *http.Server
}

// newDoor makes the side of this machine, or that of phones.
func (s *Server) newDoor(p *Phone) *door {
	d := &door{server: s, places: make(map[*class]*places)}
	if p != nil {
		d.hosts, d.secure, d.rate = p.Hosts, p.TLS != nil, newBuckets()
		d.proxied = len(p.Hosts) > 0 && !d.secure
	}
	mux := http.NewServeMux()
	for _, t := range s.routes() {
		if d.places[t.class] == nil {
			each := 0
			if p != nil {
				each = t.class.each
			}
			d.places[t.class] = newPlaces(t.class.all, each)
		}
		if p == nil || t.phone {
			mux.Handle(t.pattern, d.serve(t))
		}
	}
	nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { s.fail(w, errNoPath) })
	for _, prefix := range prefixes {
		mux.Handle(prefix, nothing)
	}
	if p == nil {
		mux.Handle("/", nothing)
	} else {
		mux.Handle("/", p.Page)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true) // all that is needed, and the least to go wrong
	d.http = &http.Server{
		Handler: d.guard(mux), Protocols: &protocols,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: readTimeout + answerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return d
}

// guard refuses what a page of another site could send, and what is over the
// limits, before anything is looked at.
func (d *door) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api := d.headers(w, r)
		switch {
		// A name that is not ours is DNS rebinding: a page made a name of its own
		// resolve to this machine.
		case !d.hostOK(r.Host):
			d.server.fail(w, errHost)
		case !d.originOK(r, api):
			d.server.fail(w, errOrigin)
		case d.rate != nil && !d.rate.allow(clientOf(r.RemoteAddr)):
			d.server.fail(w, errRate)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// policy lets the page load its own files and talk to its own origin, and
// nothing else; no other page may show it in a frame.
const policy = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

// headers sets those of every answer, and reports whether the request is to
// the API and not to the page.
func (d *door) headers(w http.ResponseWriter, r *http.Request) (api bool) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	api = d.rate == nil || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(r.URL.Path, p) })
	if api {
		h.Set("Cache-Control", "no-store")
	}
	return api
}

func (d *door) hostOK(hostport string) bool {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	} else if strings.Trim(port, "0123456789") != "" {
		return false
	}
	if len(d.hosts) == 0 {
		ip := net.ParseIP(host)
		return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
	}
	for _, h := range d.hosts {
		if strings.EqualFold(h, host) {
			return true
		}
	}
	return false
}

// originOK refuses pages of other sites. Browsers send Origin with every POST,
// and Sec-Fetch-Site with every request, so that another page cannot even take
// up places; a link to the page itself may stand anywhere.
func (d *door) originOK(r *http.Request, api bool) bool {
	if o := r.Header.Values("Origin"); len(o) > 1 || len(o) == 1 && !d.sameOrigin(o[0], r.Host) {
		return false
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return !api || site == "" || site == "same-origin" || site == "none"
}

func (d *door) sameOrigin(origin, host string) bool {
	scheme, name, ok := strings.Cut(origin, "://")
	if !ok || !strings.EqualFold(name, host) {
		return false
	}
	// Behind a proxy the scheme is the proxy's, and the name has been checked.
	return scheme == "http" && !d.secure || scheme == "https" && (d.secure || d.proxied)
}

// query reads a request's query strictly: what does not parse is refused, not
// dropped.
func query(r *http.Request) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errQuery
	}
	return q, nil
}
