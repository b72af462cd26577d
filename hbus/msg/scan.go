package msg

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner walks JSON once, without building values: the broker needs to know
// that a payload is sound and where it ends, not what it says. encoding/json
// is not used for this since it lets duplicate keys, invalid UTF-8 and lone
// surrogates pass.
type scanner struct {
	b    []byte
	i    int
	keys [][]byte // member names of the objects that are open, innermost last
}

func (s *scanner) reset(b []byte) { s.b, s.i, s.keys = b, 0, s.keys[:0] }

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) fail(what string) error {
	return Refuse(Malformed, "%s at byte %d", what, s.i)
}

func (s *scanner) peek() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// value passes over one value and returns its bytes. depth is how many more
// containers may open.
func (s *scanner) value(depth int) ([]byte, error) {
	start := s.i
	var err error
	switch c := s.peek(); {
	case c == '{':
		err = s.container(depth, func() error { return s.object(depth-1, nil) })
	case c == '[':
		err = s.container(depth, func() error { return s.array(depth-1, nil) })
	case c == '"':
		err = s.str()
	case c == '-' || '0' <= c && c <= '9':
		err = s.number()
	case c == 't':
		err = s.literal("true")
	case c == 'f':
		err = s.literal("false")
	case c == 'n':
		err = s.literal("null")
	default:
		err = s.fail("no value")
	}
	return s.b[start:s.i], err
}

func (s *scanner) container(depth int, f func() error) error {
	if depth <= 0 {
		return Refuse(TooDeep, "more than %d levels", MaxDepth)
	}
	return f()
}

// object passes over an object; each, if there is one, sees every member.
func (s *scanner) object(depth int, each func(key, val []byte) error) error {
	s.i++ // {
	base := len(s.keys)
	defer func() { s.keys = s.keys[:base] }()
	var seen map[string]struct{}
	s.space()
	if s.peek() == '}' {
		s.i++
		return nil
	}
	for {
		s.space()
		key, err := s.key()
		if err != nil {
			return err
		}
		if seen, err = s.unique(base, key, seen); err != nil {
			return err
		}
		s.space()
		val, err := s.value(depth)
		if err != nil {
			return err
		}
		if each != nil {
			if err := each(key, val); err != nil {
				return err
			}
		}
		s.space()
		if end, err := s.next('}'); end || err != nil {
			return err
		}
	}
}

// unique refuses a name that the object has already. Few members are compared
// one by one; many go into a map, so that a hostile object costs linear time.
func (s *scanner) unique(base int, key []byte, seen map[string]struct{}) (map[string]struct{}, error) {
	const few = 16
	dup := false
	if seen != nil {
		_, dup = seen[string(key)]
		seen[string(key)] = struct{}{}
	} else {
		for _, k := range s.keys[base:] {
			dup = dup || bytes.Equal(k, key)
		}
		s.keys = append(s.keys, key)
		if n := s.keys[base:]; len(n) > few {
			seen = make(map[string]struct{}, 2*len(n))
			for _, k := range n {
				seen[string(k)] = struct{}{}
			}
		}
	}
	if dup {
		return seen, Refuse(DuplicateKey, "%.80q", key)
	}
	return seen, nil
}

// key reads a member name and the colon, and returns the name unescaped.
func (s *scanner) key() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.fail("no member name")
	}
	start := s.i
	if err := s.str(); err != nil {
		return nil, err
	}
	key := unquote(s.b[start:s.i])
	s.space()
	if s.peek() != ':' {
		return nil, s.fail("no colon")
	}
	s.i++
	return key, nil
}

// next reads a comma (false) or the closing byte (true).
func (s *scanner) next(closing byte) (bool, error) {
	c := s.peek()
	if c != ',' && c != closing || s.i >= len(s.b) {
		return false, s.fail("no comma")
	}
	s.i++
	return c == closing, nil
}

func (s *scanner) array(depth int, each func(val []byte) error) error {
	s.i++ // [
	s.space()
	if s.peek() == ']' {
		s.i++
		return nil
	}
	for {
		s.space()
		val, err := s.value(depth)
		if err != nil {
			return err
		}
		if each != nil {
			if err := each(val); err != nil {
				return err
			}
		}
		s.space()
		if end, err := s.next(']'); end || err != nil {
			return err
		}
	}
}

func (s *scanner) literal(w string) error {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return s.fail("no value")
	}
	s.i += len(w)
	return nil
}

func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && '0' <= s.b[s.i] && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > start
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.i++
	}
	if s.peek() == '0' {
		s.i++
	} else if !s.digits() {
		return s.fail("bad number")
	}
	if s.peek() == '.' {
		s.i++
		if !s.digits() {
			return s.fail("bad number")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.i++
		if c := s.peek(); c == '+' || c == '-' {
			s.i++
		}
		if !s.digits() {
			return s.fail("bad number")
		}
	}
	return nil
}

// str passes over a string: UTF-8, no control bytes, whole escapes, no half of
// a surrogate pair.
func (s *scanner) str() error {
	for s.i++; s.i < len(s.b); {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		case c < ' ':
			return s.fail("control byte in string")
		case c < utf8.RuneSelf:
			s.i++
		default:
			r, n := utf8.DecodeRune(s.b[s.i:])
			if r == utf8.RuneError && n == 1 {
				return s.fail("invalid UTF-8")
			}
			s.i += n
		}
	}
	return s.fail("open string")
}

func (s *scanner) escape() error {
	if s.i+1 >= len(s.b) {
		return s.fail("open escape")
	}
	switch s.b[s.i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i += 2
		return nil
	case 'u':
		if n := unicodeEscape(s.b[s.i:], nil); n > 0 {
			s.i += n
			return nil
		}
	}
	return s.fail("bad escape")
}

// unicodeEscape reads \u with four hex digits, or a surrogate pair of two such, at
// the front of b and returns how many bytes it took, 0 if it is not sound.
func unicodeEscape(b []byte, out *rune) int {
	r, ok := hex4(b)
	n := 6
	if ok && utf16.IsSurrogate(r) {
		var lo rune
		if lo, ok = hex4(b[6:]); ok {
			r = utf16.DecodeRune(r, lo)
			ok = r != utf8.RuneError
		}
		n = 12
	}
	if !ok {
		return 0
	}
	if out != nil {
		*out = r
	}
	return n
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// unquote returns the text of a string that str has passed.
func unquote(raw []byte) []byte {
	in := raw[1 : len(raw)-1]
	if bytes.IndexByte(in, '\\') < 0 {
		return in
	}
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); {
		if in[i] != '\\' {
			out = append(out, in[i])
			i++
			continue
		}
		switch c := in[i+1]; c {
		case 'u':
			var r rune
			i += unicodeEscape(in[i:], &r)
			out = utf8.AppendRune(out, r)
			continue
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		default:
			out = append(out, c)
		}
		i += 2
	}
	return out
}

// CheckPayload refuses bytes that are not exactly one sound JSON value within
// limit bytes and MaxDepth levels. The broker does the same to every payload;
// a client calls it first, since the broker closes on a bad one.
func CheckPayload(raw []byte, limit int) error {
	if len(raw) > limit {
		return Refuse(TooLarge, "payload of %d bytes, at most %d", len(raw), limit)
	}
	s := scanner{keys: make([][]byte, 0, MaxFields)}
	s.reset(raw)
	s.space()
	if _, err := s.value(MaxDepth); err != nil {
		return err
	}
	if s.space(); s.i != len(raw) {
		return s.fail("something follows")
	}
	return nil
}
