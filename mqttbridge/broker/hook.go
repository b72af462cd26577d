package broker

import (
	"context"
	"errors"
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
	engine    *mqtt.Server
	maxPacket uint32
}

var _ mqtt.Hook = (*hook)(nil)

// ID implements mqtt.Hook.
func (h *hook) ID() string { return "hybridos" }

// Provides implements mqtt.Hook.
func (h *hook) Provides(b byte) bool {
	switch b {
	case mqtt.OnConnect, mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnPublish, mqtt.OnPacketEncode:
		return true
	}
	return false
}

// OnConnect is the whole login. The engine itself knows one answer to a refused
// login only, so the right one is sent from here. On success the session's name
// is put under the account's, so that no client id of one account can take over
// another's session.
func (h *hook) OnConnect(cl *mqtt.Client, pk packets.Packet) error {
	conn, ok := cl.Net.Conn.(*guard.Conn)
	if !ok {
		return errors.New("mqtt broker: connection did not come through the guard")
	}
	code := h.login(cl, pk)
	if code != packets.CodeSuccess {
		if cl.Properties.ProtocolVersion < 5 {
			code = code3(code)
		}
		return errors.Join(code, h.engine.SendConnack(cl, code, false, nil))
	}
	// The engine publishes wills without asking anybody. A permitted will is one
	// that the bridge consumes, so the engine need not keep it at all.
	cl.Properties.Will = mqtt.Will{}
	cl.ID = sessionName(string(pk.Connect.Username), cl.ID)
	conn.LoggedIn()
	return nil
}

// OnConnectAuthenticate lets in who passed OnConnect, and nobody else.
func (h *hook) OnConnectAuthenticate(cl *mqtt.Client, _ packets.Packet) bool {
	conn, ok := cl.Net.Conn.(*guard.Conn)
	return ok && conn.IsLoggedIn()
}

// login checks the password, then the will, then how many sessions the account
// has.
func (h *hook) login(cl *mqtt.Client, pk packets.Packet) packets.Code {
	account := string(pk.Connect.Username)
	if !pk.Connect.UsernameFlag || !pk.Connect.PasswordFlag {
		return packets.ErrBadUsernameOrPassword
	}
	ctx, cancel := context.WithTimeout(context.Background(), loginTimeout)
	defer cancel()
	err := h.directory.Login(ctx, account, pk.Connect.Password)
	switch {
	case errors.Is(err, ErrBusy):
		return packets.ErrServerBusy
	case err != nil:
		h.Log.Warn("login refused", "account", account, "cause", err.Error())
		return packets.ErrBadUsernameOrPassword
	case pk.Connect.WillFlag && !h.directory.Access(account).CanWill(pk.Connect.WillTopic):
		h.Log.Warn("will refused", "account", account)
		return packets.ErrNotAuthorized
	case !h.hasRoom(account, sessionName(account, cl.ID)):
		h.Log.Warn("too many sessions", "account", account)
		return packets.ErrQuotaExceeded
	}
	return packets.CodeSuccess
}

// code3 is the CONNACK return code of MQTT 3.1.1 for a refusal.
func code3(code packets.Code) packets.Code {
	switch code {
	case packets.ErrBadUsernameOrPassword, packets.ErrNotAuthorized:
		return packets.Err3NotAuthorized
	}
	return packets.Err3ServerUnavailable
}

func sessionName(account, client string) string { return account + "/" + client }

// hasRoom says whether the account may have the session called name.
func (h *hook) hasRoom(account, name string) bool {
	count := 0
	for id := range h.engine.Clients.GetAll() {
		if id == name {
			return true
		}
		if strings.HasPrefix(id, sessionName(account, "")) {
			count++
		}
	}
	return count < maxSessions
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
