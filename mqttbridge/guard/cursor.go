package guard

import (
	"encoding/binary"
	"unicode/utf8"
)

// cursor reads MQTT fields out of one packet body. The first refusal sticks and
// all later reads return zero values, so that callers check once at the end.
type cursor struct {
	rest []byte
	err  *Error
}

func (c *cursor) fail(kind ErrorKind, detail string) {
	if c.err == nil {
		c.err = refuse(kind, detail)
	}
	c.rest = nil
}

func (c *cursor) take(n int, what string) []byte {
	if c.err != nil {
		return nil
	}
	if n > len(c.rest) {
		c.fail(MalformedPacket, what+" runs past the packet")
		return nil
	}
	out := c.rest[:n]
	c.rest = c.rest[n:]
	return out
}

func (c *cursor) u8(what string) byte {
	b := c.take(1, what)
	if b == nil {
		return 0
	}
	return b[0]
}

func (c *cursor) u16(what string) uint16 {
	b := c.take(2, what)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

func (c *cursor) u32(what string) uint32 {
	b := c.take(4, what)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

// varint reads a variable byte integer: 1-4 bytes, minimal form only.
func (c *cursor) varint(what string) int {
	value := 0
	for i := 0; i < 4; i++ {
		b := c.u8(what)
		if c.err != nil {
			return 0
		}
		value |= int(b&0x7F) << (7 * i)
		if b&0x80 == 0 {
			if i > 0 && b == 0 {
				c.fail(MalformedPacket, what+" is not in minimal form")
			}
			return value
		}
	}
	c.fail(MalformedPacket, what+" is longer than four bytes")
	return 0
}

func (c *cursor) bytes(what string) []byte { return c.take(int(c.u16(what)), what) }

// text reads a UTF-8 string. Control characters, which MQTT lets a server
// refuse, are refused: they have no place in ids, topics or logs.
func (c *cursor) text(what string) string {
	b := c.bytes(what)
	if c.err != nil {
		return ""
	}
	if !utf8.Valid(b) {
		c.fail(MalformedString, what+" is not UTF-8")
		return ""
	}
	for _, r := range string(b) {
		if r < 0x20 || (r >= 0x7F && r <= 0x9F) || (r >= 0xFDD0 && r <= 0xFDEF) || r&0xFFFE == 0xFFFE {
			c.fail(MalformedString, what+" holds a control or non-character")
			return ""
		}
	}
	return string(b)
}

func (c *cursor) packetID() uint16 {
	id := c.u16("packet id")
	if c.err == nil && id == 0 {
		c.fail(BadPacketID, "packet id zero")
	}
	return id
}

// end asks that everything was read.
func (c *cursor) end() *Error {
	if c.err == nil && len(c.rest) > 0 {
		c.fail(MalformedPacket, "bytes left over")
	}
	return c.err
}
