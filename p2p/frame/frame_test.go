package frame

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestReader_RoundTrip(t *testing.T) {
	var wire bytes.Buffer
	w := NewWriter(&wire, 100000)
	want := [][]byte{{1}, bytes.Repeat([]byte{2}, 127), bytes.Repeat([]byte{3}, 128), bytes.Repeat([]byte{4}, 100000)}
	for _, b := range want {
		if err := w.Write(b[:len(b)/2], b[len(b)/2:]); err != nil {
			t.Fatal(err)
		}
	}
	for name, src := range map[string]io.Reader{
		"whole":   bytes.NewReader(wire.Bytes()),
		"by byte": iotest.OneByteReader(bytes.NewReader(wire.Bytes())),
	} {
		r := NewReader(src, 100000)
		var got [][]byte
		for {
			b, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got = append(got, b)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestReader_Refusals(t *testing.T) {
	covered := map[ErrorKind]bool{}
	for _, c := range []struct {
		name string
		wire []byte
		want ErrorKind
	}{
		{"over the cap", []byte{0xac, 0x02}, TooLarge},
		{"huge length", []byte{0xff, 0xff, 0xff, 0xff, 0x0f}, TooLarge},
		{"padded length", []byte{0x81, 0x00, 'x'}, NotMinimal},
		{"padded zero", []byte{0x80, 0x80, 0x00}, NotMinimal},
		{"six byte length", []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, NotMinimal},
		{"zero", []byte{0}, Empty},
		{"cut body", []byte{3, 'a', 'b'}, Truncated},
		{"cut length", []byte{0x80}, Truncated},
	} {
		covered[c.want] = true
		if _, err := NewReader(bytes.NewReader(c.wire), 299).Next(); !errors.Is(err, c.want) {
			t.Errorf("%s: reader says %v, want %v", c.name, err, c.want)
		}
		if _, _, err := Split(c.wire, 299); !errors.Is(err, c.want) {
			t.Errorf("%s: split says %v, want %v", c.name, err, c.want)
		}
	}
	for _, k := range Kinds() {
		if !covered[k] {
			t.Errorf("kind %v has no negative test", k)
		}
	}
}

func TestWriter_Refusals(t *testing.T) {
	w := NewWriter(io.Discard, 4)
	if err := w.Write(make([]byte, 5)); !errors.Is(err, TooLarge) {
		t.Errorf("over the cap: %v", err)
	}
	if err := w.Write(); !errors.Is(err, Empty) {
		t.Errorf("empty: %v", err)
	}
}

// TestReader_Resume: a deadline inside a frame loses nothing.
func TestReader_Resume(t *testing.T) {
	r := NewReader(io.MultiReader(
		bytes.NewReader([]byte{4, 'o'}), &once{err: os.ErrDeadlineExceeded}, bytes.NewReader([]byte("pen")),
	), 10)
	if _, err := r.Next(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	b, err := r.Next()
	if err != nil || string(b) != "open" {
		t.Fatalf("got %q, %v", b, err)
	}
}

// once fails one time, then is empty.
type once struct{ err error }

func (o *once) Read([]byte) (int, error) {
	if err := o.err; err != nil {
		o.err = nil
		return 0, err
	}
	return 0, io.EOF
}

func FuzzSplit(f *testing.F) {
	f.Add([]byte{3, 'a', 'b', 'c', 1, 'd'})
	f.Add([]byte{0x80, 0x01})
	f.Add([]byte{0x81, 0x00, 'x'})
	f.Add(Append(nil, bytes.Repeat([]byte{7}, 300)))
	f.Fuzz(func(t *testing.T, wire []byte) {
		const limit = 1 << 12
		body, rest, err := Split(wire, limit)
		got, rerr := NewReader(bytes.NewReader(wire), limit).Next()
		if err != nil {
			if rerr == nil {
				t.Fatalf("split refuses (%v) what the reader takes", err)
			}
			return
		}
		if rerr != nil || !bytes.Equal(got, body) {
			t.Fatalf("reader: %v, bodies equal: %v", rerr, bytes.Equal(got, body))
		}
		if again := append(Append(nil, body), rest...); !bytes.Equal(again, wire) {
			t.Fatal("two byte forms of one frame")
		}
	})
}
