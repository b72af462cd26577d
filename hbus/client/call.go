package client

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hybridos-net/hybridos/hbus/internal/wire"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

// Call has method carried out at endpoint and returns the result's bytes as the
// provider wrote them. The deadline of ctx (msg.DefaultDeadline if it has none)
// is enforced by the broker too; ending ctx takes the call back. A refusal is
// an *msg.Error: use errors.Is with a msg.Code. After Timeout, Canceled,
// ProviderGone or ErrClosed it is unknown whether the provider acted.
func (c *Client) Call(ctx context.Context, endpoint, method string, params json.RawMessage) (json.RawMessage, error) {
	return c.call(ctx, &msg.Call{Target: endpoint, Method: method, Params: params})
}

// CallVerified is Call with the agent's marker, a JSON object about the command
// that was verified. The broker takes it only from the agent (NotAgent).
func (c *Client) CallVerified(ctx context.Context, marker json.RawMessage, endpoint, method string, params json.RawMessage) (json.RawMessage, error) {
	if err := msg.CheckPayload(marker, msg.MaxVerified); err != nil {
		return nil, err
	}
	if marker[0] != '{' {
		return nil, msg.Refuse(msg.BadValue, "marker is not an object")
	}
	return c.call(ctx, &msg.Call{Target: endpoint, Method: method, Params: params, Verified: marker})
}

func (c *Client) call(ctx context.Context, m *msg.Call) (json.RawMessage, error) {
	if m.Params != nil {
		if err := msg.CheckPayload(m.Params, msg.MaxPayload); err != nil {
			return nil, err
		}
	}
	ctx, m.Deadline = withDeadline(ctx)
	ctx, stop := context.WithTimeout(ctx, m.Deadline+grace)
	defer stop()
	answer, err := c.ask(ctx, m)
	if err != nil {
		return nil, err
	}
	if r, ok := answer.(*msg.Result); ok {
		return r.Result, nil
	}
	return nil, msg.Refuse(msg.Unexpected, "%s as answer to a call", answer.Type())
}

// withDeadline returns what the broker is told: at least a moment, so that a
// ctx that has just ended is not taken for one without a deadline.
func withDeadline(ctx context.Context) (context.Context, time.Duration) {
	end, ok := ctx.Deadline()
	if !ok {
		return ctx, msg.DefaultDeadline
	}
	return ctx, min(max(time.Until(end), time.Millisecond), msg.MaxDeadline)
}

// ask sends a request and waits for its answer; a refusal is the error.
func (c *Client) ask(ctx context.Context, m msg.Message) (msg.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, ended(ctx)
	}
	ch := make(chan msg.Message, 1)
	id, err := c.send(ctx, m, ch)
	if err != nil {
		return nil, err
	}
	select {
	case answer := <-ch:
		return told(answer)
	case <-ctx.Done():
		c.forget(id)
		if _, ok := m.(*msg.Call); ok {
			c.w.Queue(&msg.Cancel{ID: id}, wire.Control)
			c.w.Flush()
		}
		return nil, ended(ctx)
	case <-c.done:
		c.forget(id)
		select {
		case answer := <-ch: // it came just before the end
			return told(answer)
		default:
			return nil, c.Err()
		}
	}
}

func told(answer msg.Message) (msg.Message, error) {
	if e, ok := answer.(*msg.Error); ok {
		return nil, e
	}
	return answer, nil
}

func ended(ctx context.Context) *msg.Error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return msg.Refuse(msg.Canceled, "the caller's context ended")
	}
	return msg.Refuse(msg.Timeout, "no answer within the deadline")
}

// send gives m its id, notes who waits for the answer, and queues it.
func (c *Client) send(ctx context.Context, m msg.Message, ch chan msg.Message) (uint64, error) {
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return 0, c.err
	}
	c.nextID++
	id := c.nextID
	setID(m, id)
	c.waiting[id] = ch
	c.mu.Unlock()
	err := m.Check()
	if err == nil {
		err = c.queue(ctx, m)
	}
	if err != nil {
		c.forget(id)
	}
	return id, err
}

// queue waits for room in the queue to the broker as long as ctx lasts, and
// flushes.
func (c *Client) queue(ctx context.Context, m msg.Message) error {
	for full := true; ; {
		ok := c.w.Queue(m, wire.Reply)
		c.w.Flush()
		if ok {
			return nil
		}
		if err := c.w.Err(); err != nil {
			return ErrClosed
		}
		room := c.w.Room()
		if room == nil {
			if !full {
				return msg.Refuse(msg.TooLarge, "%s does not fit in a frame", m.Type())
			}
			full = false // or it was drained meanwhile: once more
			continue
		}
		full = true
		select {
		case <-room:
		case <-ctx.Done():
			return ended(ctx)
		}
	}
}

func setID(m msg.Message, id uint64) {
	switch m := m.(type) {
	case *msg.Call:
		m.ID = id
	case *msg.Register:
		m.ID = id
	case *msg.Unregister:
		m.ID = id
	case *msg.Publish:
		m.ID = id
	case *msg.Subscribe:
		m.ID = id
	case *msg.Unsubscribe:
		m.ID = id
	case *msg.List:
		m.ID = id
	case *msg.Ping:
		m.ID = id
	}
}

func (c *Client) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// answered wakes the one who asked; if he has gone the answer is dropped.
func (c *Client) answered(id uint64, m msg.Message) {
	c.mu.Lock()
	ch := c.waiting[id]
	delete(c.waiting, id)
	c.mu.Unlock()
	if ch != nil {
		ch <- m
	}
}

// List returns the methods registered at endpoint, or everywhere if it is
// empty, sorted.
func (c *Client) List(ctx context.Context, endpoint string) ([]msg.Entry, error) {
	var all []msg.Entry
	m := &msg.List{Endpoint: endpoint}
	for {
		answer, err := c.ask(ctx, m)
		if err != nil {
			return nil, err
		}
		l, ok := answer.(*msg.Listing)
		if !ok {
			return nil, msg.Refuse(msg.Unexpected, "%s as answer to list", answer.Type())
		}
		all = append(all, l.Methods...)
		if !l.More || len(l.Methods) == 0 {
			return all, nil
		}
		last := l.Methods[len(l.Methods)-1]
		m = &msg.List{Endpoint: endpoint, AfterEndpoint: last.Endpoint, AfterMethod: last.Method}
	}
}

// Ping waits for the broker to answer.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.ask(ctx, &msg.Ping{})
	return err
}
