package guard

// form is how a property's value is written.
type form byte

const (
	formByte form = iota
	formU16
	formU32
	formVarint
	formText
	formBytes
	formPair
)

// place is a bit set of the packets in which a client may use a property.
type place uint16

const (
	inConnect place = 1 << iota
	inWill
	inPublish
	inAck
	inSubscribe
	inUnsubscribe
	inDisconnect
)

type property struct {
	form  form
	where place
}

const (
	propSubscriptionID  = 0x0B
	propResponseTopic   = 0x08
	propAuthMethod      = 0x15
	propAuthData        = 0x16
	propReceiveMaximum  = 0x21
	propTopicAlias      = 0x23
	propUser            = 0x26
	propMaxPacketSize   = 0x27
	maxSubscriptionID   = 268435455
	everywhereForClient = inConnect | inWill | inPublish | inAck | inSubscribe | inUnsubscribe | inDisconnect
)

// clientProperties is MQTT 5 table 2-4, cut down to what a client may send.
var clientProperties = map[byte]property{
	0x01:               {formByte, inPublish | inWill},
	0x02:               {formU32, inPublish | inWill},
	0x03:               {formText, inPublish | inWill},
	propResponseTopic:  {formText, inPublish | inWill},
	0x09:               {formBytes, inPublish | inWill},
	propSubscriptionID: {formVarint, inSubscribe},
	0x11:               {formU32, inConnect | inDisconnect},
	propAuthMethod:     {formText, inConnect},
	propAuthData:       {formBytes, inConnect},
	0x17:               {formByte, inConnect},
	0x18:               {formU32, inWill},
	0x19:               {formByte, inConnect},
	0x1F:               {formText, inAck | inDisconnect},
	propReceiveMaximum: {formU16, inConnect},
	0x22:               {formU16, inConnect},
	propTopicAlias:     {formU16, inPublish},
	propUser:           {formPair, everywhereForClient},
	propMaxPacketSize:  {formU32, inConnect},
}

// properties reads one property block that stands in the packet named by where.
func (c *cursor) properties(where place) {
	size := c.varint("property length")
	block := cursor{rest: c.take(size, "properties"), err: c.err}
	seen := map[byte]bool{}
	users := 0
	for block.err == nil && len(block.rest) > 0 {
		id := block.u8("property id")
		spec, known := clientProperties[id]
		switch {
		case !known || spec.where&where == 0:
			block.fail(MalformedProperty, "property unknown or misplaced")
		case id == propUser:
			if users++; users > maxUserProperties {
				block.fail(MalformedProperty, "too many user properties")
			}
		case seen[id]:
			block.fail(MalformedProperty, "property given twice")
		}
		seen[id] = true
		block.value(id, spec.form)
	}
	if c.err == nil {
		c.err = block.err
	}
}

// value reads the value of one property and checks its range.
func (c *cursor) value(id byte, f form) {
	switch f {
	case formByte:
		if c.u8("property") > 1 {
			c.fail(MalformedProperty, "flag property is neither 0 nor 1")
		}
	case formU16:
		v := c.u16("property")
		if id == propTopicAlias {
			c.fail(TopicAlias, "topic aliases are not offered")
		} else if id == propReceiveMaximum && v == 0 {
			c.fail(MalformedProperty, "receive maximum zero")
		}
	case formU32:
		if v := c.u32("property"); id == propMaxPacketSize && v == 0 {
			c.fail(MalformedProperty, "maximum packet size zero")
		}
	case formVarint:
		if v := c.varint("property"); v == 0 || v > maxSubscriptionID {
			c.fail(MalformedProperty, "subscription identifier out of range")
		}
	case formText:
		v := c.text("property")
		if id == propAuthMethod {
			c.fail(AuthMethod, "enhanced authentication is not offered")
		} else if id == propResponseTopic && c.err == nil {
			c.checkTopic(v)
		}
	case formBytes:
		c.bytes("property")
		if id == propAuthData {
			c.fail(AuthMethod, "enhanced authentication is not offered")
		}
	case formPair:
		c.text("user property name")
		c.text("user property value")
	}
}
