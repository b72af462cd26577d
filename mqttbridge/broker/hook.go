package broker

import (
	"context"
	"strings"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/hybridos-net/hybridos/mqttbridge/guard"
)

// hook is the one hook of the engine: login, access and publishes go through it
// and through nothing else.
type hook struct {
	mqtt.HookBase
	directory Directory
	handle    func(Message)
	clients   *mqtt.Clients
	maxPacket uint32
}

var _ mqtt.Hook = (*hook)(nil)

// ID implements mqtt.Hook.
func (h *hook) ID() string { return "hybridos" }

// Provides implements mqtt.Hook.
func (h *hook) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnectAuthenticate, mqtt.OnSessionEstablish, mqtt.OnACLCheck, mqtt.OnPublish, mqtt.OnPacketEncode:
		return true
	}
	return false
}

// OnConnectAuthenticate checks the password, then the will, then how many
// sessions the account has. On success the session's name is put under the
// account's, so that no client id of one account can take over another's.
func (h *hook) OnConnectAuthenticate(cl *mqtt.Client, pk packets.Packet) bool {
	account := string(pk.Connect.Username)
	if !pk.Connect.UsernameFlag || !pk.Connect.PasswordFlag {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), loginTimeout)
	defer cancel()
	if err := h.directory.Login(ctx, account, pk.Connect.Password); err != nil {
		h.Log.Info("login refused", "account", account, "cause", err.Error())
		return false
	}
	if pk.Connect.WillFlag && !h.directory.Access(account).CanWill(pk.Connect.WillTopic) {
		h.Log.Info("will refused", "account", account, "topic", pk.Connect.WillTopic)
		return false
	}
	// The engine publishes wills without asking anybody. A permitted will is one
	// that the bridge consumes, so the engine need not keep it at all.
	cl.Properties.Will = mqtt.Will{}
	name := account + "/" + cl.ID
	if !h.hasRoom(account, name) {
		h.Log.Info("too many sessions", "account", account)
		return false
	}
	cl.ID = name
	return true
}

// hasRoom says whether the account may have the session called name.
func (h *hook) hasRoom(account, name string) bool {
	count := 0
	for id := range h.clients.GetAll() {
		if id == name {
			return true
		}
		if strings.HasPrefix(id, account+"/") {
			count++
		}
	}
	return count < maxSessions
}

// OnSessionEstablish tells the guard that login is over.
func (h *hook) OnSessionEstablish(cl *mqtt.Client, _ packets.Packet) {
	if conn, ok := cl.Net.Conn.(*guard.Conn); ok {
		conn.LoggedIn()
	}
}

// OnACLCheck decides on every topic: on publishing, on subscribing, where topic
// is the filter, and again on each delivery.
func (h *hook) OnACLCheck(cl *mqtt.Client, topic string, write bool) bool {
	access := h.directory.Access(string(cl.Properties.Username))
	if write {
		return access.CanPublish(topic)
	}
	return access.CanRead(topic) || access.CanSubscribe(topic)
}

// OnPublish takes what a client publishes out of the engine: it is acknowledged
// and goes to the handler, and to no subscriber.
func (h *hook) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		return pk, nil
	}
	h.handle(Message{
		Account:  string(cl.Properties.Username),
		Client:   cl.ID,
		Topic:    pk.TopicName,
		Payload:  pk.Payload,
		PacketID: pk.PacketID,
		Dup:      pk.FixedHeader.Dup,
		Retain:   pk.FixedHeader.Retain,
	})
	// The engine goes on publishing at most other errors, so this is the only
	// one that may be returned here.
	return pk, packets.CodeSuccessIgnore
}

// OnPacketEncode adds to CONNACK what this server does not offer, which the
// engine leaves unsaid.
func (h *hook) OnPacketEncode(cl *mqtt.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Connack && cl.Properties.ProtocolVersion == 5 && pk.ReasonCode == 0 {
		pk.Properties.MaximumPacketSize = h.maxPacket
		pk.Properties.SharedSubAvailable, pk.Properties.SharedSubAvailableFlag = 0, true
	}
	return pk
}
