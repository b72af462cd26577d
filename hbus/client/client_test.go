package client_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/hbus/broker"
	"github.com/hybridos-net/hybridos/hbus/client"
	"github.com/hybridos-net/hybridos/hbus/hbustest"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func echo(_ context.Context, call client.Call) (json.RawMessage, error) { return call.Params, nil }

func register(t testing.TB, c *client.Client, name string, h client.Handler, opts ...client.MethodOption) {
	t.Helper()
	if err := c.Register(t.Context(), name, h, opts...); err != nil {
		t.Fatalf("register %s: %v", name, err)
	}
}

func wantCode(t *testing.T, err error, code msg.Code) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("got error %v, want %s", err, code)
	}
}

func TestCall_BytesUntouched(t *testing.T) {
	bus := hbustest.Start(t)
	register(t, bus.Dial(t, "lock"), "lock/open", echo)
	caller := bus.Dial(t, "app")
	for _, params := range []string{
		`{"b":1,  "a":9007199254740993,"z":1.0e0}`, `null`, `"\u00e9é\/"`, `[[],{}, "" ]`, `-0`,
		`"` + string(bytes.Repeat([]byte("x"), msg.MaxPayload-2)) + `"`,
	} {
		got, err := caller.Call(t.Context(), "lock", "lock/open", json.RawMessage(params))
		if err != nil || string(got) != params {
			t.Errorf("%.40s: got %.40s, %v", params, got, err)
		}
	}
	got, err := caller.Call(t.Context(), "lock", "lock/open", nil)
	if err != nil || string(got) != "null" {
		t.Errorf("no params: got %s, %v", got, err)
	}
}

func TestCall_CallerIsShown(t *testing.T) {
	pub, key, _ := ed25519.GenerateKey(nil)
	bus := hbustest.Start(t, hbustest.Broker(func(c *broker.Config) {
		c.Apps = []broker.App{{Name: "door", Key: pub}}
	}))
	seen := make(chan client.Call, 1)
	register(t, bus.Dial(t, "lock"), "lock/open", func(_ context.Context, c client.Call) (json.RawMessage, error) {
		seen <- c
		return nil, nil
	})
	caller := bus.DialWith(t, client.Options{App: "door", Key: key})
	if _, err := caller.Call(t.Context(), "lock", "lock/open", nil); err != nil {
		t.Fatal(err)
	}
	want := msg.Identity{App: "door", UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), PID: uint32(os.Getpid()), Key: pub}
	got := <-seen
	if diff := cmp.Diff(want, got.Caller); diff != "" {
		t.Errorf("caller: %s", diff)
	}
	if got.Verified != nil {
		t.Errorf("marker out of nowhere: %s", got.Verified)
	}
	if diff := cmp.Diff(want, caller.Identity()); diff != "" {
		t.Errorf("welcome: %s", diff)
	}
}

const marker = `{"command":"00ff", "principal":"hosacc1x","epoch":3}`

func TestCallVerified_Agent(t *testing.T) {
	bus := hbustest.Start(t)
	seen := make(chan client.Call, 1)
	register(t, bus.Dial(t, "lock"), "lock/open", func(_ context.Context, c client.Call) (json.RawMessage, error) {
		seen <- c
		return json.RawMessage(`true`), nil
	}, client.RequireVerified())
	agent := bus.DialAgent(t)
	if _, err := agent.CallVerified(t.Context(), json.RawMessage(marker), "lock", "lock/open", nil); err != nil {
		t.Fatal(err)
	}
	if got := <-seen; string(got.Verified) != marker || !got.Caller.Agent {
		t.Errorf("got marker %s from %+v", got.Verified, got.Caller)
	}
	// Even the agent is refused without a marker.
	_, err := agent.Call(t.Context(), "lock", "lock/open", nil)
	wantCode(t, err, msg.Unverified)
	_, err = agent.CallVerified(t.Context(), json.RawMessage(`[1]`), "lock", "lock/open", nil)
	wantCode(t, err, msg.BadValue)
	_, err = agent.CallVerified(t.Context(), nil, "lock", "lock/open", nil)
	wantCode(t, err, msg.Malformed)
}

