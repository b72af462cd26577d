package mux

import "encoding/binary"

// Frame types and flags of yamux 1.0.0.
const (
	typeData   = 0
	typeWindow = 1
	typePing   = 2
	typeGoAway = 3

	flagSYN = 1
	flagACK = 2
	flagFIN = 4
	flagRST = 8

	flagsKnown = flagSYN | flagACK | flagFIN | flagRST

	headerSize = 12
)

// goAway codes of yamux 1.0.0; higher values are libp2p connection error codes.
const (
	goAwayNormal   = 0
	goAwayProtocol = 1
)

// header is one decoded frame header.
type header struct {
	kind   uint8
	flags  uint16
	stream uint32
	length uint32
}

// append writes the header's wire form: version 0, kind, flags, stream, length,
// all big endian.
func (h header) append(b []byte) []byte {
	b = append(b, 0, h.kind)
	b = binary.BigEndian.AppendUint16(b, h.flags)
	b = binary.BigEndian.AppendUint32(b, h.stream)
	return binary.BigEndian.AppendUint32(b, h.length)
}

// parseHeader decodes and checks what needs no state: version, kind, flags, and
// that the session's own frames carry stream 0 and stream frames do not.
func parseHeader(b *[headerSize]byte) (header, error) {
	h := header{
		kind:   b[1],
		flags:  binary.BigEndian.Uint16(b[2:]),
		stream: binary.BigEndian.Uint32(b[4:]),
		length: binary.BigEndian.Uint32(b[8:]),
	}
	switch {
	case b[0] != 0:
		return h, errVersion
	case h.kind > typeGoAway:
		return h, errKind
	case h.flags&^flagsKnown != 0:
		return h, errFlags
	case (h.kind >= typePing) != (h.stream == 0):
		return h, errStreamID
	}
	return h, nil
}
