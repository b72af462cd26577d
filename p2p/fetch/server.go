package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/p2p/frame"
	"github.com/hybridos-net/hybridos/p2p/internal/seat"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// ServerConfig is what a Server needs; zero limits have the defaults.
type ServerConfig struct {
	Host    host.Host // required
	Backend Backend   // required
	// Streams and StreamsPerPeer bound the open streams of both protocols. When
	// there are too many, one that only waits makes room.
	Streams, StreamsPerPeer int
	// Workers bounds the queries, Waiting the submissions answered at once.
	Workers, Waiting int
	// Rate and Burst bound the requests of one peer, per second.
	Rate, Burst int
	// QueryTime bounds one query in the backend, SubmitTime one submission.
	QueryTime, SubmitTime time.Duration
	// Idle closes a stream without requests.
	Idle   time.Duration
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil discards
}

// Server answers at a node.
type Server struct {
	cfg     ServerConfig
	meter   *meter
	workers chan struct{}
	waiting chan struct{}
	house   *seat.House
	ready   chan struct{}
}

// NewServer checks the configuration; it starts nothing.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.Host == nil || cfg.Backend == nil {
		return nil, errors.New("fetch server: host and backend are required")
	}
	setDefault(&cfg.Streams, DefaultStreams)
	setDefault(&cfg.StreamsPerPeer, DefaultStreamsPerPeer)
	setDefault(&cfg.Workers, DefaultWorkers)
	setDefault(&cfg.Waiting, DefaultWaiting)
	setDefault(&cfg.Rate, DefaultRate)
	setDefault(&cfg.Burst, DefaultBurst)
	setDefault(&cfg.QueryTime, defaultBackend)
	setDefault(&cfg.SubmitTime, defaultSubmit)
	setDefault(&cfg.Idle, defaultIdle)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{
		cfg:     cfg,
		meter:   newMeter(cfg.Rate, cfg.Burst, meters, cfg.Now),
		workers: make(chan struct{}, cfg.Workers),
		waiting: make(chan struct{}, cfg.Waiting),
		house:   seat.New(cfg.Streams, cfg.StreamsPerPeer),
		ready:   make(chan struct{}),
	}, nil
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Run serves until ctx ends and returns when every answer is done. A server
// runs once.
func (s *Server) Run(ctx context.Context) error {
	s.cfg.Host.SetStreamHandler(topic.Fetch, func(st network.Stream) {
		s.serve(ctx, st, maxQuery, maxReply, s.fetch)
	})
	s.cfg.Host.SetStreamHandler(topic.Submit, func(st network.Stream) {
		s.serve(ctx, st, maxSubmission, maxOutcome, s.submit)
	})
	close(s.ready)
	<-ctx.Done()
	s.cfg.Host.RemoveStreamHandler(topic.Fetch)
	s.cfg.Host.RemoveStreamHandler(topic.Submit)
	s.house.Close()
	return nil
}

// Ready is closed when Run serves.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// answerer makes the answer to one request; nil ends the stream.
type answerer func(ctx context.Context, from peer.ID, request []byte) []byte

// serve answers the requests of one stream one after the other.
func (s *Server) serve(ctx context.Context, st network.Stream, maxIn, maxOut int, answer answerer) {
	from := st.Conn().RemotePeer()
	place := s.house.Enter(st, from)
	if place == nil {
		return
	}
	defer place.Leave()
	in, out := frame.NewReader(st, maxIn), frame.NewWriter(st, maxOut)
	for {
		_ = st.SetReadDeadline(time.Now().Add(s.cfg.Idle))
		request, err := in.Next()
		if err == nil {
			place.Busy()
			reply := answer(ctx, from, request)
			_ = st.SetWriteDeadline(time.Now().Add(drain))
			err = out.Write(reply)
			place.Rest()
		}
		if err != nil {
			s.cfg.Logger.Debug("stream closed", "protocol", st.Protocol(), "peer", from, "cause", err)
			_ = st.Reset()
			return
		}
	}
}

