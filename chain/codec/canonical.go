package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Major types of RFC 8949 section 3.1 that the encoding uses.
const (
	majorUint   = 0
	majorBytes  = 2
	majorText   = 3
	majorArray  = 4
	majorMap    = 5
	majorTag    = 6
	majorSimple = 7
)

// checkCanonical walks one well-formed item and refuses what core
// deterministic encoding forbids. Comparing the re-encoding finds the same in
// typed fields, but a Raw field is re-encoded as it came, so that without this
// walk an implementation that decodes everything would refuse bytes that this
// one accepts.
func checkCanonical(b []byte) error {
	rest, err := walk(b, 0)
	if err == nil && len(rest) > 0 {
		err = malformed("bytes after the end")
	}
	return err
}

// walk checks the first item of b, which stands in depth containers, and gives
// what follows it.
func walk(b []byte, depth int) ([]byte, error) {
	major, n, rest, err := head(b)
	if err != nil {
		return nil, err
	}
	if (major == majorArray || major == majorMap) && (depth >= MaxDepth || n > MaxItems) {
		return nil, malformed("too deep or too many items")
	}
	switch major {
	case majorBytes, majorText:
		if uint64(len(rest)) < n {
			return nil, malformed("string is cut short")
		}
		if major == majorText && !utf8.Valid(rest[:n]) {
			return nil, malformed("text is not UTF-8")
		}
		return rest[n:], nil
	case majorArray:
		for ; n > 0 && err == nil; n-- {
			rest, err = walk(rest, depth+1)
		}
		return rest, err
	case majorTag:
		return nil, malformed("tag")
	case majorMap:
		return walkMap(rest, n, depth+1)
	default:
		return rest, nil
	}
}

// walkMap checks n pairs, whose encoded keys must rise (RFC 8949 section
// 4.2.1).
func walkMap(b []byte, n uint64, depth int) ([]byte, error) {
	var last []byte
	for ; n > 0; n-- {
		afterKey, err := walk(b, depth)
		if err != nil {
			return nil, err
		}
		k := b[:len(b)-len(afterKey)]
		if last != nil && bytes.Compare(last, k) >= 0 {
			return nil, &Error{Kind: NotCanonical, Detail: "map keys out of order"}
		}
		last = k
		if b, err = walk(afterKey, depth); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// head reads the first bytes of an item: its major type and its argument, in
// the shortest form.
func head(b []byte) (major byte, n uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, 0, nil, malformed("item is missing")
	}
	major, info := b[0]>>5, b[0]&0x1f
	b = b[1:]
	if major == majorSimple {
		if info < 20 || info > 22 { // false, true, null
			return 0, 0, nil, malformed("float or unassigned simple value")
		}
		return major, 0, b, nil
	}
	if info < 24 {
		return major, uint64(info), b, nil
	}
	if info > 27 {
		return 0, 0, nil, malformed("indefinite length or reserved form")
	}
	size := 1 << (info - 24)
	if len(b) < size {
		return 0, 0, nil, malformed("length is cut short")
	}
	var wide [8]byte
	copy(wide[8-size:], b)
	n = binary.BigEndian.Uint64(wide[:])
	if n < 24 || size > 1 && n>>(8*uint(size)/2) == 0 {
		return 0, 0, nil, &Error{Kind: NotCanonical, Detail: fmt.Sprintf("%d in %d bytes", n, size)}
	}
	return major, n, b[size:], nil
}

func malformed(detail string) error { return &Error{Kind: Malformed, Detail: detail} }
