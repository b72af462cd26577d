package client

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/hybridos-net/hybridos/hbus/internal/wire"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

// Call is one call as a handler sees it. The bytes are the handler's own.
type Call struct {
	Endpoint string
	Method   string
	Params   json.RawMessage // as the caller wrote them; nil if there are none
	// Verified is the agent's marker; nil for a call that nobody verified.
	// Only the broker can put it here, and only for the agent.
	Verified json.RawMessage
	// Caller is who calls: from the kernel and the broker's keys, not from
	// the caller.
	Caller msg.Identity
}

// Handler carries out a call; handlers run at once with each other. ctx ends
// with the deadline, when the caller takes the call back, and with the
// connection. An error that is a msg.Code or *msg.Error of the provider's codes
// (Failed, Denied, BadParams, Unavailable) goes to the caller as it is, any
// other as Failed with its text.
type Handler func(ctx context.Context, call Call) (json.RawMessage, error)

// MethodOption changes how a method is registered.
type MethodOption func(*msg.Register)

// RequireVerified makes the broker refuse every call of the method that lacks
// the agent's marker.
func RequireVerified() MethodOption {
	return func(m *msg.Register) { m.RequireVerified = true }
}

// AtEndpoint registers at another endpoint than Options.Endpoint.
func AtEndpoint(name string) MethodOption {
	return func(m *msg.Register) { m.Endpoint = name }
}

// Register offers a method, named "<app>/<method>" with the program's own app.
// Calls may come before it returns.
func (c *Client) Register(ctx context.Context, name string, h Handler, opts ...MethodOption) error {
	m := &msg.Register{Endpoint: c.opts.Endpoint, Method: name}
	for _, o := range opts {
		o(m)
	}
	key := method{m.Endpoint, m.Method}
	c.mu.Lock()
	if c.methods[key] != nil {
		c.mu.Unlock()
		return msg.Refuse(msg.Exists, "%s at %s is registered", m.Method, m.Endpoint)
	}
	c.methods[key] = h
	c.mu.Unlock()
	_, err := c.ask(ctx, m)
	if err != nil {
		c.mu.Lock()
		delete(c.methods, key)
		c.mu.Unlock()
	}
	return err
}

// Unregister takes a method back; calls under way are still answered.
func (c *Client) Unregister(ctx context.Context, name string, opts ...MethodOption) error {
	m := &msg.Register{Endpoint: c.opts.Endpoint, Method: name}
	for _, o := range opts {
		o(m)
	}
	if _, err := c.ask(ctx, &msg.Unregister{Endpoint: m.Endpoint, Method: m.Method}); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.methods, method{m.Endpoint, m.Method})
	return nil
}

// invoked starts the handler of a call.
func (c *Client) invoked(m *msg.Invoke) {
	c.mu.Lock()
	h := c.methods[method{m.Target, m.Method}]
	c.mu.Unlock()
	if h == nil {
		c.w.Queue(refusal(m.ID, msg.Refuse(msg.Unavailable, "%s is no longer served", m.Method)), wire.Control)
		return
	}
	select {
	case c.slots <- struct{}{}:
	default:
		c.w.Queue(refusal(m.ID, msg.Refuse(msg.Unavailable, "%d calls are being carried out", cap(c.slots))), wire.Control)
		return
	}
	ctx, stop := context.WithTimeout(c.life, m.Deadline)
	c.mu.Lock()
	c.serving[m.ID] = stop
	c.mu.Unlock()
	call := Call{
		Endpoint: m.Target, Method: m.Method, Params: slices.Clone(m.Params),
		Verified: slices.Clone(m.Verified), Caller: *m.Caller,
	}
	c.wg.Add(1)
	go func() {
		defer c.wg.Done()
		defer func() { <-c.slots }()
		result, err := h(ctx, call)
		stop()
		c.mu.Lock()
		delete(c.serving, m.ID)
		c.mu.Unlock()
		c.respond(m.ID, result, err)
	}()
}

// cancelled ends the context of a handler whose answer nobody awaits.
func (c *Client) cancelled(id uint64) {
	c.mu.Lock()
	stop := c.serving[id]
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// respond sends the answer of a handler. One that is not sound JSON would cost
// the connection, so it becomes a refusal.
func (c *Client) respond(id uint64, result json.RawMessage, err error) {
	if err == nil && result != nil {
		if e := msg.CheckPayload(result, msg.MaxPayload); e != nil {
			err = msg.Refuse(msg.Failed, "the provider's result is not sound: %v", e)
		}
	}
	var answer msg.Message = &msg.Result{ID: id, Result: result}
	if err != nil {
		answer = refusal(id, err)
	}
	if err := c.queue(c.life, answer); err != nil && c.life.Err() == nil {
		c.opts.Logger.Warn("answer dropped", "id", id, "err", err)
	}
}

func refusal(id uint64, err error) *msg.Error {
	out := &msg.Error{ID: id, Code: msg.Failed, Detail: err.Error()}
	if e, ok := errors.AsType[*msg.Error](err); ok && e.Code.FromProvider() {
		out.Code, out.Detail = e.Code, e.Detail
	} else if code, ok := errors.AsType[msg.Code](err); ok && code.FromProvider() {
		out.Code = code
	}
	return out
}
