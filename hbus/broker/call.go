package broker

import (
	"time"

	"github.com/hybridos-net/hybridos/hbus/msg"
)

// call is one call that waits for its answer. It is in the maps of its caller
// and of its provider until the first of: answer, deadline, cancel, end of
// either side. The broker's mu guards it, so exactly one of them wins.
type call struct {
	caller   *Session
	callerID uint64
	provider *Session
	id       uint64 // as the provider knows it
	timer    *time.Timer
	done     bool
}

// call routes a call or refuses it. The marker is looked at before anything
// else, so that a peer which may not set it learns nothing about methods.
func (s *Session) call(m *msg.Call, t *Batch) *msg.Error {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.calls[m.ID] != nil {
		// An answer to this could be taken for the first call's.
		return msg.Refuse(msg.DuplicateID, "call %d is outstanding", m.ID)
	}
	if refusal := s.route(m, t); refusal != nil {
		refusal.ID = m.ID
		s.send(refusal, t)
	}
	return nil
}

func (s *Session) route(m *msg.Call, t *Batch) *msg.Error {
	if m.Verified != nil && !s.id.Agent {
		if !s.warned {
			s.warned = true
			s.b.cfg.Logger.Warn("verified marker refused", "app", s.id.App, "uid", s.id.UID,
				"pid", s.id.PID, "target", m.Target, "method", m.Method)
		}
		return msg.Refuse(msg.NotAgent, "only the agent may mark a call as verified")
	}
	if len(s.calls) >= s.b.cfg.Limits.Outstanding {
		return msg.Refuse(msg.Limit, "%d calls outstanding", len(s.calls))
	}
	to := s.b.routes[route{m.Target, m.Method}]
	if to == nil {
		return msg.Refuse(msg.NotFound, "no %s at %s", m.Method, m.Target)
	}
	if to.requireVerified && m.Verified == nil {
		return msg.Refuse(msg.Unverified, "%s at %s takes only verified commands", m.Method, m.Target)
	}
	p := to.provider
	if len(p.serving) >= s.b.cfg.Limits.Serving {
		return msg.Refuse(msg.Busy, "%d calls wait for %s", len(p.serving), m.Target)
	}
	if m.Deadline == 0 {
		m.Deadline = msg.DefaultDeadline
	}
	c := &call{caller: s, callerID: m.ID, provider: p, id: p.nextID + 1}
	ok := p.peer.Queue(&msg.Invoke{
		ID: c.id, Target: m.Target, Method: m.Method, Params: m.Params,
		Deadline: m.Deadline, Verified: m.Verified, Caller: &s.id,
	}, Request)
	if !ok {
		return msg.Refuse(msg.Busy, "%s does not read its calls", m.Target)
	}
	p.nextID++
	t.add(p.peer)
	s.calls[c.callerID], p.serving[c.id] = c, c
	c.timer = time.AfterFunc(m.Deadline, func() { s.b.expire(c) })
	return nil
}

// expire is the deadline of a call.
func (b *Broker) expire(c *call) {
	var t Batch
	b.mu.Lock()
	if !c.done {
		c.finish(&msg.Error{Code: msg.Timeout, Detail: "no answer within the deadline"}, &t)
		c.tellProvider(&t)
	}
	b.mu.Unlock()
	t.Flush()
}

// remove takes the call out of both maps. The caller holds mu.
func (c *call) remove() {
	c.done = true
	if c.timer != nil {
		c.timer.Stop()
	}
	delete(c.caller.calls, c.callerID)
	delete(c.provider.serving, c.id)
}

// finish gives the caller its one answer. An answer that does not fit in its
// queue becomes a refusal that does.
func (c *call) finish(answer msg.Message, t *Batch) {
	c.remove()
	switch m := answer.(type) {
	case *msg.Result:
		m.ID = c.callerID
	case *msg.Error:
		m.ID = c.callerID
	}
	if !c.caller.peer.Queue(answer, Reply) {
		c.caller.peer.Queue(&msg.Error{
			ID: c.callerID, Code: msg.Busy, Detail: "the answer found no room in the caller's queue",
		}, Control)
	}
	t.add(c.caller.peer)
}

// tellProvider says that nobody waits any more.
func (c *call) tellProvider(t *Batch) {
	c.provider.peer.Queue(&msg.Cancel{ID: c.id}, Control)
	t.add(c.provider.peer)
}

// answer passes a provider's answer on. Ids are per provider connection, so
// nobody else can name the call; one that is not (or no longer) waiting is
// dropped.
func (s *Session) answer(id uint64, m msg.Message, t *Batch) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if c := s.serving[id]; c != nil {
		c.finish(m, t)
	}
}

// failed passes a provider's refusal on. A provider that uses one of the
// broker's own codes is not believed.
func (s *Session) failed(m *msg.Error, t *Batch) {
	if !m.Code.FromProvider() {
		id := m.ID
		m = msg.Refuse(msg.Failed, "the provider answered with the broker's code %s", m.Code)
		m.ID = id
	}
	s.answer(m.ID, m, t)
}

// cancel is a caller that takes its call back. An unknown id was answered
// meanwhile.
func (s *Session) cancel(id uint64, t *Batch) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if c := s.calls[id]; c != nil {
		c.finish(&msg.Error{Code: msg.Canceled, Detail: "the caller took the call back"}, t)
		c.tellProvider(t)
	}
}
