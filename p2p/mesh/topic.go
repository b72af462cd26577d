package mesh

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Message is one accepted message.
type Message struct {
	From peer.ID // the neighbour it came from, not its author
	Data []byte
}

// Topic is one joined topic. Safe for concurrent use.
type Topic struct {
	name     string
	limit    int
	buffer   int
	validate Validator
	self     peer.ID

	up      chan struct{} // closed when gossip runs
	stopped chan struct{} // closed when it ended
	topic   *pubsub.Topic // before up is closed

	mu   sync.Mutex
	kept []Message     // oldest first, at most buffer
	lost uint64        // dropped for newer ones
	news chan struct{} // cap 1
}

func newTopic(name string, self peer.ID, limit, buffer int, v Validator) *Topic {
	return &Topic{name: name, limit: limit, buffer: buffer, validate: v, self: self,
		up: make(chan struct{}), stopped: make(chan struct{}), news: make(chan struct{}, 1)}
}

// start registers the validator before the subscription, so that nothing gets
// in between.
func (t *Topic) start(ps *pubsub.PubSub) (*pubsub.Subscription, error) {
	err := ps.RegisterTopicValidator(t.name, pubsub.ValidatorEx(t.judge),
		pubsub.WithValidatorTimeout(validateTime), pubsub.WithValidatorConcurrency(validateAtOnce))
	if err != nil {
		return nil, err
	}
	if t.topic, err = ps.Join(t.name); err != nil {
		return nil, err
	}
	sub, err := t.topic.Subscribe(pubsub.WithBufferSize(max(4, t.buffer)))
	if err != nil {
		return nil, err
	}
	close(t.up)
	return sub, nil
}

// judge asks the validator; what it does not name is rejected.
func (t *Topic) judge(ctx context.Context, from peer.ID, msg *pubsub.Message) pubsub.ValidationResult {
	if len(msg.GetData()) == 0 || len(msg.GetData()) > t.limit {
		return pubsub.ValidationReject
	}
	switch t.validate(ctx, from, msg.GetData()) {
	case Accept:
		return pubsub.ValidationAccept
	case Ignore:
		return pubsub.ValidationIgnore
	}
	return pubsub.ValidationReject
}

// pump moves messages of others to the buffer.
func (t *Topic) pump(ctx context.Context, sub *pubsub.Subscription) {
	defer sub.Cancel()
	for {
		msg, err := sub.Next(ctx)
		if err != nil {
			return
		}
		if msg.ReceivedFrom == t.self {
			continue
		}
		t.keep(Message{From: msg.ReceivedFrom, Data: msg.GetData()})
	}
}

// keep buffers a message in place of the oldest.
func (t *Topic) keep(m Message) {
	t.mu.Lock()
	if len(t.kept) >= t.buffer {
		t.kept = append(t.kept[:0], t.kept[1:]...)
		t.lost++
	}
	t.kept = append(t.kept, m)
	t.mu.Unlock()
	select {
	case t.news <- struct{}{}:
	default:
	}
}

// Name is the topic's name.
func (t *Topic) Name() string { return t.name }

// Next waits for the oldest message kept. Messages of this host itself are not
// returned.
func (t *Topic) Next(ctx context.Context) (Message, error) {
	for {
		t.mu.Lock()
		if len(t.kept) > 0 {
			m := t.kept[0]
			t.kept = append(t.kept[:0], t.kept[1:]...)
			more := len(t.kept) > 0
			t.mu.Unlock()
			if more { // another reader may go on
				select {
				case t.news <- struct{}{}:
				default:
				}
			}
			return m, nil
		}
		t.mu.Unlock()
		select {
		case <-t.news:
		case <-ctx.Done():
			return Message{}, ctx.Err()
		case <-t.stopped:
			return Message{}, ErrStopped
		}
	}
}

// Lost counts the messages that were dropped for newer ones.
func (t *Topic) Lost() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lost
}

// Publish sends a message to the mesh. It waits for Run to have started, not
// for any peer.
func (t *Topic) Publish(ctx context.Context, data []byte) error {
	if len(data) == 0 || len(data) > t.limit {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrRefused, len(data), t.limit)
	}
	if err := t.wait(ctx); err != nil {
		return err
	}
	err := t.topic.Publish(ctx, data)
	var refused pubsub.ValidationError
	if errors.As(err, &refused) {
		return fmt.Errorf("%w: %s", ErrRefused, refused.Reason)
	}
	return err
}

// Peers lists the neighbours who joined the topic.
func (t *Topic) Peers() []peer.ID {
	select {
	case <-t.up:
		return t.topic.ListPeers()
	default:
		return nil
	}
}

// WaitPeers waits until at least n neighbours joined the topic and can be sent to.
func (t *Topic) WaitPeers(ctx context.Context, n int) error {
	if err := t.wait(ctx); err != nil {
		return err
	}
	// The library tells when a neighbour joined, but not when we can send to it,
	// which may be later; so look, a few times a second.
	tick := time.NewTicker(peersTick)
	defer tick.Stop()
	for len(t.topic.ListPeers()) < n {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-t.stopped:
			return ErrStopped
		}
	}
	return nil
}

// wait waits until gossip runs.
func (t *Topic) wait(ctx context.Context) error {
	select {
	case <-t.stopped:
		return ErrStopped
	default:
	}
	select {
	case <-t.up:
		return nil
	case <-t.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}
