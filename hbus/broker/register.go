package broker

import (
	"slices"
	"strings"

	"github.com/hybridos-net/hybridos/hbus/msg"
)

func (s *Session) register(m *msg.Register, t *Batch) *msg.Error {
	b, r := s.b, route{m.Endpoint, m.Method}
	if msg.App(m.Method) != s.id.App {
		return msg.Refuse(msg.NotYours, "method %s is not of app %s", m.Method, s.id.App)
	}
	if app, ok := b.held[m.Endpoint]; ok && app != s.id.App || m.Endpoint == msg.Reserved {
		return msg.Refuse(msg.NotYours, "endpoint %s is not for app %s", m.Endpoint, s.id.App)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.endpoints[m.Endpoint]
	switch {
	case e != nil && e.owner != s:
		return msg.Refuse(msg.Exists, "endpoint %s belongs to another connection", m.Endpoint)
	case b.routes[r] != nil:
		return msg.Refuse(msg.Exists, "%s at %s is registered", m.Method, m.Endpoint)
	case len(s.methods) >= b.cfg.Limits.Methods:
		return msg.Refuse(msg.Limit, "%d methods", len(s.methods))
	}
	if e == nil {
		e = &endpoint{owner: s}
		b.endpoints[m.Endpoint] = e
	}
	e.methods++
	b.routes[r] = &method{provider: s, requireVerified: m.RequireVerified}
	s.methods[r] = struct{}{}
	i, _ := slices.BinarySearchFunc(b.sorted, r, compare)
	b.sorted = slices.Insert(b.sorted, i, r)
	b.tell("registered", s.about(&r), t)
	return nil
}

func (s *Session) unregister(m *msg.Unregister, t *Batch) *msg.Error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	r := route{m.Endpoint, m.Method}
	if _, ok := s.methods[r]; !ok {
		return msg.Refuse(msg.NotFound, "you have no %s at %s", m.Method, m.Endpoint)
	}
	s.dropMethod(r, t)
	return nil
}

// dropMethod takes a method out; with the last one the endpoint is free. The
// caller holds mu.
func (s *Session) dropMethod(r route, t *Batch) {
	b := s.b
	delete(s.methods, r)
	delete(b.routes, r)
	if i, ok := slices.BinarySearchFunc(b.sorted, r, compare); ok {
		b.sorted = slices.Delete(b.sorted, i, i+1)
	}
	if e := b.endpoints[r.endpoint]; e != nil {
		if e.methods--; e.methods == 0 {
			delete(b.endpoints, r.endpoint)
		}
	}
	b.tell("unregistered", s.about(&r), t)
}

// list answers with the entries after a place, sorted.
func (s *Session) list(m *msg.List) *msg.Listing {
	b := s.b
	after := route{m.AfterEndpoint, m.AfterMethod}
	b.mu.Lock()
	defer b.mu.Unlock()
	from := route{m.Endpoint, ""}
	if compare(after, from) > 0 {
		from = after
	}
	i, _ := slices.BinarySearchFunc(b.sorted, from, compare)
	out := &msg.Listing{ID: m.ID}
	for _, r := range b.sorted[i:] {
		if m.Endpoint != "" && r.endpoint != m.Endpoint {
			break
		}
		if r == after {
			continue
		}
		if len(out.Methods) == msg.MaxListing {
			out.More = true
			break
		}
		to := b.routes[r]
		out.Methods = append(out.Methods, msg.Entry{
			Endpoint: r.endpoint, Method: r.method,
			RequireVerified: to.requireVerified, Provider: to.provider.id,
		})
	}
	return out
}

func compare(a, b route) int {
	if c := strings.Compare(a.endpoint, b.endpoint); c != 0 {
		return c
	}
	return strings.Compare(a.method, b.method)
}
