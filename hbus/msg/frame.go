package msg

import (
	"encoding/binary"
	"strconv"
)

// Version is the protocol version of this package.
const Version = 1

// Message is one of the types of this package, by pointer. The set is closed.
type Message interface {
	// Type is the value of the "t" field.
	Type() string
	// Check refuses names and values out of range. It does not look into
	// payloads: see CheckPayload.
	Check() error
	append(dst []byte) []byte
}

// Append writes m as one frame after dst. On a refusal (the body would pass
// MaxFrame) dst comes back as it was. It does not Check.
func Append(dst []byte, m Message) ([]byte, error) {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = m.append(dst)
	n := len(dst) - start - HeaderSize
	if n > MaxFrame {
		return dst[:start], Refuse(TooLarge, "%s of %d bytes, at most %d", m.Type(), n, MaxFrame)
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(n))
	return dst, nil
}

// BodySize reads a frame header of HeaderSize bytes. Zero and more than
// MaxFrame are refused before anything is allocated for the body.
func BodySize(header []byte) (int, error) {
	n := binary.BigEndian.Uint32(header)
	switch {
	case n == 0:
		return 0, Refuse(Malformed, "empty frame")
	case n > MaxFrame:
		return 0, Refuse(TooLarge, "frame of %d bytes, at most %d", n, MaxFrame)
	}
	return int(n), nil
}

// Decoder reads frame bodies. The zero value is ready. It keeps scratch memory
// between messages, so one connection should keep one; it is not safe for
// concurrent use.
type Decoder struct {
	s scanner
	f fields
}

// Decode reads the body of one frame: exactly one JSON object of a known type
// with exactly the fields of that type. Payloads in the result alias body. The
// error is always an *Error.
func (d *Decoder) Decode(body []byte) (Message, error) {
	m, err := d.decode(body)
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (d *Decoder) decode(body []byte) (Message, error) {
	if len(body) > MaxFrame {
		return nil, Refuse(TooLarge, "frame of %d bytes, at most %d", len(body), MaxFrame)
	}
	d.s.reset(body)
	d.f.n, d.f.err = 0, nil
	if d.s.space(); d.s.peek() != '{' {
		return nil, d.s.fail("no object")
	}
	if err := d.s.object(MaxDepth, d.f.add); err != nil {
		return nil, err
	}
	if d.s.space(); d.s.i != len(body) {
		return nil, d.s.fail("something follows")
	}
	t := d.f.str("t")
	if d.f.err != nil {
		return nil, d.f.err
	}
	read := reader(t)
	if read == nil {
		return nil, Refuse(UnknownType, "%.80q", t)
	}
	m := read(&d.f)
	if err := d.f.done(); err != nil {
		return nil, err
	}
	return m, m.Check()
}

// Decode reads one body with a fresh Decoder.
func Decode(body []byte) (Message, error) { return new(Decoder).Decode(body) }

// reader is the list of all types; a new message gets its line here and in
// Types.
func reader(t string) func(*fields) Message {
	switch t {
	case "hello":
		return readHello
	case "auth":
		return readAuth
	case "welcome":
		return readWelcome
	case "register":
		return readRegister
	case "unregister":
		return readUnregister
	case "call":
		return readCall
	case "invoke":
		return readInvoke
	case "cancel":
		return readCancel
	case "result":
		return readResult
	case "error":
		return readError
	case "ok":
		return readOK
	case "publish":
		return readPublish
	case "event":
		return readEvent
	case "subscribe":
		return readSubscribe
	case "unsubscribe":
		return readUnsubscribe
	case "lost":
		return readLost
	case "list":
		return readList
	case "listing":
		return readListing
	case "ping":
		return readPing
	case "pong":
		return readPong
	}
	return nil
}

// Types returns the names of all message types, in the order of
// docs/spec/hbus.md.
func Types() []string {
	return []string{
		"hello", "auth", "welcome", "register", "unregister", "call", "invoke",
		"cancel", "result", "error", "ok", "publish", "event", "subscribe",
		"unsubscribe", "lost", "list", "listing", "ping", "pong",
	}
}

// open starts a message; most begin with their id.
func open(dst []byte, t string, id uint64) []byte {
	dst = append(dst, `{"t":"`...)
	dst = append(dst, t...)
	dst = append(dst, '"')
	if id != 0 {
		dst = append(dst, `,"id":`...)
		dst = strconv.AppendUint(dst, id, 10)
	}
	return dst
}

func member(dst []byte, key string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

func strMember(dst []byte, key, val string) []byte {
	return appendString(member(dst, key), val)
}

func uintMember(dst []byte, key string, val uint64) []byte {
	return strconv.AppendUint(member(dst, key), val, 10)
}

func flagMember(dst []byte, key string, val bool) []byte {
	if !val {
		return dst
	}
	return append(member(dst, key), "true"...)
}

func rawMember(dst []byte, key string, raw []byte) []byte {
	if len(raw) == 0 {
		return dst
	}
	return append(member(dst, key), raw...)
}

func checkID(id uint64) error {
	if id == 0 || id > MaxID {
		return Refuse(BadValue, "id %d", id)
	}
	return nil
}
