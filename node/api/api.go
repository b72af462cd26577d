// Package api is hosd's HTTP interface: health, metrics, status, records with
// proofs and handing in transactions for this machine; and for phones the page,
// lists, commands to devices, events, and boxes for sealed messages.
//
// It holds no key and judges no command: what it forwards is signed by others
// and checked by others. It has no accounts, answers only under its own names
// and sends no CORS headers, so that a page of another site cannot use it.
// Callers use New, then Server.Run and Server.RunPhone; the paths stand in
// docs/spec/http.md.
//
// What must never change: paths under /v1, names in the JSON, and the codes of
// errors.
package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/node/box"
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
	Indexed     int64     `json:"indexed"`           // block that lists are of; set by the server
	Indexing    bool      `json:"indexing"`          // lists are not complete yet; the same
	Binary      string    `json:"binary"`            // SHA-256 of this program, hex; all zero: not known
	Upgrade     *Upgrade  `json:"upgrade,omitempty"` // that is to come

	Interval  time.Duration `json:"-"`
	Txs       uint64        `json:"-"`
	Failed    uint64        `json:"-"`
	Submitted uint64        `json:"-"`
	Refused   uint64        `json:"-"`
	Proposals uint64        `json:"-"` // refused
}

// Config configures New. Ledger, Devices and Index are needed.
type Config struct {
	Ledger  Ledger
	Devices Devices
	Index   Index
	Phone   *Phone       // nil: phones are not served
	Logger  *slog.Logger // nil discards
}

// Server is the HTTP interface.
type Server struct {
	ledger  Ledger
	devices Devices
	index   Index
	boxes   *box.Boxes
	scrape  http.Handler
	log     *slog.Logger
	local   *door
	phone   *door // nil: phones are not served
	tls     *tls.Config
}

// New makes a server; it starts nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Ledger == nil || cfg.Devices == nil || cfg.Index == nil {
		return nil, errors.New("api: a ledger, devices and an index are needed")
	}
	if cfg.Phone != nil && cfg.Phone.Page == nil {
		return nil, errors.New("api: phones need a page")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	registry := prometheus.NewRegistry()
	s := &Server{
		ledger: cfg.Ledger, devices: cfg.Devices, index: cfg.Index, boxes: box.New(),
		scrape: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), log: cfg.Logger.With("part", "http"),
	}
	if err := registry.Register(newMetrics(s.now)); err != nil {
		return nil, fmt.Errorf("api: metrics: %w", err)
	}
	s.local = s.newDoor(nil)
	if cfg.Phone != nil {
		s.phone, s.tls = s.newDoor(cfg.Phone), cfg.Phone.TLS
	}
	return s, nil
}

// Handler is the interface for this machine, for tests and embedding.
func (s *Server) Handler() http.Handler { return s.local.http.Handler }

// PhoneHandler is the interface for phones, nil if they are not served.
func (s *Server) PhoneHandler() http.Handler {
	if s.phone == nil {
		return nil
	}
	return s.phone.http.Handler
}

// Run serves this machine on l until ctx ends, and returns when every request
// is done or, after some seconds, cut off. It closes l. A server runs once.
func (s *Server) Run(ctx context.Context, l net.Listener) error { return s.local.run(ctx, l) }

// RunPhone serves phones on l, as Run does; with Phone.TLS set it speaks TLS.
func (s *Server) RunPhone(ctx context.Context, l net.Listener) error {
	if s.phone == nil {
		return errors.Join(errors.New("api: phones are not served"), l.Close())
	}
	l = bounded(l)
	if s.tls != nil {
		l = tls.NewListener(l, s.tls)
	}
	return s.phone.run(ctx, l)
}

func (d *door) run(ctx context.Context, l net.Listener) error {
	d.http.BaseContext = func(net.Listener) context.Context { return ctx }
	done := make(chan error, 1)
	go func() { done <- d.http.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("http: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := d.http.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) { // a client that does not read
		err = d.http.Close()
	}
	<-done
	return err
}

// now is the node's state with that of its index.
func (s *Server) now() Status {
	st, index := s.ledger.Status(), s.index.State()
	st.Indexed, st.Indexing = index.Height, !index.Failed && !(index.Ready && index.Filled)
	return st
}

// newest is the newest block that reads are of. The application follows a
// block before the engine's status does, and who was told of a block by an
// event must not read older records.
func (s *Server) newest() Head {
	st, head := s.ledger.Status(), s.index.Head()
	if head.Height > st.Height && !head.Time.IsZero() {
		return head
	}
	return Head{Height: max(st.Height, head.Height), Time: st.Time}
}

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
