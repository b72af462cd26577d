package lock

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/deviceos/peripheral"
	"github.com/hybridos-net/hybridos/hbus/client"
	"github.com/hybridos-net/hybridos/hbus/hbustest"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

func id(n byte) command.ID { return command.ID{n} }

func openBolt(t *testing.T, path string) *Bolt {
	t.Helper()
	b, err := OpenBolt(path, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestBolt_OncePerCommandAlsoAfterRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	b := openBolt(t, path)
	if s := b.State(); s.Position != Locked || s.Count != 0 {
		t.Fatalf("new bolt: %+v", s)
	}
	act := func(b *Bolt, method string, n byte, want State) {
		t.Helper()
		if s, err := b.Actuate(method, id(n)); err != nil || s != want {
			t.Fatalf("%s: %+v, %v", method, s, err)
		}
	}
	act(b, "open", 1, State{Unlocked, 1})
	act(b, "open", 1, State{Unlocked, 1})
	act(b, "lock", 2, State{Locked, 2})
	b.Close()
	b = openBolt(t, path)
	act(b, "open", 1, State{Locked, 2})
	act(b, "unlock", 3, State{Unlocked, 3})
	if _, err := b.Actuate("melt", id(4)); err == nil || errors.Is(err, ErrUnclear) {
		t.Fatalf("melted: %v", err)
	}
}

func TestOpenBolt_TornLineNeverHappened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	b := openBolt(t, path)
	for n := byte(1); n <= 2; n++ {
		if _, err := b.Actuate("open", id(n)); err != nil {
			t.Fatal(err)
		}
	}
	b.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	second := strings.IndexByte(string(whole), '\n') + 1
	for cut := second; cut < len(whole); cut++ {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		b := openBolt(t, path)
		if s, err := b.Actuate("lock", id(3)); err != nil || s != (State{Locked, 2}) {
			t.Fatalf("cut at %d: %+v, %v", cut, s, err)
		}
		b.Close()
	}
	for _, bad := range []string{"{}\n", "x\n", `{"n":2,"method":"open","command":"` + id(1).String() + `","time":"2026-01-01T00:00:00Z"}` + "\n", strings.Repeat("x", 2*maxLine)} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenBolt(path, time.Now); err == nil {
			t.Errorf("opened %.40q", bad)
		}
	}
}

func TestBolt_DiskErrors(t *testing.T) {
	b := openBolt(t, filepath.Join(t.TempDir(), "log"))
	b.file.Close()
	if _, err := b.Actuate("open", id(1)); !errors.Is(err, ErrUnclear) {
		t.Fatalf("got %v", err)
	}
	if _, err := b.Actuate("open", id(2)); !errors.Is(err, ErrUnclear) {
		t.Fatalf("moves on an unreliable log: %v", err)
	}
}

// start runs the app on a real bus.
func start(t *testing.T, bus *hbustest.Bus, a Actuator) <-chan error {
	t.Helper()
	ready := make(chan struct{})
	app, err := New(Config{Bus: bus.Path, Actuator: a, Ready: func() { close(ready) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	done := make(chan struct{})
	go func() { ended <- app.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("lock app: %v", err)
	}
	return ended
}

func marker(t *testing.T, n byte) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(peripheral.Marker{Command: id(n), Epoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestApp_VerifiedCommandsOnly(t *testing.T) {
	bus := hbustest.Start(t)
	start(t, bus, openBolt(t, filepath.Join(t.TempDir(), "log")))
	agent, other := bus.DialAgent(t), bus.Dial(t, "thief")
	call := func(n byte, method string, want State) {
		t.Helper()
		raw, err := agent.CallVerified(t.Context(), marker(t, n), "lock", "lock/"+method, nil)
		var got State
		if err != nil || json.Unmarshal(raw, &got) != nil || got != want {
			t.Fatalf("%s: %s, %v", method, raw, err)
		}
	}
	call(9, "state", State{Locked, 0})
	call(1, "open", State{Unlocked, 1})
	call(1, "open", State{Unlocked, 1})
	call(2, "lock", State{Locked, 2})
	call(3, "unlock", State{Unlocked, 3})
	for name, c := range map[string]struct {
		by     *client.Client
		marker json.RawMessage
		params json.RawMessage
		want   msg.Code
	}{
		"no marker":            {agent, nil, nil, msg.Unverified},
		"not the agent":        {other, marker(t, 4), nil, msg.NotAgent},
		"marker for nothing":   {agent, json.RawMessage(`{}`), nil, msg.Denied},
		"params it can't know": {agent, marker(t, 5), json.RawMessage(`{"wide":1}`), msg.BadParams},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if c.marker == nil {
				_, err = c.by.Call(t.Context(), "lock", "lock/open", c.params)
			} else {
				_, err = c.by.CallVerified(t.Context(), c.marker, "lock", "lock/open", c.params)
			}
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
	call(9, "state", State{Unlocked, 3})
}

// The app serves exactly the methods of the list.
func TestApp_ServesTheList(t *testing.T) {
	bus := hbustest.Start(t)
	start(t, bus, openBolt(t, filepath.Join(t.TempDir(), "log")))
	entries, err := bus.Dial(t, "look").List(t.Context(), "lock")
	if err != nil {
		t.Fatal(err)
	}
	e, _, _ := peripheral.Find("lock", "state")
	var got, want []string
	for _, m := range entries {
		if !m.RequireVerified {
			t.Errorf("%s is open to all", m.Method)
		}
		got = append(got, m.Method)
	}
	for _, m := range e.Methods {
		want = append(want, e.BusName(m.Name))
		if _, ok := after(m.Name); !ok && m.Name != "state" {
			t.Errorf("the bolt does not know %q", m.Name)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("serves %v, want %v", got, want)
	}
}

// broken is hardware that fails as told.
type broken struct{ err error }

func (b broken) Actuate(string, command.ID) (State, error) { return State{}, b.err }
func (b broken) State() State                              { return State{} }

func TestApp_HardwareErrors(t *testing.T) {
	bus := hbustest.Start(t)
	start(t, bus, broken{errors.New("jammed")})
	if _, err := bus.DialAgent(t).CallVerified(t.Context(), marker(t, 1), "lock", "lock/open", nil); !errors.Is(err, msg.Failed) {
		t.Fatalf("jammed: %v", err)
	}
	bus = hbustest.Start(t)
	ended := start(t, bus, broken{ErrUnclear})
	if _, err := bus.DialAgent(t).CallVerified(t.Context(), marker(t, 1), "lock", "lock/open", nil); !errors.Is(err, msg.ProviderGone) {
		t.Fatalf("unclear: %v", err)
	}
	if err := <-ended; !errors.Is(err, ErrUnclear) {
		t.Fatalf("went on with hardware that cannot be relied on: %v", err)
	}
}

func TestNew_Refusals(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Fatal("an app without parts")
	}
	app, err := New(Config{Bus: filepath.Join(t.TempDir(), "none"), Actuator: broken{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Run(t.Context()); err == nil {
		t.Fatal("ran without a bus")
	}
}
