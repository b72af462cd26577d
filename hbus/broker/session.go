package broker

import (
	"crypto/ed25519"
	"slices"

	"github.com/hybridos-net/hybridos/hbus/msg"
)

// Session is one connection as the core sees it. Handle and Detach belong to
// the goroutine that reads the connection.
type Session struct {
	b         *Broker
	peer      Peer
	challenge []byte
	authed    bool
	warned    bool // one log line per session for markers it may not set

	// The rest is guarded by the broker's mu; id is final once authed.
	id      msg.Identity
	calls   map[uint64]*call // by the caller's id
	serving map[uint64]*call // by our id
	nextID  uint64
	methods map[route]struct{}
	subs    map[string]struct{}
	seen    uint64 // seq of the last event, to send it once
	gone    bool
}

// Authed tells whether the peer has been welcomed.
func (s *Session) Authed() bool { return s.authed }

// Refuse queues the reason for closing the connection; the face closes it
// after a flush.
func (s *Session) Refuse(err *msg.Error, t *Batch) {
	s.peer.Queue(&msg.Error{Code: err.Code, Detail: err.Detail}, Control)
	t.add(s.peer)
	s.b.cfg.Logger.Warn("peer refused", "app", s.id.App, "uid", s.id.UID, "pid", s.id.PID,
		"code", string(err.Code), "detail", err.Detail)
}

// Handle carries out one message. What it causes to be sent is queued, the
// peers concerned are in t. A refusal that is returned ends the connection:
// give it to Refuse, flush, close.
func (s *Session) Handle(m msg.Message, t *Batch) *msg.Error {
	if !s.authed {
		auth, ok := m.(*msg.Auth)
		if !ok {
			return msg.Refuse(msg.NotAuthenticated, "%s before auth", m.Type())
		}
		return s.auth(auth, t)
	}
	switch m := m.(type) {
	case *msg.Call:
		return s.call(m, t)
	case *msg.Result:
		s.answer(m.ID, m, t)
	case *msg.Error:
		s.failed(m, t)
	case *msg.Cancel:
		s.cancel(m.ID, t)
	case *msg.Publish:
		s.publish(m, t)
	case *msg.Register:
		s.reply(m.ID, s.register(m, t), t)
	case *msg.Unregister:
		s.reply(m.ID, s.unregister(m, t), t)
	case *msg.Subscribe:
		s.reply(m.ID, s.subscribe(m.Pattern), t)
	case *msg.Unsubscribe:
		s.reply(m.ID, s.unsubscribe(m.Pattern), t)
	case *msg.List:
		s.send(s.list(m), t)
	case *msg.Ping:
		s.send(&msg.Pong{ID: m.ID}, t)
	case *msg.Pong: // an answer to a ping of the face
	default:
		return msg.Refuse(msg.Unexpected, "%s from a client", m.Type())
	}
	return nil
}

// send queues an answer that has no other way to be lost than with the peer.
func (s *Session) send(m msg.Message, t *Batch) {
	s.peer.Queue(m, Control)
	t.add(s.peer)
}

func (s *Session) reply(id uint64, refusal *msg.Error, t *Batch) {
	if refusal == nil {
		s.send(&msg.OK{ID: id}, t)
		return
	}
	refusal.ID = id
	s.send(refusal, t)
}

// auth finds out who the peer is. The key is looked up, never believed.
func (s *Session) auth(m *msg.Auth, t *Batch) *msg.Error {
	if m.Version != msg.Version {
		return msg.Refuse(msg.BadVersion, "version %d, this broker speaks %d", m.Version, msg.Version)
	}
	id := s.id
	id.App, id.Key = m.App, m.Key
	if err := s.b.admit(m, s.challenge, &id); err != nil {
		return err
	}
	s.authed = true
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.id = id
	s.send(&msg.Welcome{You: id}, t)
	s.b.tell("joined", s.about(nil), t)
	return nil
}

// admit decides on the name and the key of an auth and sets id.Agent.
func (b *Broker) admit(m *msg.Auth, challenge []byte, id *msg.Identity) *msg.Error {
	if m.App == msg.Reserved {
		return msg.Refuse(msg.AppDenied, "%q is the broker's own name", m.App)
	}
	known := b.apps[m.App]
	if m.Key != nil {
		isAgent := b.cfg.AgentKey.Equal(m.Key)
		isApp := known != nil && known.Key.Equal(m.Key)
		if !isAgent && !isApp {
			return msg.Refuse(msg.AppDenied, "the key is not registered for app %q", m.App)
		}
		if !ed25519.Verify(m.Key, msg.ProofMessage(challenge, m.App), m.Proof) {
			return msg.Refuse(msg.BadProof, "signature over the challenge does not hold")
		}
		id.Agent = isAgent && id.UID == b.cfg.AgentUID
	}
	if known == nil {
		return nil
	}
	if known.Key != nil && !known.Key.Equal(m.Key) {
		return msg.Refuse(msg.AppDenied, "app %q needs a proof of its key", m.App)
	}
	if len(known.UIDs) > 0 && !slices.Contains(known.UIDs, id.UID) {
		return msg.Refuse(msg.AppDenied, "app %q is not for uid %d", m.App, id.UID)
	}
	return nil
}

// about describes the session, and one of its methods, for a system event.
func (s *Session) about(r *route) []byte {
	dst := []byte(`{"peer":`)
	dst = s.id.AppendJSON(dst)
	if r != nil { // names need no escaping
		dst = append(dst, `,"endpoint":"`+r.endpoint+`","method":"`+r.method+`"`...)
	}
	return append(dst, '}')
}

// Detach takes the connection out: its methods and subscriptions end, its
// callers hear ProviderGone, its own calls are cancelled.
func (s *Session) Detach(t *Batch) {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.gone {
		return
	}
	s.gone = true
	delete(b.sessions, s)
	if b.perUID[s.id.UID]--; b.perUID[s.id.UID] == 0 {
		delete(b.perUID, s.id.UID)
	}
	for p := range s.subs {
		b.dropSub(p, s)
	}
	for r := range s.methods {
		s.dropMethod(r, t)
	}
	for _, c := range s.serving {
		c.finish(&msg.Error{Code: msg.ProviderGone, Detail: "the provider's connection ended"}, t)
	}
	for _, c := range s.calls {
		c.remove()
		c.tellProvider(t)
	}
	if s.authed {
		b.tell("left", s.about(nil), t)
	}
}
