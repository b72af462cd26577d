package link

import (
	"bytes"
	"errors"
	"testing"
)

func TestSplit_Kinds(t *testing.T) {
	covered := map[ErrorKind]bool{}
	for _, c := range []struct {
		wire []byte
		want ErrorKind
	}{
		{nil, BadNumber}, {[]byte{0, 1}, BadNumber}, {[]byte{0x80}, BadNumber}, {[]byte{0x81, 0, 1}, BadNumber},
		{bytes.Repeat([]byte{0xff}, 11), BadNumber}, {[]byte{1}, NoBody},
	} {
		covered[c.want] = true
		if _, _, err := split(c.wire); !errors.Is(err, c.want) {
			t.Errorf("%x: %v, want %v", c.wire, err, c.want)
		}
	}
	for _, k := range Kinds() {
		if !covered[k] {
			t.Errorf("kind %v has no negative test", k)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte{1, 'x'})
	f.Add([]byte{0x81, 0x00, 'x'})
	f.Add(append(appendNumber(nil, 1<<63), 'x'))
	f.Fuzz(func(t *testing.T, wire []byte) {
		n, body, err := split(wire)
		if err != nil {
			return
		}
		if n == 0 || len(body) == 0 || !bytes.Equal(append(appendNumber(nil, n), body...), wire) {
			t.Fatalf("%x is not the one form of %d", wire, n)
		}
	})
}
