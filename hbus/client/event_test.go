package client_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/hbus/client"
	"github.com/hybridos-net/hybridos/hbus/hbustest"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

func TestEvents(t *testing.T) {
	bus := hbustest.Start(t)
	pub, sub := bus.Dial(t, "lock"), bus.Dial(t, "app")
	ctx := t.Context()
	subscribe := func(p string) *client.Subscription {
		s, err := sub.Subscribe(ctx, p, 0)
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		return s
	}
	all, lock, exact, twin := subscribe("*"), subscribe("lock/*"), subscribe("lock/front/state"), subscribe("lock/*")
	wantCode(t, pub.Publish(ctx, "door/state", nil), msg.NotYours)
	wantCode(t, pub.Publish(ctx, "lock", nil), msg.BadName)
	for _, n := range []string{"lock/front/state", "lock/log"} {
		if err := pub.Publish(ctx, n, json.RawMessage(`{"n": 1}`)); err != nil {
			t.Fatal(err)
		}
	}
	next := func(s *client.Subscription, name string) {
		t.Helper()
		e, err := s.Next(ctx)
		if err != nil || e.Name != name {
			t.Fatalf("got %+v, %v; want %s", e, err, name)
		}
		if name != "hbus/left" && string(e.Data) != `{"n": 1}` {
			t.Errorf("data %s", e.Data)
		}
	}
	next(all, "lock/front/state")
	next(all, "lock/log")
	next(exact, "lock/front/state")
	for _, s := range []*client.Subscription{lock, twin} {
		next(s, "lock/front/state")
		next(s, "lock/log")
	}
	if err := lock.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Next(ctx); !errors.Is(err, client.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	pub.Close()
	next(all, "hbus/left")
	if err := twin.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Subscribe(ctx, "lock*", 0); !errors.Is(err, msg.BadName) {
		t.Errorf("bad pattern: %v", err)
	}
}

// A subscription that is not read says how much it dropped, at its place.
func TestSubscription_LocalLoss(t *testing.T) {
	bus := hbustest.Start(t)
	c := bus.Dial(t, "lock")
	sub, err := c.Subscribe(t.Context(), "lock/*", 2)
	if err != nil {
		t.Fatal(err)
	}
	publish := func(n int) {
		for range n {
			if err := c.Publish(t.Context(), "lock/x", nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	next := func(lost uint64) {
		t.Helper()
		if e, err := sub.Next(t.Context()); err != nil || e.Lost != lost {
			t.Fatalf("got %+v, %v; want lost %d", e, err, lost)
		}
	}
	publish(5)
	next(0)
	publish(1)
	next(0)
	next(3)
	next(0)
	publish(3)
	next(0)
	next(0)
	next(1)
}