// fetch answers one query.
func (s *Server) fetch(ctx context.Context, from peer.ID, request []byte) []byte {
	r, err := s.lookup(ctx, from, request)
	if err != nil {
		code, detail := codeOf(err)
		r = reply{Code: code, Detail: detail}
	}
	b, err := codec.Marshal(&r)
	if err != nil || len(b) > maxReply {
		b = codec.MustMarshal(&reply{Code: TooLarge})
	}
	return b
}

// lookup checks a query, cheap things first, and asks the backend.
func (s *Server) lookup(ctx context.Context, from peer.ID, request []byte) (reply, error) {
	if !s.meter.allow(from) {
		return reply{}, RateLimited
	}
	var q query
	if err := decode(request, &q, maxQuery); err != nil {
		return reply{}, fmt.Errorf("%w: %w", BadRequest, err)
	}
	if err := q.check(); err != nil {
		return reply{}, err
	}
	select {
	case s.workers <- struct{}{}:
		defer func() { <-s.workers }()
	default:
		return reply{}, Busy
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.QueryTime)
	defer cancel()
	r, err := s.ask(ctx, &q)
	if err != nil {
		return reply{}, err
	}
	if len(r.Block) > topic.MaxLightBlock || len(r.Value) > topic.MaxValue || len(r.Proof) > topic.MaxProof {
		return reply{}, TooLarge
	}
	if err := r.check(&q); err != nil {
		return reply{}, fmt.Errorf("%w: backend: %w", Unavailable, err)
	}
	return r, nil
}

// ask is the backend's answer to a query.
func (s *Server) ask(ctx context.Context, q *query) (reply, error) {
	if q.Kind == kindLightBlock {
		b, err := s.cfg.Backend.LightBlock(ctx, q.Height)
		return reply{Block: b}, err
	}
	p, err := s.cfg.Backend.Prove(ctx, q.Key, q.Height)
	return reply{Height: p.Height, Key: p.Key, Value: p.Value, Proof: p.Proof, Found: len(p.Value) > 0}, err
}

// submit answers one transaction.
func (s *Server) submit(ctx context.Context, from peer.ID, request []byte) []byte {
	o, err := s.commit(ctx, from, request)
	if err != nil {
		code, detail := codeOf(err)
		o = outcome{Code: code, Detail: detail}
	}
	return codec.MustMarshal(&o)
}

// commit checks a submission and waits for its fate.
func (s *Server) commit(ctx context.Context, from peer.ID, request []byte) (outcome, error) {
	if !s.meter.allow(from) {
		return outcome{}, RateLimited
	}
	var sub submission
	if err := decode(request, &sub, maxSubmission); err != nil {
		return outcome{}, fmt.Errorf("%w: %w", BadRequest, err)
	}
	if err := sub.check(); err != nil {
		return outcome{}, err
	}
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	default:
		return outcome{}, Busy
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.SubmitTime)
	defer cancel()
	r, err := s.cfg.Backend.Submit(ctx, sub.Tx)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = Timeout
		}
		return outcome{}, err
	}
	o := outcome{Result: r.Code, Log: clip(r.Log, maxLog), Height: r.Height, Hash: r.Hash}
	if err := o.check(); err != nil {
		return outcome{}, fmt.Errorf("%w: backend: %w", Unavailable, err)
	}
	return o, nil
}

// codeOf turns an error into what the peer is told. Errors of the backend's
// inside are not told.
func codeOf(err error) (Code, string) {
	var code Code
	if !errors.As(err, &code) || code == OK || code > lastCode {
		return Unavailable, ""
	}
	if code == BadRequest || code == NotFound {
		return code, clip(err.Error(), maxDetail)
	}
	return code, ""
}

// clip shortens text to n bytes of valid UTF-8.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xc0 == 0x80 {
		n--
	}
	return text[:n]
}