// Nobody but the agent may mark a call: a plain app, an app with a key of its
// own, the agent's key under another uid; and with no agent configured, nobody.
func TestCallVerified_OthersRefused(t *testing.T) {
	pub, key, _ := ed25519.GenerateKey(nil)
	apps := func(c *broker.Config) { c.Apps = []broker.App{{Name: "door", Key: pub}} }
	for _, tc := range []struct {
		name string
		cfg  func(*broker.Config)
		opts func(*hbustest.Bus) client.Options
	}{
		{"plain app", apps, func(*hbustest.Bus) client.Options { return client.Options{App: "other"} }},
		{"agent's name only", apps, func(*hbustest.Bus) client.Options { return client.Options{App: "agent"} }},
		{"another key", apps, func(*hbustest.Bus) client.Options { return client.Options{App: "door", Key: key} }},
		{"wrong uid", func(c *broker.Config) { c.AgentUID++ }, func(b *hbustest.Bus) client.Options {
			return client.Options{App: "agent", Key: b.AgentKey}
		}},
		{"no agent", func(c *broker.Config) { c.AgentKey = nil }, func(*hbustest.Bus) client.Options {
			return client.Options{App: "agent"}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bus := hbustest.Start(t, hbustest.Broker(tc.cfg))
			handler := func(context.Context, client.Call) (json.RawMessage, error) {
				t.Error("a refused call reached the callee")
				return nil, nil
			}
			lock := bus.Dial(t, "lock")
			register(t, lock, "lock/open", handler)
			register(t, lock, "lock/bolt", handler, client.RequireVerified())
			c := bus.DialWith(t, tc.opts(bus))
			if c.Identity().Agent {
				t.Error("taken for the agent")
			}
			for _, m := range []string{"lock/open", "lock/bolt", "lock/none"} {
				_, err := c.CallVerified(t.Context(), json.RawMessage(marker), "lock", m, nil)
				wantCode(t, err, msg.NotAgent)
			}
			_, err := c.Call(t.Context(), "lock", "lock/bolt", nil)
			wantCode(t, err, msg.Unverified)
		})
	}
}

func TestCall_Refusals(t *testing.T) {
	bus := hbustest.Start(t)
	lock, caller := bus.Dial(t, "lock"), bus.Dial(t, "app")
	answers := map[string]error{
		"lock/failed": errors.New("jammed"), "lock/denied": msg.Denied,
		"lock/badparams": msg.Refuse(msg.BadParams, "no angle"), "lock/unavailable": fmt.Errorf("x: %w", msg.Unavailable),
		"lock/forged": msg.NotAgent,
	}
	for name, err := range answers {
		register(t, lock, name, func(context.Context, client.Call) (json.RawMessage, error) { return nil, err })
	}
	register(t, lock, "lock/unsound", func(context.Context, client.Call) (json.RawMessage, error) {
		return json.RawMessage(`{"a":1,"a":2}`), nil
	})
	for _, tc := range []struct {
		endpoint, method, params string
		want                     msg.Code
	}{
		{"lock", "lock/failed", "1", msg.Failed},
		{"lock", "lock/denied", "1", msg.Denied},
		{"lock", "lock/badparams", "1", msg.BadParams},
		{"lock", "lock/unavailable", "1", msg.Unavailable},
		{"lock", "lock/forged", "1", msg.Failed},
		{"lock", "lock/unsound", "1", msg.Failed},
		{"lock", "lock/none", "1", msg.NotFound},
		{"none", "lock/failed", "1", msg.NotFound},
		{"Lock", "lock/failed", "1", msg.BadName},
		{"lock", "lock", "1", msg.BadName},
		{"lock", "lock/failed", `{"a":1,"a":2}`, msg.DuplicateKey},
		{"lock", "lock/failed", `1 2`, msg.Malformed},
		{"lock", "lock/failed", `"` + string(bytes.Repeat([]byte("x"), msg.MaxPayload)) + `"`, msg.TooLarge},
	} {
		_, err := caller.Call(t.Context(), tc.endpoint, tc.method, json.RawMessage(tc.params))
		if !errors.Is(err, tc.want) {
			t.Errorf("%s at %s: got %v, want %s", tc.method, tc.endpoint, err, tc.want)
		}
	}
}

