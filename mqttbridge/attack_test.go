package mqttbridge_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/mqttbridge"
	"github.com/hybridos-net/hybridos/mqttbridge/guard"
)

// attacks are bytes on a raw socket, before login or after it, and the kind of
// refusal that each must meet.
var attacks = []struct {
	name    string
	version byte // 0: before login
	bytes   string
	kind    guard.ErrorKind
}{
	{"subscribe without options, 5", 5, "82 06 0001 00 0001 61", guard.BadOptions},
	{"subscribe without options, 3.1.1", 4, "82 05 0001 0001 61", guard.BadOptions},
	{"subscribe before connect", 0, "82 06 0001 00 0001 61", guard.FirstNotConnect},
	{"a web browser", 0, "47 45 54 20 2f 20 48 54 54 50", guard.FirstNotConnect},
	{"256 MiB before login", 0, "10 ff ff ff 7f", guard.PacketTooLarge},
	{"256 MiB after login", 4, "30 ff ff ff 7f", guard.PacketTooLarge},
	{"length of five bytes", 0, "10 ff ff ff ff 7f", guard.MalformedLength},
	{"length not minimal", 4, "c0 80 00", guard.MalformedLength},
	{"second connect", 4, "10 0f 0004 4d515454 04 02 003c 0003 616263", guard.SecondConnect},
	{"protocol level 3", 0, "10 11 0006 4d5149736470 03 02 003c 0003 616263", guard.UnsupportedProtocol},
	{"connect cut short", 0, "10 04 0004 4d51", guard.MalformedPacket},
	{"connect reserved flag", 0, "10 0f 0004 4d515454 04 03 003c 0003 616263", guard.MalformedFlags},
	{"empty id, kept session", 0, "10 0c 0004 4d515454 04 00 003c 0000", guard.BadClientID},
	{"auth method", 0, "10 15 0004 4d515454 05 02 003c 05 15 0002 4142 0003 616263", guard.AuthMethod},
	{"auth packet", 5, "f0 00", guard.AuthMethod},
	{"packet of a server", 4, "20 02 0000", guard.UnexpectedType},
	{"qos 3", 4, "36 05 0001 61 0001", guard.MalformedFlags},
	{"packet id 0", 4, "32 05 0001 61 0000", guard.BadPacketID},
	{"wildcard topic", 4, "30 05 0003 612f23", guard.BadTopic},
	{"bad filter", 4, "82 08 0001 0003 232f61 00", guard.BadFilter},
	{"not utf-8", 4, "30 04 0002 c328", guard.MalformedString},
	{"property of a server", 5, "30 06 0001 61 02 0b01", guard.MalformedProperty},
	{"topic alias", 5, "30 07 0001 61 03 230001", guard.TopicAlias},
	{"bad reason", 5, "e0 01 8e", guard.MalformedReason},
}

func TestBridge_SurvivesRawSockets(t *testing.T) {
	r := start(t, nil)
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			bytes, err := hex.DecodeString(strings.ReplaceAll(a.bytes, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			c := r.raw(t, a.version)
			if a.version != 0 {
				if code := c.login("home", password, "mallory"); code != 0 {
					t.Fatalf("login refused: %#x", code)
				}
			}
			c.send(bytes)
			c.closed()
			r.wantRefusal(t, a.kind)
		})
	}
	r.serves(t)
}

func (r *rig) wantRefusal(t *testing.T, kind guard.ErrorKind) {
	t.Helper()
	select {
	case got := <-r.refused:
		if !errors.Is(got, kind) {
			t.Fatalf("refused with %v, want %v", got, kind)
		}
	case <-time.After(patience):
		t.Fatalf("no refusal, want %v", kind)
	}
}

func TestBridge_IdleSocketsAreClosed(t *testing.T) {
	r := start(t, func(c *mqttbridge.Config) { c.Guard.ConnectTimeout = 200 * time.Millisecond })
	var idle []*raw
	for range 200 {
		idle = append(idle, r.raw(t, 0))
	}
	for _, c := range idle {
		c.closed()
		r.wantRefusal(t, guard.ConnectTimeout)
	}
	r.serves(t)
}

func TestBridge_ConnectionCaps(t *testing.T) {
	r := start(t, func(c *mqttbridge.Config) { c.Guard.MaxConns = 2 })
	r.raw(t, 4).login("home", password, "one")
	second := r.raw(t, 4)
	second.login("home", password, "two")
	r.raw(t, 4).closed()
	r.wantRefusal(t, guard.TooManyConnections)
	// An orderly DISCONNECT makes room; the slot is free when the server closed.
	second.send([]byte{0xE0, 0x00})
	second.closed()
	for {
		c := r.raw(t, 4)
		if _, err := c.Write(encode(t, connectPacket(4, "home", password, "three"))); err == nil {
			if first, _, ok := c.next(); ok && first == 0x20 {
				return
			}
		}
		r.wantRefusal(t, guard.TooManyConnections)
	}
}

func TestBridge_LongKeepAliveStaysOpen(t *testing.T) {
	r := start(t, nil)
	c := r.raw(t, 4)
	pk := connectPacket(4, "home", password, "slow")
	pk.Connect.Keepalive = 43691 // one and a half of it overflows 16 bits to 0
	if code := c.loginWith(pk); code != 0 {
		t.Fatalf("login refused: %#x", code)
	}
	c.send([]byte{0xC0, 0x00})
	if first, _, ok := c.next(); !ok || first != 0xD0 {
		t.Errorf("no PINGRESP: %x", first)
	}
}
