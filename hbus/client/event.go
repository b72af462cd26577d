package client

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/hybridos-net/hybridos/hbus/msg"
)

// Event is one event, or a notice that events are missing at this place.
type Event struct {
	// Lost is not 0 in a notice: so many events did not fit in the buffers of
	// broker or client. Nothing else is set then. A notice of the broker
	// counts for the whole connection, so every subscription gets it.
	Lost uint64
	Seq  uint64 // rises with every event of the broker
	Name string
	Data json.RawMessage // shared between subscriptions: do not change it
	From msg.Identity
}

// Subscription holds events until Next takes them, at most its buffer.
type Subscription struct {
	c       *Client
	pattern string
	signal  chan struct{} // 1: something changed

	mu     sync.Mutex
	queue  []Event
	size   int
	lost   uint64
	closed bool
}

// Publish sends an event, named "<app>/…" with the program's own app, and waits
// until the broker has taken it. data may be nil.
func (c *Client) Publish(ctx context.Context, name string, data json.RawMessage) error {
	if data != nil {
		if err := msg.CheckPayload(data, msg.MaxPayload); err != nil {
			return err
		}
	}
	_, err := c.ask(ctx, &msg.Publish{Name: name, Data: data})
	return err
}

// Subscribe starts to receive the events of a name or a pattern ("lock/*",
// "*"). buffer is how many may wait for Next; 0 means DefaultBuffer.
func (c *Client) Subscribe(ctx context.Context, pattern string, buffer int) (*Subscription, error) {
	if buffer <= 0 {
		buffer = DefaultBuffer
	}
	s := &Subscription{c: c, pattern: pattern, size: buffer, signal: make(chan struct{}, 1)}
	c.patterns.Lock()
	defer c.patterns.Unlock()
	c.mu.Lock()
	c.subs[s] = struct{}{}
	c.mu.Unlock()
	if c.counts[pattern] == 0 {
		if _, err := c.ask(ctx, &msg.Subscribe{Pattern: pattern}); err != nil {
			c.drop(s)
			return nil, err
		}
	}
	c.counts[pattern]++
	return s, nil
}

func (c *Client) drop(s *Subscription) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.subs, s)
}

// event gives an event to every subscription that wants it.
func (c *Client) event(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.subs {
		if msg.Match(s.pattern, e.Name) {
			s.put(e)
		}
	}
}

func (c *Client) lost(n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.subs {
		s.mu.Lock()
		s.lost += n
		s.mu.Unlock()
		s.wake()
	}
}

// put queues an event, behind a notice if some were dropped before it.
func (s *Subscription) put(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) >= s.size {
		s.lost++
		return
	}
	if s.lost > 0 {
		s.queue = append(s.queue, Event{Lost: s.lost})
		s.lost = 0
	}
	s.queue = append(s.queue, e)
	s.wake()
}

func (s *Subscription) wake() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// Next returns the oldest event, waiting for one if there is none. It ends with
// ctx, with the connection, and with Close (ErrClosed). One goroutine at a
// time.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		if e, ok := s.pop(); ok {
			return e, nil
		}
		if err := s.over(); err != nil {
			return Event{}, err
		}
		select {
		case <-s.signal:
		case <-ctx.Done():
			return Event{}, fmt.Errorf("event of %s: %w", s.pattern, context.Cause(ctx))
		}
	}
}

func (s *Subscription) pop() (Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) > 0 {
		e := s.queue[0]
		s.queue[0] = Event{}
		s.queue = s.queue[1:]
		return e, true
	}
	s.queue = nil
	e := Event{Lost: s.lost}
	s.lost = 0
	return e, e.Lost > 0
}

func (s *Subscription) over() error {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	return s.c.Err()
}

// Close stops the subscription and wakes Next. The error is the broker's, or
// the loss of the connection; the subscription is over in any case.
func (s *Subscription) Close(ctx context.Context) error {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	s.mu.Unlock()
	s.wake()
	if was {
		return nil
	}
	c := s.c
	c.drop(s)
	c.patterns.Lock()
	defer c.patterns.Unlock()
	if c.counts[s.pattern]--; c.counts[s.pattern] > 0 {
		return nil
	}
	delete(c.counts, s.pattern)
	_, err := c.ask(ctx, &msg.Unsubscribe{Pattern: s.pattern})
	return err
}