func TestRegister_Refusals(t *testing.T) {
	pub, key, _ := ed25519.GenerateKey(nil)
	bus := hbustest.Start(t, hbustest.Broker(func(c *broker.Config) {
		c.Apps = []broker.App{{Name: "door", Key: pub, Endpoints: []string{"front"}}}
		c.Limits.Methods = 2
	}))
	lock, other := bus.Dial(t, "lock"), bus.Dial(t, "other")
	register(t, lock, "lock/open", echo)
	ctx := t.Context()
	wantCode(t, lock.Register(ctx, "lock/open", echo), msg.Exists)
	wantCode(t, lock.Register(ctx, "door/open", echo), msg.NotYours)
	wantCode(t, lock.Register(ctx, "lock/x", echo, client.AtEndpoint("front")), msg.NotYours)
	wantCode(t, lock.Register(ctx, "lock/x", echo, client.AtEndpoint("hbus")), msg.NotYours)
	wantCode(t, other.Register(ctx, "other/x", echo, client.AtEndpoint("lock")), msg.Exists)
	wantCode(t, other.Unregister(ctx, "lock/open", client.AtEndpoint("lock")), msg.NotFound)
	register(t, lock, "lock/close", echo)
	wantCode(t, lock.Register(ctx, "lock/third", echo), msg.Limit)
	register(t, bus.DialWith(t, client.Options{App: "door", Key: key}), "door/x", echo, client.AtEndpoint("front"))

	for _, m := range []string{"lock/open", "lock/close"} {
		if err := lock.Unregister(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	// The last method gone, the endpoint is free.
	register(t, other, "other/x", echo, client.AtEndpoint("lock"))
}

func TestDial_Refusals(t *testing.T) {
	pub, key, _ := ed25519.GenerateKey(nil)
	_, stranger, _ := ed25519.GenerateKey(nil)
	bus := hbustest.Start(t, hbustest.Broker(func(c *broker.Config) {
		c.Apps = []broker.App{{Name: "door", Key: pub}, {Name: "root", UIDs: []uint32{uint32(os.Getuid()) + 1}}}
		c.Limits.Peers = 1
		c.AgentUID++ // or our own uid would be exempt from the limit
	}))
	for _, tc := range []struct {
		name string
		opts client.Options
		want error
	}{
		{"no proof", client.Options{App: "door"}, msg.AppDenied},
		{"strange key", client.Options{App: "door", Key: stranger}, msg.AppDenied},
		{"key of another app", client.Options{App: "lock", Key: key}, msg.AppDenied},
		{"agent's key for another's name", client.Options{App: "door", Key: bus.AgentKey}, msg.AppDenied},
		{"wrong uid", client.Options{App: "root"}, msg.AppDenied},
		{"broker's name", client.Options{App: "hbus"}, msg.AppDenied},
		{"bad name", client.Options{App: "Door"}, msg.BadName},
		{"strange broker", client.Options{App: "x", BrokerUIDs: []uint32{uint32(os.Getuid()) + 1}}, client.ErrStrangeBroker},
	} {
		_, err := client.Dial(t.Context(), bus.Path, tc.opts)
		// A refused connection may still count for a moment.
		for errors.Is(err, msg.TooManyPeers) {
			_, err = client.Dial(t.Context(), bus.Path, tc.opts)
		}
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestDial_TooManyPeers(t *testing.T) {
	bus := hbustest.Start(t, hbustest.Broker(func(c *broker.Config) {
		c.Limits.PeersPerUID = 1
		c.AgentUID++
	}))
	bus.Dial(t, "one")
	_, err := client.Dial(t.Context(), bus.Path, client.Options{App: "two"})
	wantCode(t, err, msg.TooManyPeers)
}

func TestCall_ProviderGone(t *testing.T) {
	bus := hbustest.Start(t)
	lock, caller := bus.Dial(t, "lock"), bus.Dial(t, "app")
	entered := make(chan struct{})
	register(t, lock, "lock/open", func(ctx context.Context, _ client.Call) (json.RawMessage, error) {
		close(entered)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	go func() {
		<-entered
		lock.Close()
	}()
	_, err := caller.Call(t.Context(), "lock", "lock/open", nil)
	wantCode(t, err, msg.ProviderGone)
	_, err = caller.Call(t.Context(), "lock", "lock/open", nil)
	wantCode(t, err, msg.NotFound)
}

// A caller that takes its call back ends the handler's context.
func TestCall_CancelReachesHandler(t *testing.T) {
	bus := hbustest.Start(t)
	lock, caller := bus.Dial(t, "lock"), bus.Dial(t, "app")
	entered, left := make(chan struct{}, 2), make(chan error, 2)
	register(t, lock, "lock/open", func(ctx context.Context, _ client.Call) (json.RawMessage, error) {
		entered <- struct{}{}
		<-ctx.Done()
		left <- ctx.Err()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	_, err := caller.Call(ctx, "lock", "lock/open", nil)
	wantCode(t, err, msg.Canceled)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
	<-left
	// The same when the caller dies.
	gone := bus.Dial(t, "gone")
	go func() { <-entered; gone.Close() }()
	if _, err = gone.Call(t.Context(), "lock", "lock/open", nil); !errors.Is(err, client.ErrClosed) {
		t.Errorf("got %v", err)
	}
	<-left
	if _, err := caller.Call(ctx, "lock", "lock/open", nil); !errors.Is(err, msg.Canceled) {
		t.Errorf("ended context: %v", err)
	}
}

func TestClient_DoneOnLoss(t *testing.T) {
	bus := hbustest.Start(t)
	c := bus.Dial(t, "app")
	sub, err := c.Subscribe(t.Context(), "*", 0)
	if err != nil {
		t.Fatal(err)
	}
	bus.Stop()
	<-c.Done()
	if _, err := sub.Next(t.Context()); !errors.Is(err, client.ErrClosed) {
		t.Errorf("next: %v", err)
	}
	if _, err := c.Call(t.Context(), "lock", "lock/open", nil); !errors.Is(err, client.ErrClosed) {
		t.Errorf("call: %v", err)
	}
}

func TestList(t *testing.T) {
	bus := hbustest.Start(t)
	c := bus.Dial(t, "lock")
	var want []msg.Entry
	for i := range 250 {
		name := fmt.Sprintf("lock/m%03d", i)
		register(t, c, name, echo)
		want = append(want, msg.Entry{Endpoint: "lock", Method: name, Provider: c.Identity()})
	}
	d := bus.Dial(t, "zone")
	for i := range 20 {
		name := fmt.Sprintf("zone/m%03d", i)
		register(t, d, name, echo, client.RequireVerified())
		want = append(want, msg.Entry{Endpoint: "zone", Method: name, RequireVerified: true, Provider: d.Identity()})
	}
	got, err := c.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err = c.List(t.Context(), "zone"); err != nil || len(got) != 20 {
		t.Errorf("zone: %d entries, %v", len(got), err)
	}
	if got, err = c.List(t.Context(), "none"); err != nil || len(got) != 0 {
		t.Errorf("none: %d entries, %v", len(got), err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestClient_Concurrent(t *testing.T) {
	bus := hbustest.Start(t)
	register(t, bus.DialWith(t, client.Options{App: "lock", Handlers: 512}), "lock/echo", echo)
	caller := bus.Dial(t, "app")
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range 50 {
				want := fmt.Sprintf("[%d,%d]", i, j)
				got, err := caller.Call(t.Context(), "lock", "lock/echo", json.RawMessage(want))
				if err != nil || string(got) != want {
					t.Errorf("got %s, %v; want %s", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

// More calls than the provider carries out at once are refused, not queued.
func TestClient_HandlersBounded(t *testing.T) {
	bus := hbustest.Start(t)
	entered, release := make(chan struct{}), make(chan struct{})
	register(t, bus.DialWith(t, client.Options{App: "lock", Handlers: 1}), "lock/hold",
		func(context.Context, client.Call) (json.RawMessage, error) {
			close(entered)
			<-release
			return nil, nil
		})
	caller := bus.Dial(t, "app")
	first := make(chan error, 1)
	go func() {
		_, err := caller.Call(context.Background(), "lock", "lock/hold", nil)
		first <- err
	}()
	<-entered
	_, err := caller.Call(t.Context(), "lock", "lock/hold", nil)
	wantCode(t, err, msg.Unavailable)
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}
