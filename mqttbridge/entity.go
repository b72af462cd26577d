package mqttbridge

import (
	"context"
	"time"

	"github.com/hybridos-net/hybridos/mqttbridge/topicmap"
)

// entity is one device with its queue of commands, served by one worker.
type entity struct {
	topicmap.Entity
	device string
	queue  chan job

	// What was published last; only the worker touches these.
	online bool
	state  string
}

// job is a command that was accepted and waits for the worker.
type job struct {
	method string
	since  time.Time
}

// work runs the commands of one entity in order, and reads its state at the
// start, after each command and at every interval.
func (b *Bridge) work(ctx context.Context, e *entity) {
	poll := time.NewTicker(b.cfg.PollInterval)
	defer poll.Stop()
	b.refresh(ctx, e)
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-e.queue:
			b.execute(ctx, e, j)
			b.refresh(ctx, e)
		case <-poll.C:
			b.refresh(ctx, e)
		}
	}
}

// execute passes one command on and reports what became of it.
func (b *Bridge) execute(ctx context.Context, e *entity, j job) {
	if b.cfg.Now().Sub(j.since) > b.cfg.CommandMaxAge {
		b.report(e, topicmap.Refusal(j.method, topicmap.CodeExpired))
		return
	}
	out, err := b.invoke(ctx, e, j.method)
	if err != nil {
		b.log.Warn("no receipt", "object", e.Object, "method", j.method, "cause", err.Error())
		b.report(e, topicmap.Result{Method: j.method, Status: topicmap.StatusUnknown, Code: string(topicmap.CodeNoReceipt)})
		return
	}
	b.report(e, topicmap.Result{
		Method:  j.method,
		Status:  out.Status,
		Code:    out.Code,
		Command: topicmap.CommandText(out.CommandID),
		Receipt: out.Receipt,
	})
}

func (b *Bridge) invoke(ctx context.Context, e *entity, method string) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.CommandTimeout)
	defer cancel()
	return b.cfg.Invoker.Invoke(ctx, e.device, e.Mapping.Endpoint, method, nil)
}

// refresh reads the state. A device that answers is online, even if it refuses;
// its state is published only out of an executed read.
func (b *Bridge) refresh(ctx context.Context, e *entity) {
	out, err := b.invoke(ctx, e, e.Mapping.StateMethod)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		b.log.Debug("device does not answer", "object", e.Object, "cause", err.Error())
		b.setOnline(e, false)
		return
	}
	if out.Status == StatusExecuted {
		if state, err := e.Mapping.State(out.Result); err != nil {
			b.log.Warn("state not understood", "object", e.Object, "cause", err.Error())
		} else if state != e.state {
			e.state = state
			b.publishRetained(e.State, state)
		}
	}
	b.setOnline(e, true)
}

func (b *Bridge) setOnline(e *entity, online bool) {
	if online == e.online {
		return
	}
	e.online = online
	payload := topicmap.Offline
	if online {
		payload = topicmap.Online
	}
	b.publishRetained(e.Availability, payload)
}

func (b *Bridge) publishRetained(topic, payload string) {
	if err := b.broker.Publish(topic, []byte(payload), true); err != nil {
		b.log.Error("state not published", "topic", topic, "cause", err.Error())
	}
}
