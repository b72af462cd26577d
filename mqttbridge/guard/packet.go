package guard

import "strings"

// Control packet types of MQTT.
const (
	typeConnect     = 1
	typePublish     = 3
	typePuback      = 4
	typePubrec      = 5
	typePubrel      = 6
	typePubcomp     = 7
	typeSubscribe   = 8
	typeUnsubscribe = 10
	typePingreq     = 12
	typeDisconnect  = 14
	typeAuth        = 15
)

// Validator checks the packets of one client in order. It keeps the two facts
// on which later packets depend: that CONNECT was seen, and its version. The
// zero value is ready; it is not for use by several goroutines.
type Validator struct {
	// Version is 4 or 5 once CONNECT was accepted, 0 before.
	Version byte
	// KeepAlive is the client's keep alive in seconds, 0 for none.
	KeepAlive uint16
}

// Check accepts or refuses one packet: its first byte and its body, without the
// remaining length. A refusal is an *Error; the connection must then be closed.
func (v *Validator) Check(first byte, body []byte) error {
	if err := v.check(first, body); err != nil {
		return err
	}
	return nil
}

func (v *Validator) check(first byte, body []byte) *Error {
	kind, flags := first>>4, first&0x0F
	if v.Version == 0 && kind != typeConnect {
		return refuse(FirstNotConnect, "first packet is not CONNECT")
	}
	c := &cursor{rest: body}
	want := byte(0)
	switch kind {
	case typePublish:
		v.publish(c, flags)
		return c.end()
	case typePubrel, typeSubscribe, typeUnsubscribe:
		want = 0x02
	}
	if flags != want {
		return refuse(MalformedFlags, "reserved flag bits of the fixed header")
	}
	switch kind {
	case typeConnect:
		if v.Version != 0 {
			return refuse(SecondConnect, "CONNECT on an open connection")
		}
		v.connect(c)
	case typePuback, typePubrec, typePubrel, typePubcomp:
		v.ack(c, kind)
	case typeSubscribe:
		v.subscribe(c)
	case typeUnsubscribe:
		v.unsubscribe(c)
	case typePingreq:
	case typeDisconnect:
		v.disconnect(c)
	case typeAuth:
		return refuse(AuthMethod, "AUTH without enhanced authentication")
	default:
		return refuse(UnexpectedType, "packet type is not one that a client sends")
	}
	return c.end()
}

func (v *Validator) publish(c *cursor, flags byte) {
	qos := flags >> 1 & 3
	if qos == 3 || (qos == 0 && flags&0x08 != 0) {
		c.fail(MalformedFlags, "impossible QoS or DUP of PUBLISH")
		return
	}
	c.topic("topic")
	if qos > 0 {
		c.packetID()
	}
	if v.Version == 5 {
		c.properties(inPublish)
	}
	c.rest = nil // the payload is the client's own matter
}

func (v *Validator) ack(c *cursor, kind byte) {
	c.packetID()
	if v.Version != 5 || c.err != nil || len(c.rest) == 0 {
		return
	}
	allowed := "\x00\x10\x80\x83\x87\x90\x91\x97\x99"
	if kind == typePubrel || kind == typePubcomp {
		allowed = "\x00\x92"
	}
	c.reason(allowed)
	if c.err == nil && len(c.rest) > 0 {
		c.properties(inAck)
	}
}

func (v *Validator) subscribe(c *cursor) {
	c.packetID()
	if v.Version == 5 {
		c.properties(inSubscribe)
	}
	for n := 0; c.err == nil && (n == 0 || len(c.rest) > 0); n++ {
		c.filter(n)
		if c.err == nil && len(c.rest) == 0 {
			// The engine indexes this byte without looking: it is where an
			// unguarded server dies of 82 06 0001 00 0001 61.
			c.fail(BadOptions, "subscription without its options byte")
			return
		}
		options := c.u8("subscription options")
		reserved := byte(0xFC)
		if v.Version == 5 {
			reserved = 0xC0
		}
		if c.err == nil && (options&reserved != 0 || options&3 == 3 || options>>4&3 == 3) {
			c.fail(BadOptions, "impossible subscription options")
		}
	}
}

func (v *Validator) unsubscribe(c *cursor) {
	c.packetID()
	if v.Version == 5 {
		c.properties(inUnsubscribe)
	}
	for n := 0; c.err == nil && (n == 0 || len(c.rest) > 0); n++ {
		c.filter(n)
	}
}

func (v *Validator) disconnect(c *cursor) {
	if v.Version != 5 || len(c.rest) == 0 {
		return
	}
	c.reason("\x00\x04\x80\x81\x82\x83\x90\x93\x94\x95\x96\x97\x98\x99")
	if c.err == nil && len(c.rest) > 0 {
		c.properties(inDisconnect)
	}
}

func (c *cursor) reason(allowed string) {
	code := c.u8("reason code")
	if c.err == nil && strings.IndexByte(allowed, code) < 0 {
		c.fail(MalformedReason, "reason code does not belong here")
	}
}
