// Package broker wires the MQTT engine behind the guard: it is the only place
// that knows the engine.
//
// It is not the bridge: it does not know devices or commands. It logs clients
// in, holds every topic to the access of its account, hands what clients publish
// to one handler and publishes what the bridge says.
//
// Entry points: New and Broker.Run; Broker.Publish sends.
//
// What must never change: one hook decides on access, since the engine takes the
// most generous answer of several; what a client publishes is handed to the
// handler and never fanned out or retained; anything not understood is refused.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	mqtt "github.com/mochi-mqtt/server/v2"

	"github.com/hybridos-net/hybridos/mqttbridge/guard"
	"github.com/hybridos-net/hybridos/mqttbridge/topicmap"
)

// Message is what a logged-in client published on a topic that it may publish to.
type Message struct {
	// Account is the authenticated account, Client the session's name: account,
	// a slash and the client id.
	Account, Client string
	// Topic and Payload are as published.
	Topic   string
	Payload []byte
	// PacketID is 0 at QoS 0. Dup says that the client sends it again.
	PacketID uint16
	Dup      bool
	// Retain is the retain flag.
	Retain bool
}

// ErrBusy says that a login could not be checked; the client may try again later.
var ErrBusy = errors.New("mqtt broker: login cannot be checked just now")

// Directory decides who is who and who may do what.
type Directory interface {
	// Login returns nil if the password belongs to the account, and an error that
	// is ErrBusy if it could not be checked just now.
	Login(ctx context.Context, account string, password []byte) error
	// Access is what a logged-in account may do; nil is nothing.
	Access(account string) *topicmap.Access
}

// Config of a Broker.
type Config struct {
	// Guard bounds connections and packets.
	Guard guard.Config
	// Directory is asked at each login and for each topic.
	Directory Directory
	// Handle is called for each message, in the goroutine of its client; it must
	// not block.
	Handle func(Message)
	// Logger receives the engine's log at debug level, without payloads.
	Logger *slog.Logger
}

// Broker is an MQTT server whose clients talk to the bridge only.
type Broker struct {
	engine *mqtt.Server
	front  *guard.Front
}

// New makes a Broker; it starts nothing.
func New(cfg Config) (*Broker, error) {
	if cfg.Directory == nil || cfg.Handle == nil {
		return nil, errors.New("mqtt broker: needs a directory and a handler")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Guard.Logger == nil {
		cfg.Guard.Logger = cfg.Logger.With("subsystem", "guard")
	}
	front, err := guard.New(cfg.Guard)
	if err != nil {
		return nil, err
	}
	maxPacket := cfg.Guard.MaxPacket
	if maxPacket == 0 {
		maxPacket = guard.DefaultMaxPacket
	}
	engine := mqtt.New(&mqtt.Options{
		Capabilities:           capabilities(uint32(maxPacket)),
		Logger:                 slog.New(engineLog{cfg.Logger.With("subsystem", "engine").Handler()}),
		InlineClient:           true,
		SysTopicResendInterval: sysInterval,
	})
	h := &hook{directory: cfg.Directory, handle: cfg.Handle, engine: engine, maxPacket: uint32(maxPacket)}
	if err := engine.AddHook(h, nil); err != nil {
		return nil, fmt.Errorf("mqtt broker: add hook: %w", err)
	}
	return &Broker{engine: engine, front: front}, nil
}

// capabilities are the engine's settings where its own are not ours.
func capabilities(maxPacket uint32) *mqtt.Capabilities {
	c := mqtt.NewDefaultServerCapabilities()
	c.MaximumPacketSize = maxPacket
	c.MaximumClientWritesPending = maxWritesPending
	c.MaximumSessionExpiryInterval = maxSessionExpiry
	c.MaximumInflight = maxInflight
	c.ReceiveMaximum = receiveMaximum
	// Not 0 hours but never: with any figure here the engine drops retained
	// messages after that time, and discovery would vanish.
	c.MaximumMessageExpiryInterval = 0
	c.TopicAliasMaximum = 0 // access is decided on full topic names only
	c.SharedSubAvailable = 0
	c.MinimumProtocolVersion = 4
	c.Compatibilities.NoInheritedPropertiesOnAck = true
	return c
}

// Run serves l until ctx ends. It owns l and returns when all is closed. A
// Broker runs once.
func (b *Broker) Run(ctx context.Context, l net.Listener) error {
	if err := b.engine.Serve(); err != nil {
		_ = l.Close()
		return fmt.Errorf("mqtt broker: start engine: %w", err)
	}
	err := b.front.Run(ctx, l, func(c *guard.Conn) error {
		return b.engine.EstablishConnection(listenerID, c)
	})
	return errors.Join(err, b.engine.Close())
}

// Publish sends to all subscribers that may read topic, at QoS 0. A retained
// message is kept for later subscribers; an empty one ends it.
//
// Not at QoS 1: the engine keeps the packet ids of both directions in one map. A
// delivery that waits for its acknowledgement would make it refuse the client's
// SUBSCRIBE of the same id, and the client's PUBLISH would erase the delivery.
func (b *Broker) Publish(topic string, payload []byte, retain bool) error {
	if err := b.engine.Publish(topic, payload, retain, 0); err != nil {
		return fmt.Errorf("mqtt broker: publish: %w", err)
	}
	return nil
}
