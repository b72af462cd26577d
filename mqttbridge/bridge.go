// Package mqttbridge lets legacy MQTT clients use devices of HybridOS: it is a
// broker of its own that shows mapped devices as Home Assistant entities and
// turns what clients publish into commands signed by the bridge's delegate key.
//
// It is not trusted: it holds no owner key. Each command stands on a grant that
// the owner gave to the delegate key on the ledger; without one the device
// refuses and the bridge reports just that. It keeps no device state of its own
// making: what it publishes as state came in a receipt of the device.
//
// Entry points: New and Bridge.Run. Commands go out through the Invoker.
//
// What must never change: a client reaches only the topics of its own account's
// devices; a retained, repeated, unknown or stale command is never passed on; the
// process survives any client.
package mqttbridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/mqttbridge/account"
	"github.com/hybridos-net/hybridos/mqttbridge/broker"
	"github.com/hybridos-net/hybridos/mqttbridge/guard"
	"github.com/hybridos-net/hybridos/mqttbridge/topicmap"
)

// Device is one device to be shown over MQTT.
type Device struct {
	// ID is the device's id in text form, as the Invoker knows it.
	ID string
	// Name is shown to people.
	Name string
	// Mapping is the row of the topic table; empty is topicmap.KindLock.
	Mapping string
}

// Config of a Bridge. Accounts, Devices, Invoker and ObjectKey are needed.
type Config struct {
	// Listen is a loopback TCP address; empty is DefaultListen. Passwords go over
	// it in clear, so no other interface is possible.
	Listen string
	// Accounts are the legacy logins. A login that names a device that is not in
	// Devices is an error.
	Accounts *account.Book
	// Devices are shown in the given order.
	Devices []Device
	// Invoker sends the commands.
	Invoker Invoker
	// ObjectKey is the secret behind the object ids in topics, 16 bytes or more.
	ObjectKey []byte
	// Guard bounds connections and packets; zero values take its defaults.
	Guard guard.Config
	// Logins bounds password checks; zero values take its defaults.
	Logins account.VerifierConfig
	// CommandTimeout bounds one command, CommandMaxAge how long one may wait
	// before it is sent, PollInterval the time between two reads of the state.
	CommandTimeout, CommandMaxAge, PollInterval time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Logger receives what happens; nil discards it.
	Logger *slog.Logger
}

// Bridge is a running or ready bridge. It is safe for concurrent use.
type Bridge struct {
	cfg      Config
	log      *slog.Logger
	broker   *broker.Broker
	desk     *desk
	entities []*entity
	ready    chan struct{}
	addr     net.Addr
}

// New checks the configuration and makes a Bridge; it starts nothing.
func New(cfg Config) (*Bridge, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("mqtt bridge: %w", err)
	}
	b := &Bridge{cfg: cfg, log: cfg.Logger.With("subsystem", "mqttbridge"), ready: make(chan struct{})}
	byDevice := map[string]topicmap.Entity{}
	byCommand := map[string]*entity{}
	for _, d := range cfg.Devices {
		bound, err := topicmap.Bind(cfg.ObjectKey, d.Mapping, d.ID, d.Name)
		if err != nil {
			return nil, fmt.Errorf("mqtt bridge: device %s: %w", d.ID, err)
		}
		e := &entity{Entity: bound, device: d.ID, queue: make(chan job, maxQueue)}
		b.entities = append(b.entities, e)
		byDevice[d.ID] = bound
		byCommand[bound.Command] = e
	}
	logins, err := account.NewVerifier(cfg.Accounts, cfg.Logins)
	if err != nil {
		return nil, err
	}
	b.desk = &desk{entities: byCommand, seen: newMemory(cfg.Now), now: cfg.Now, report: b.report}
	b.broker, err = broker.New(broker.Config{
		Guard:     cfg.Guard,
		Directory: newDirectory(cfg.Accounts, logins, byDevice),
		Handle:    b.desk.take,
		Logger:    cfg.Logger,
	})
	return b, err
}

// Run listens and serves until ctx ends; it returns nil then, and when all its
// goroutines are gone. A Bridge runs once.
func (b *Bridge) Run(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", b.cfg.Listen)
	if err != nil {
		return fmt.Errorf("mqtt bridge: listen on %s: %w", b.cfg.Listen, err)
	}
	for _, e := range b.entities {
		if err := b.announce(e); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	ctx, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	for _, e := range b.entities {
		workers.Go(func() { b.work(ctx, e) })
	}
	defer workers.Wait()
	defer stop()
	b.addr = l.Addr()
	close(b.ready)
	b.log.Info("mqtt bridge serves", "listen", l.Addr().String(), "devices", len(b.entities))
	return b.broker.Run(ctx, l)
}

// Ready is closed when clients can connect.
func (b *Bridge) Ready() <-chan struct{} { return b.ready }

// Addr is the address that is listened on, once Ready is closed.
func (b *Bridge) Addr() net.Addr { return b.addr }

// Entities gives the topics of all devices, in the order of the configuration.
func (b *Bridge) Entities() []topicmap.Entity {
	out := make([]topicmap.Entity, 0, len(b.entities))
	for _, e := range b.entities {
		out = append(out, e.Entity)
	}
	return out
}

// announce publishes what Home Assistant needs to find the device.
func (b *Bridge) announce(e *entity) error {
	payload, err := e.Mapping.Discovery(e.Entity)
	if err != nil {
		return fmt.Errorf("mqtt bridge: discovery of %s: %w", e.Object, err)
	}
	if err := b.broker.Publish(e.Discovery, payload, true); err != nil {
		return err
	}
	return b.broker.Publish(e.Availability, []byte(topicmap.Offline), true)
}

// report publishes what became of a command.
func (b *Bridge) report(e *entity, r topicmap.Result) {
	b.log.Info("command", "object", e.Object, "method", r.Method, "status", r.Status, "code", r.Code, "command", r.Command)
	payload, err := r.Encode()
	if err == nil {
		err = b.broker.Publish(e.Result, payload, false)
	}
	if err != nil {
		b.log.Error("result not published", "object", e.Object, "cause", err.Error())
	}
}
