// Package lock is the app that drives a door lock: a process of its own on the
// bus that takes verified commands only.
//
// It does not decide who may open (deviceos/gate does) and trusts nobody on the
// bus but the agent, whose marker the broker vouches for. Callers use App.Run,
// with a Bolt for hardware.
//
// What must never change: no command moves the bolt twice, whoever repeats it.
package lock

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/deviceos/peripheral"
	"github.com/hybridos-net/hybridos/hbus/client"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

// State is what the method "state" answers.
type State struct {
	Position Position `json:"state"`
	Count    uint64   `json:"count"` // the actuator's own count of actuations
}

// Position is where the bolt stands.
type Position string

// The positions of a bolt.
const (
	Locked   Position = "locked"
	Unlocked Position = "unlocked"
)

// Actuator is the hardware.
type Actuator interface {
	// Actuate moves the bolt as the method says, unless it has done so for this
	// command before. An error that is ErrUnclear means that nobody knows whether
	// it moved; any other, that it did not.
	Actuate(method string, id command.ID) (State, error)
	// State reads without moving.
	State() State
}

// ErrUnclear says that the bolt may or may not have moved.
var ErrUnclear = errors.New("not known whether the bolt moved")

// Config configures an App. Bus and Actuator are needed.
type Config struct {
	Bus      string // path of the bus socket
	Actuator Actuator
	Key      ed25519.PrivateKey // proves the name "lock", if the bus asks for it
	Ready    func()             // called when the methods are registered
	Logger   *slog.Logger
}

// App is the lock app.
type App struct {
	cfg     Config
	unclear chan error
}

// New checks the configuration.
func New(cfg Config) (*App, error) {
	if cfg.Bus == "" || cfg.Actuator == nil {
		return nil, errors.New("lock app needs a bus and an actuator")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Ready == nil {
		cfg.Ready = func() {}
	}
	return &App{cfg: cfg, unclear: make(chan error, 1)}, nil
}

// reconnect is how long to wait for a bus that has gone.
const reconnect = 500 * time.Millisecond

// Run serves until ctx ends, over as many connections as it takes. It returns
// an error only if it never got as far as being registered, or when the
// hardware cannot be relied on any more.
func (a *App) Run(ctx context.Context) error {
	for first := true; ; first = false {
		registered, err := a.serve(ctx)
		switch {
		case errors.Is(err, ErrUnclear):
			return err
		case ctx.Err() != nil:
			return nil
		case first && !registered:
			return err
		}
		a.cfg.Logger.Warn("bus lost, connecting again", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(reconnect):
		}
	}
}

// serve is one connection.
func (a *App) serve(ctx context.Context) (registered bool, err error) {
	e, _, _ := peripheral.Find("lock", "state")
	bus, err := client.Dial(ctx, a.cfg.Bus, client.Options{App: e.App, Endpoint: e.Name, Key: a.cfg.Key, Logger: a.cfg.Logger})
	if err != nil {
		return false, err
	}
	defer bus.Close()
	for _, m := range e.Methods {
		err := bus.Register(ctx, e.BusName(m.Name), a.handler(m.Name), client.RequireVerified())
		if err != nil {
			return false, fmt.Errorf("register %s: %w", m.Name, err)
		}
	}
	a.cfg.Ready()
	select {
	case <-ctx.Done():
		return true, nil
	case <-bus.Done():
		return true, bus.Err()
	case err := <-a.unclear:
		return true, err
	}
}

// handler carries out one method.
func (a *App) handler(method string) client.Handler {
	return func(ctx context.Context, call client.Call) (json.RawMessage, error) {
		if !call.Caller.Agent {
			return nil, msg.Refuse(msg.Denied, "only the agent's calls move the bolt")
		}
		m, err := peripheral.ParseMarker(call.Verified)
		if err != nil {
			return nil, msg.Refuse(msg.Denied, "%v", err)
		}
		if len(call.Params) > 0 {
			return nil, msg.Refuse(msg.BadParams, "%s takes no params", method)
		}
		if err := ctx.Err(); err != nil {
			return nil, msg.Refuse(msg.Unavailable, "nobody waits any more")
		}
		state := a.cfg.Actuator.State()
		if method != "state" {
			if state, err = a.cfg.Actuator.Actuate(method, m.Command); err != nil {
				return nil, a.failed(ctx, err)
			}
			a.cfg.Logger.Info("bolt", "method", method, "command", m.Command, "count", state.Count)
		}
		return json.Marshal(state)
	}
}

// failed answers for an error of the hardware. When it is not known whether the
// bolt moved, no answer would be true: the connection ends, and the agent tells
// the sender that the outcome is unknown.
func (a *App) failed(ctx context.Context, err error) error {
	if !errors.Is(err, ErrUnclear) {
		return msg.Refuse(msg.Failed, "%v", err)
	}
	select {
	case a.unclear <- err:
	default:
	}
	<-ctx.Done()
	return err
}
