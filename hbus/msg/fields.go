package msg

import (
	"encoding/hex"
	"time"
	"unicode/utf8"
)

// fields holds the members of one protocol object until its type has taken
// them. The first refusal sticks; what nobody took is an unknown field.
type fields struct {
	key  [MaxFields][]byte
	raw  [MaxFields][]byte
	used [MaxFields]bool
	n    int
	err  error
}

func (f *fields) add(key, val []byte) error {
	if f.n == MaxFields {
		return Refuse(UnknownField, "more than %d fields", MaxFields)
	}
	f.key[f.n], f.raw[f.n], f.used[f.n] = key, val, false
	f.n++
	return nil
}

func (f *fields) fail(c Code, format string, args ...any) {
	if f.err == nil {
		f.err = Refuse(c, format, args...)
	}
}

// take returns the bytes of a member, nil if there is none.
func (f *fields) take(key string) []byte {
	for i := 0; i < f.n; i++ {
		if string(f.key[i]) == key {
			f.used[i] = true
			return f.raw[i]
		}
	}
	return nil
}

func (f *fields) need(key string) []byte {
	raw := f.take(key)
	if raw == nil {
		f.fail(MissingField, "%s", key)
	}
	return raw
}

// done refuses what no type took.
func (f *fields) done() error {
	if f.err != nil {
		return f.err
	}
	for i := 0; i < f.n; i++ {
		if !f.used[i] {
			return Refuse(UnknownField, "%.80q", f.key[i])
		}
	}
	return nil
}

func (f *fields) text(key string, raw []byte) string {
	if raw == nil {
		return ""
	}
	if raw[0] != '"' {
		f.fail(BadValue, "%s is not a string", key)
		return ""
	}
	return string(unquote(raw))
}

func (f *fields) str(key string) string { return f.text(key, f.need(key)) }
func (f *fields) opt(key string) string { return f.text(key, f.take(key)) }

// number takes a plain non-negative integer: no sign, fraction or exponent.
func (f *fields) number(key string, raw []byte, max uint64) uint64 {
	var v uint64
	if len(raw) > 16 {
		f.fail(BadValue, "%s is out of range", key)
		return 0
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			f.fail(BadValue, "%s is not a whole number", key)
			return 0
		}
		v = v*10 + uint64(c-'0')
	}
	if v > max {
		f.fail(BadValue, "%s is out of range", key)
		return 0
	}
	return v
}

func (f *fields) uint(key string, max uint64) uint64 { return f.number(key, f.need(key), max) }
func (f *fields) optUint(key string, max uint64) uint64 {
	return f.number(key, f.take(key), max)
}

// id takes the id that ties an answer to its question: 1 to MaxID.
func (f *fields) id() uint64 {
	v := f.uint("id", MaxID)
	if v == 0 {
		f.fail(BadValue, "id is 0")
	}
	return v
}

func (f *fields) flag(key string) bool {
	switch raw := f.take(key); string(raw) {
	case "", "false":
		return false
	case "true":
		return true
	default:
		f.fail(BadValue, "%s is not true or false", key)
		return false
	}
}

// hex takes lower-case hexadecimal text of exactly size bytes, nil if absent.
func (f *fields) hex(key string, size int) []byte {
	raw := f.take(key)
	if raw == nil {
		return nil
	}
	s := f.text(key, raw)
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != size || hex.EncodeToString(b) != s {
		f.fail(BadValue, "%s is not %d bytes of lower-case hex", key, size)
		return nil
	}
	return b
}

func (f *fields) payload(key string) []byte {
	raw := f.take(key)
	if len(raw) > MaxPayload {
		f.fail(TooLarge, "%s of %d bytes, at most %d", key, len(raw), MaxPayload)
		return nil
	}
	return raw
}

func (f *fields) verified() []byte {
	raw := f.take("verified")
	if raw == nil {
		return nil
	}
	if err := checkMarker(raw); err != nil && f.err == nil {
		f.err = err
	}
	return raw
}

func checkMarker(raw []byte) error {
	if len(raw) > MaxVerified {
		return Refuse(TooLarge, "verified of %d bytes, at most %d", len(raw), MaxVerified)
	}
	if len(raw) == 0 || raw[0] != '{' {
		return Refuse(BadValue, "verified is not an object")
	}
	return nil
}

func (f *fields) deadline() time.Duration {
	return time.Duration(f.optUint("deadline_ms", uint64(MaxDeadline/time.Millisecond))) * time.Millisecond
}

// object takes a nested object of the protocol's own.
func (f *fields) object(key string, raw []byte, read func(*fields)) {
	if raw == nil {
		return
	}
	if raw[0] != '{' {
		f.fail(BadValue, "%s is not an object", key)
		return
	}
	s := scanner{keys: make([][]byte, 0, MaxFields)}
	var in fields
	s.reset(raw)
	if err := s.object(MaxDepth, in.add); err != nil {
		if f.err == nil {
			f.err = err
		}
		return
	}
	read(&in)
	if err := in.done(); err != nil && f.err == nil {
		f.err = err
	}
}

const hexDigits = "0123456789abcdef"

// appendString writes s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, so that what we send is always sound.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		}
		i++
	}
	return append(dst, '"')
}
