package guard

// Bits of the CONNECT flags.
const (
	flagReserved = 0x01
	flagClean    = 0x02
	flagWill     = 0x04
	flagWillQoS  = 0x18
	flagRetain   = 0x20
	flagPassword = 0x40
	flagUserName = 0x80
)

// connect checks a CONNECT body and, when it is good, fixes version and keep
// alive of the connection.
func (v *Validator) connect(c *cursor) {
	name := c.bytes("protocol name")
	level := c.u8("protocol level")
	if c.err != nil {
		return
	}
	if string(name) != "MQTT" || (level != 4 && level != 5) {
		c.fail(UnsupportedProtocol, "only MQTT 3.1.1 and 5 are spoken here")
		return
	}
	flags := c.u8("connect flags")
	keepAlive := c.u16("keep alive")
	checkConnectFlags(c, flags, level)
	if level == 5 && c.err == nil {
		c.properties(inConnect)
	}
	id := c.text("client id")
	if c.err == nil && (len(id) > maxClientID || (id == "" && level == 4 && flags&flagClean == 0)) {
		c.fail(BadClientID, "client id is too long, or empty without a clean session")
	}
	if flags&flagWill != 0 && c.err == nil {
		if level == 5 {
			c.properties(inWill)
		}
		c.topic("will topic")
		c.bytes("will payload")
	}
	if flags&flagUserName != 0 && len(c.text("user name")) > maxUserName {
		c.fail(MalformedPacket, "user name too long")
	}
	if flags&flagPassword != 0 && len(c.bytes("password")) > maxPassword {
		c.fail(MalformedPacket, "password too long")
	}
	if c.err == nil && len(c.rest) == 0 {
		v.Version, v.KeepAlive = level, keepAlive
	}
}

func checkConnectFlags(c *cursor, flags, level byte) {
	if c.err != nil {
		return
	}
	switch {
	case flags&flagReserved != 0:
		c.fail(MalformedFlags, "reserved connect flag")
	case flags&flagWill == 0 && flags&(flagWillQoS|flagRetain) != 0:
		c.fail(MalformedFlags, "will QoS or retain without a will")
	case flags&flagWillQoS == flagWillQoS:
		c.fail(MalformedFlags, "will QoS 3")
	case level == 4 && flags&flagPassword != 0 && flags&flagUserName == 0:
		c.fail(MalformedFlags, "password without a user name")
	}
}
