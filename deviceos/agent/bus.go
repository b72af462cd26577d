package agent

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/deviceos/gate"
	"github.com/hybridos-net/hybridos/deviceos/peripheral"
	"github.com/hybridos-net/hybridos/hbus/client"
	"github.com/hybridos-net/hybridos/hbus/msg"
)

// The agent's own place on the bus.
const (
	busApp       = "agent"
	statusMethod = "agent/status"
)

// bus hands verified commands to the apps that drive the hardware.
type bus struct {
	path   string
	key    ed25519.PrivateKey
	log    *slog.Logger
	status func() Status
	own    own

	mu   sync.Mutex
	conn *client.Client // nil while there is none
}

var _ gate.Actuator = (*bus)(nil)

// run keeps a connection until ctx ends.
func (b *bus) run(ctx context.Context) error {
	defer b.set(nil)
	told := false
	for {
		conn, err := b.dial(ctx)
		if err == nil {
			told = false
			b.set(conn)
			select {
			case <-conn.Done():
			case <-ctx.Done():
			}
			b.set(nil)
			err = conn.Err()
			conn.Close()
		}
		if ctx.Err() != nil {
			return nil
		}
		if !told {
			told = true
			b.log.Warn("no bus: commands cannot be carried out", "bus", b.path, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(redial):
		}
	}
}

func (b *bus) dial(ctx context.Context) (*client.Client, error) {
	conn, err := client.Dial(ctx, b.path, client.Options{App: busApp, Key: b.key, Logger: b.log})
	if err != nil {
		return nil, err
	}
	err = conn.Register(ctx, statusMethod, func(context.Context, client.Call) (json.RawMessage, error) {
		return json.Marshal(b.status())
	})
	if err == nil && !conn.Identity().Agent {
		err = errors.New("the bus does not take this process for the agent; start hbusd with --agent-key and --agent-uid")
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	b.log.Info("bus connected", "bus", b.path)
	return conn, nil
}

func (b *bus) set(c *client.Client) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conn = c
}

func (b *bus) current() *client.Client {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.conn
}

// Actuate calls the method that the order names.
func (b *bus) Actuate(ctx context.Context, o gate.Order) ([]byte, error) {
	e, m, ok := peripheral.Find(o.Body.Endpoint, o.Body.Method)
	if !ok {
		return nil, nothingDone(command.NoMethod, "no %s at %s", o.Body.Method, o.Body.Endpoint)
	}
	if e.Name == peripheral.Self {
		return b.own.actuate(o)
	}
	conn := b.current()
	if conn == nil {
		return nil, nothingDone(command.Failed, "no bus")
	}
	marker, err := json.Marshal(peripheral.Marker{
		Command: o.Command, Principal: o.Body.Principal, Key: o.Body.Key, Grant: o.Body.Grant,
		Epoch: o.Body.Epoch, Expires: o.Body.Expires,
	})
	if err != nil {
		return nil, nothingDone(command.Internal, "%v", err)
	}
	var params json.RawMessage
	if len(o.Body.Params) > 0 {
		params = o.Body.Params
	}
	result, err := conn.CallVerified(ctx, marker, e.Name, e.BusName(m.Name), params)
	if err != nil {
		return nil, outcome(err)
	}
	return result, nil
}

// outcome tells errors after which nothing was done from those after which
// nobody knows. Busy is of the latter: a broker also says it when the answer
// found no room.
func outcome(err error) error {
	var e *msg.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case msg.NotFound:
		return nothingDone(command.NoMethod, "%v", e)
	case msg.BadParams, msg.Malformed, msg.TooDeep, msg.TooLarge, msg.DuplicateKey, msg.BadValue:
		return nothingDone(command.Malformed, "params: %v", e)
	case msg.Failed, msg.Denied, msg.Unavailable, msg.NotAgent, msg.Unverified, msg.Limit:
		return nothingDone(command.Failed, "%v", e)
	}
	return err
}
