package broker

import "github.com/hybridos-net/hybridos/hbus/msg"

// publish delivers an event under the app's own name.
func (s *Session) publish(m *msg.Publish, t *Batch) {
	var refusal *msg.Error
	if msg.App(m.Name) != s.id.App {
		refusal = msg.Refuse(msg.NotYours, "event %s is not of app %s", m.Name, s.id.App)
	} else {
		s.b.mu.Lock()
		s.b.deliver(&msg.Event{Name: m.Name, Data: m.Data, From: &s.id}, t)
		s.b.mu.Unlock()
	}
	if m.ID != 0 {
		s.reply(m.ID, refusal, t)
	}
}

func (s *Session) subscribe(pattern string) *msg.Error {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := s.subs[pattern]; ok {
		return msg.Refuse(msg.Exists, "you are subscribed to %s", pattern)
	}
	if len(s.subs) >= b.cfg.Limits.Subscriptions {
		return msg.Refuse(msg.Limit, "%d subscriptions", len(s.subs))
	}
	s.subs[pattern] = struct{}{}
	if b.subs[pattern] == nil {
		b.subs[pattern] = map[*Session]struct{}{}
	}
	b.subs[pattern][s] = struct{}{}
	return nil
}

func (s *Session) unsubscribe(pattern string) *msg.Error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if _, ok := s.subs[pattern]; !ok {
		return msg.Refuse(msg.NotFound, "you are not subscribed to %s", pattern)
	}
	delete(s.subs, pattern)
	s.b.dropSub(pattern, s)
	return nil
}

// dropSub forgets one subscriber of a pattern. The caller holds mu.
func (b *Broker) dropSub(pattern string, s *Session) {
	delete(b.subs[pattern], s)
	if len(b.subs[pattern]) == 0 {
		delete(b.subs, pattern)
	}
}
