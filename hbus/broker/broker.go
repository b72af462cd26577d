package broker

import (
	"fmt"
	"io"
	"sync"

	"github.com/hybridos-net/hybridos/hbus/msg"
)

// Broker routes between sessions. All methods are safe for concurrent use.
type Broker struct {
	cfg  Config
	apps map[string]*App
	// held maps endpoint names to the app they are kept for.
	held map[string]string

	// mu guards everything below and the inside of every Session and call.
	// Under it there is only map work and copying into queues.
	mu        sync.Mutex
	sessions  map[*Session]struct{}
	perUID    map[uint32]int
	routes    map[route]*method
	sorted    []route // the keys of routes, so that a list costs no sort
	endpoints map[string]*endpoint
	subs      map[string]map[*Session]struct{}
	seq       uint64 // of events
}

type route struct{ endpoint, method string }

type method struct {
	provider        *Session
	requireVerified bool
}

type endpoint struct {
	owner   *Session
	methods int
}

// New checks the configuration and makes a broker. It starts nothing.
func New(cfg Config) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("bus configuration: %w", err)
	}
	cfg.defaults()
	b := &Broker{
		cfg: cfg, apps: map[string]*App{}, held: map[string]string{},
		sessions: map[*Session]struct{}{}, perUID: map[uint32]int{},
		routes: map[route]*method{}, endpoints: map[string]*endpoint{},
		subs: map[string]map[*Session]struct{}{},
	}
	for i := range cfg.Apps {
		a := &cfg.Apps[i]
		b.apps[a.Name] = a
		b.held[a.Name] = a.Name
		for _, e := range a.Endpoints {
			b.held[e] = a.Name
		}
	}
	return b, nil
}

// Attach takes a new connection. id holds what the kernel says about the peer
// (UID, GID, PID); the rest is found out by the peer's auth. The session's
// first message, Hello, is queued. Detach must follow.
func (b *Broker) Attach(p Peer, id msg.Identity) (*Session, error) {
	s := &Session{
		b: b, peer: p, id: msg.Identity{UID: id.UID, GID: id.GID, PID: id.PID},
		calls: map[uint64]*call{}, serving: map[uint64]*call{},
		methods: map[route]struct{}{}, subs: map[string]struct{}{},
		challenge: make([]byte, msg.ChallengeSize),
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := io.ReadFull(b.cfg.Rand, s.challenge); err != nil {
		return nil, fmt.Errorf("challenge: %w", err)
	}
	agent := b.cfg.AgentKey != nil && id.UID == b.cfg.AgentUID
	if !agent && (len(b.sessions) >= b.cfg.Limits.Peers || b.perUID[id.UID] >= b.cfg.Limits.PeersPerUID) {
		return nil, msg.Refuse(msg.TooManyPeers, "%d connections, %d of uid %d",
			len(b.sessions), b.perUID[id.UID], id.UID)
	}
	b.sessions[s] = struct{}{}
	b.perUID[id.UID]++
	p.Queue(&msg.Hello{Version: msg.Version, Challenge: s.challenge}, Control)
	return s, nil
}

// deliver queues an event for every subscriber once. The caller holds mu.
func (b *Broker) deliver(e *msg.Event, t *Batch) {
	b.seq++
	e.Seq = b.seq
	b.deliverTo(e.Name, e, t)
	b.deliverTo("*", e, t)
	for i := 0; i < len(e.Name); i++ {
		if e.Name[i] == '/' {
			b.deliverTo(e.Name[:i]+"/*", e, t)
		}
	}
}

func (b *Broker) deliverTo(pattern string, e *msg.Event, t *Batch) {
	for s := range b.subs[pattern] {
		if s.seen == e.Seq {
			continue // another of its patterns matched
		}
		s.seen = e.Seq
		s.peer.Queue(e, Event)
		t.add(s.peer)
	}
}

// tell publishes one of the broker's own events. The caller holds mu.
func (b *Broker) tell(name string, data []byte, t *Batch) {
	b.deliver(&msg.Event{Name: msg.Reserved + "/" + name, Data: data, From: &b.cfg.Self}, t)
}
