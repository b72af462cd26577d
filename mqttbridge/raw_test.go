package mqttbridge_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// raw is a client that writes whatever bytes it likes. It speaks either version.
type raw struct {
	net.Conn
	t       *testing.T
	version byte
	in      *bufio.Reader
}

func (r *rig) raw(t *testing.T, version byte) *raw {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &raw{Conn: c, t: t, version: version, in: bufio.NewReader(c)}
}

func (c *raw) send(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func connectPacket(version byte, user, pass, id string) packets.Packet {
	return packets.Packet{
		FixedHeader:     packets.FixedHeader{Type: packets.Connect},
		ProtocolVersion: version,
		Connect: packets.ConnectParams{
			ProtocolName: []byte("MQTT"), Clean: true, Keepalive: 60, ClientIdentifier: id,
			UsernameFlag: user != "", Username: []byte(user), PasswordFlag: pass != "", Password: []byte(pass),
		},
	}
}

func encode(t *testing.T, pk packets.Packet) []byte {
	t.Helper()
	var buf bytes.Buffer
	var err error
	switch pk.FixedHeader.Type {
	case packets.Connect:
		err = pk.ConnectEncode(&buf)
	case packets.Publish:
		err = pk.PublishEncode(&buf)
	case packets.Subscribe:
		err = pk.SubscribeEncode(&buf)
	default:
		t.Fatalf("no encoder for type %d", pk.FixedHeader.Type)
	}
	if err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// next reads one packet's first byte and body; ok is false at the end.
func (c *raw) next() (first byte, body []byte, ok bool) {
	c.t.Helper()
	first, err := c.in.ReadByte()
	if err != nil {
		if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
			c.t.Fatal("server neither answers nor closes")
		}
		return 0, nil, false
	}
	size, _, err := packets.DecodeLength(c.in)
	if err != nil {
		c.t.Fatal(err)
	}
	body = make([]byte, size)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return first, nil, false
	}
	return first, body, true
}

// login sends CONNECT and returns the code of CONNACK.
func (c *raw) login(user, pass, id string) byte {
	c.t.Helper()
	return c.loginWith(connectPacket(c.version, user, pass, id))
}

func (c *raw) loginWith(pk packets.Packet) byte {
	c.t.Helper()
	c.send(encode(c.t, pk))
	first, body, ok := c.next()
	if !ok || first != 0x20 || len(body) < 2 {
		c.t.Fatalf("no CONNACK: %x %x", first, body)
	}
	return body[1]
}

// subscribe returns the reason code of the one filter.
func (c *raw) subscribe(filter string) byte {
	c.t.Helper()
	c.send(encode(c.t, packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, ProtocolVersion: c.version, PacketID: 7,
		Filters: packets.Subscriptions{{Filter: filter, Qos: 1}},
	}))
	for {
		first, body, ok := c.next()
		if !ok {
			c.t.Fatalf("closed on SUBSCRIBE %s", filter)
		}
		if first == 0x90 {
			return body[len(body)-1]
		}
	}
}

func (c *raw) publishPacket(topic, payload string, id uint16, dup bool) []byte {
	qos := byte(1)
	if id == 0 {
		qos = 0
	}
	return encode(c.t, packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: qos, Dup: dup}, ProtocolVersion: c.version,
		TopicName: topic, Payload: []byte(payload), PacketID: id,
	})
}

// publish sends at QoS 1 and returns the reason code of PUBACK, or closed.
func (c *raw) publish(topic, payload string, id uint16, dup bool) (code byte, closed bool) {
	c.t.Helper()
	c.send(c.publishPacket(topic, payload, id, dup))
	for {
		first, body, ok := c.next()
		if !ok {
			return 0, true
		}
		if first == 0x40 {
			if len(body) > 2 {
				return body[2], false
			}
			return 0, false
		}
	}
}

// closed says that the server ends the connection, whatever it says before.
func (c *raw) closed() {
	c.t.Helper()
	for {
		if _, _, ok := c.next(); !ok {
			return
		}
	}
}
