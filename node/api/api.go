// Package api is hosd's HTTP interface on loopback: health, metrics, status,
// records with proofs, and handing in transactions.
//
// It is not for the open network: it has no accounts, answers only loopback
// names and sends no CORS headers, so that a page in a browser cannot use it.
// Callers use New and Server.Run; the paths stand in docs/spec/http.md.
//
// What must never change: paths under /v1, names in the JSON, and the codes of
// errors.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/p2p/fetch"
)

// Ledger is what the server answers from. Errors that wrap a fetch.Code are
// told as that code. Methods are called concurrently.
type Ledger interface {
	// Status is a snapshot of the node.
	Status() Status
	// Prove gives a record after the given block with its proof. 0 means the
	// newest that a committed header vouches for.
	Prove(ctx context.Context, key []byte, version int64) (light.Proof, error)
	// Submit hands a transaction in and waits for its fate.
	Submit(ctx context.Context, tx []byte) (fetch.Result, error)
}

// Status is a node's state in plain numbers.
type Status struct {
	ChainID     string    `json:"chain_id"`
	GenesisHash string    `json:"genesis_hash"` // hex
	Name        string    `json:"name"`
	Height      int64     `json:"height"`
	HeaderHash  string    `json:"header_hash"` // hex
	Time        time.Time `json:"time"`        // of the newest header
	Syncing     bool      `json:"syncing"`
	Validator   bool      `json:"validator"`
	PubKey      string    `json:"pub_key"` // hex, Ed25519
	P2PPeers    int       `json:"p2p_peers"`
	MeshPeers   int       `json:"mesh_peers"`
	Mempool     int       `json:"mempool"`

	Interval  time.Duration `json:"-"`
	Txs       uint64        `json:"-"`
	Failed    uint64        `json:"-"`
	Submitted uint64        `json:"-"`
	Refused   uint64        `json:"-"`
}

// Config configures New. Ledger is needed.
type Config struct {
	Ledger  Ledger
	Devices Devices
	Index   Index
	Phone   *Phone       // nil: phones are not served
	Logger  *slog.Logger // nil discards
}

// Server is the HTTP interface.
type Server struct {
	ledger Ledger
	log    *slog.Logger
	http   *http.Server
	slots  chan struct{}
}

// New makes a server; it starts nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Ledger == nil {
		return nil, errors.New("api: a ledger is needed")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{ledger: cfg.Ledger, log: cfg.Logger.With("part", "http"), slots: make(chan struct{}, maxAtOnce)}
	registry := prometheus.NewRegistry()
	if err := registry.Register(newMetrics(cfg.Ledger)); err != nil {
		return nil, fmt.Errorf("api: metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/records/{key}", s.record)
	mux.HandleFunc("GET /v1/devices/{id}", s.device)
	mux.HandleFunc("GET /v1/accounts/{id}", s.account)
	mux.HandleFunc("GET /v1/grants/{id}", s.grant)
	mux.HandleFunc("POST /v1/tx", s.submit)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { s.fail(w, errNoPath) })
	s.http = &http.Server{
		Handler:           s.guard(mux),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// RunPhone serves phones on l until ctx ends, as Run does; with Phone.TLS set it
// speaks TLS. It closes l.
func (s *Server) RunPhone(ctx context.Context, l net.Listener) error {
	return s.Run(ctx, l)
}

// Handler is the whole interface, for tests and embedding.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Run serves on l until ctx ends, and returns when every request is done. It
// closes l. A server runs once.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	s.http.BaseContext = func(net.Listener) context.Context { return ctx }
	done := make(chan error, 1)
	go func() { done <- s.http.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("http: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := s.http.Shutdown(stop)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	<-done
	return err
}

// guard refuses what a browser page on another site could send, and what is
// over the limits, before anything is looked at.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		// A name that is not loopback here is DNS rebinding: a page made a name
		// of its own resolve to this machine.
		if !loopbackName(r.Host) {
			s.fail(w, errHost)
			return
		}
		if o := r.Header.Get("Origin"); o != "" && !sameOrigin(o, r.Host) {
			s.fail(w, errOrigin)
			return
		}
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			s.fail(w, errBusy)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func loopbackName(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func sameOrigin(origin, host string) bool { return origin == "http://"+host }

func (s *Server) answer(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		s.fail(w, fmt.Errorf("encode answer: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the client may have gone
}
