// Package mesh spreads small self-verifying messages (checkpoints, sealed
// events) by gossip among full and slim hosts.
//
// It signs nothing and trusts nobody: a message is a signed header or a sealed
// event, and its validator rejects it BEFORE it is forwarded, so that one bad
// peer cannot use the others to flood the mesh. It is not reliable delivery:
// a reader that falls behind gets the newest. Entry points: New and Mesh.Join.
//
// What must never change: no author, sequence number or signature travels in
// the envelope (it would tell who sends), and a message's id is the hash of its
// topic and content.
package mesh

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Verdict is a validator's judgement.
type Verdict uint8

// The verdicts. The zero value is Reject, so that a forgotten case fails closed.
const (
	// Reject: wrong; dropped, and counted against the peer it came from.
	Reject Verdict = iota
	// Ignore: of no use now (old, duplicate); dropped without blame.
	Ignore
	// Accept: delivered and forwarded.
	Accept
)

// Validator judges a message before anybody else gets it. It must not block on
// the network and is called from several goroutines; also for what this host
// publishes itself, with from being its own id.
type Validator func(ctx context.Context, from peer.ID, data []byte) Verdict

var (
	// ErrRunning: topics are joined before Run.
	ErrRunning = errors.New("mesh: already running")
	// ErrStopped: the mesh is not running any more.
	ErrStopped = errors.New("mesh: stopped")
	// ErrRefused: the own validator or cap refuses what was to be published.
	ErrRefused = errors.New("mesh: message refused")
)

// Config is what a Mesh needs.
type Config struct {
	Host   host.Host    // required
	Logger *slog.Logger // nil discards
}

// Mesh is one host's part in the gossip.
type Mesh struct {
	cfg Config

	mu      sync.Mutex
	topics  map[string]*Topic
	running bool
}

// New checks the configuration; it starts nothing.
func New(cfg Config) (*Mesh, error) {
	if cfg.Host == nil {
		return nil, errors.New("mesh: a host is required")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Mesh{cfg: cfg, topics: map[string]*Topic{}}, nil
}

// Join adds a topic, before Run. limit is the cap of its messages; buffer how
// many are kept for the reader, 0 for DefaultBuffer.
func (m *Mesh) Join(name string, limit, buffer int, validate Validator) (*Topic, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.running:
		return nil, ErrRunning
	case validate == nil || limit <= 0 || name == "":
		return nil, errors.New("mesh: a topic needs a name, a cap and a validator")
	case m.topics[name] != nil:
		return nil, fmt.Errorf("mesh: topic %s joined twice", name)
	case len(m.topics) >= MaxTopics:
		return nil, fmt.Errorf("mesh: more than %d topics", MaxTopics)
	}
	if buffer <= 0 {
		buffer = DefaultBuffer
	}
	t := newTopic(name, m.cfg.Host.ID(), limit, buffer, validate)
	m.topics[name] = t
	return t, nil
}

// Run takes part until ctx ends. A mesh runs once.
func (m *Mesh) Run(ctx context.Context) error {
	m.mu.Lock()
	if m.running {
		m.mu.Unlock()
		return ErrRunning
	}
	m.running = true
	m.mu.Unlock()
	defer m.stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ps, err := pubsub.NewGossipSub(ctx, m.cfg.Host, m.options()...)
	if err != nil {
		return fmt.Errorf("mesh: %w", err)
	}
	var pumps sync.WaitGroup
	for _, t := range m.topics {
		sub, err := t.start(ps)
		if err != nil {
			cancel()
			pumps.Wait()
			return fmt.Errorf("mesh: join %s: %w", t.name, err)
		}
		pumps.Go(func() { t.pump(ctx, sub) })
	}
	<-ctx.Done()
	pumps.Wait()
	for _, id := range pubsub.GossipSubDefaultProtocols {
		m.cfg.Host.RemoveStreamHandler(id)
	}
	return nil
}

// stop tells readers and publishers that nothing more will come.
func (m *Mesh) stop() {
	for _, t := range m.topics {
		close(t.stopped)
	}
}

// options is how the gossip runs.
func (m *Mesh) options() []pubsub.Option {
	names, most := make([]string, 0, len(m.topics)), 1
	for name, t := range m.topics {
		names = append(names, name)
		most = max(most, t.limit)
	}
	params := pubsub.DefaultGossipSubParams()
	params.HeartbeatInitialDelay = firstHeartbeat
	filter := pubsub.WrapLimitSubscriptionFilter(pubsub.NewAllowlistSubscriptionFilter(names...), MaxTopics)
	return []pubsub.Option{
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithMaxMessageSize(most + overhead),
		pubsub.WithSeenMessagesTTL(seenTime),
		pubsub.WithSubscriptionFilter(filter),
		pubsub.WithGossipSubParams(params),
		// Checkpoints are few and small: sending the own ones to every peer
		// makes them arrive even before the mesh has formed.
		pubsub.WithFloodPublish(true),
		pubsub.WithPeerScore(scoring(names)),
		pubsub.WithLogger(m.cfg.Logger),
	}
}

// messageID is the hash of topic and content, so that everybody computes the
// same and nobody can choose it.
func messageID(msg *pubsub_pb.Message) string {
	h := sha256.New()
	h.Write([]byte(msg.GetTopic()))
	h.Write([]byte{0})
	h.Write(msg.GetData())
	return string(h.Sum(nil))
}

// scoring punishes rejected messages and broken promises, and rewards nothing:
// a score that can be earned could be saved up for an attack. Four rejected
// messages within about ten minutes end a peer's gossip with us. Many houses
// share one address, so addresses are not scored.
func scoring(names []string) (*pubsub.PeerScoreParams, *pubsub.PeerScoreThresholds) {
	topics := map[string]*pubsub.TopicScoreParams{}
	for _, n := range names {
		topics[n] = &pubsub.TopicScoreParams{
			SkipAtomicValidation:           true,
			TopicWeight:                    1,
			TimeInMeshQuantum:              time.Second,
			InvalidMessageDeliveriesWeight: -10,
			InvalidMessageDeliveriesDecay:  pubsub.ScoreParameterDecay(10 * time.Minute),
		}
	}
	return &pubsub.PeerScoreParams{
			SkipAtomicValidation:      true,
			Topics:                    topics,
			AppSpecificScore:          func(peer.ID) float64 { return 0 },
			BehaviourPenaltyWeight:    -1,
			BehaviourPenaltyThreshold: 6,
			BehaviourPenaltyDecay:     pubsub.ScoreParameterDecay(10 * time.Minute),
			DecayInterval:             time.Second,
			DecayToZero:               0.01,
			RetainScore:               time.Hour,
		}, &pubsub.PeerScoreThresholds{
			SkipAtomicValidation: true,
			GossipThreshold:      -40,
			PublishThreshold:     -80,
			GraylistThreshold:    -120,
		}
}
