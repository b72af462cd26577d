// Package frame cuts a byte stream into messages: a length as unsigned varint
// in its shortest form, then that many bytes.
//
// It is not a codec: what the bytes mean is the protocol's affair. Entry
// points: Reader and Writer; Split does the same on bytes in memory.
//
// What must never change: the varint is minimal, a frame is never empty, and a
// length over the cap is refused before anything is allocated for it.
package frame

import (
	"encoding/binary"
	"fmt"
	"io"
)

// ErrorKind names a reason why a frame was refused; comparable with errors.Is.
// After any of them the stream is out of step and must be closed.
type ErrorKind string

// The kinds of refusal.
const (
	// TooLarge: the length is over the cap.
	TooLarge ErrorKind = "frame_too_large"
	// NotMinimal: the length is not in its shortest form, or over five bytes.
	NotMinimal ErrorKind = "frame_length_not_minimal"
	// Empty: the length is zero.
	Empty ErrorKind = "frame_empty"
	// Truncated: the stream ended inside a frame.
	Truncated ErrorKind = "frame_truncated"
)

// Kinds lists every kind.
func Kinds() []ErrorKind { return []ErrorKind{TooLarge, NotMinimal, Empty, Truncated} }

// Error makes a kind usable as an error.
func (k ErrorKind) Error() string { return string(k) }

// length parses the length in front of b. used is 0 when b ends inside it.
func length(b []byte, limit int) (n, used int, err error) {
	v, used := binary.Uvarint(b[:min(len(b), maxLength)])
	switch {
	case used < 0, used == 0 && len(b) >= maxLength:
		return 0, 0, NotMinimal
	case used == 0:
		return 0, 0, nil
	case used > 1 && b[used-1] == 0:
		return 0, 0, NotMinimal
	case v == 0:
		return 0, 0, Empty
	case v > uint64(limit):
		return 0, 0, fmt.Errorf("%w: %d bytes, at most %d", TooLarge, v, limit)
	}
	return int(v), used, nil
}

// Split takes the first frame off b.
func Split(b []byte, limit int) (body, rest []byte, err error) {
	n, used, err := length(b, limit)
	if err != nil {
		return nil, nil, err
	}
	if used == 0 || len(b)-used < n {
		return nil, nil, Truncated
	}
	return b[used : used+n], b[used+n:], nil
}

// Append puts one frame made of the parts behind dst.
func Append(dst []byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

// Reader reads frames. It is for one goroutine at a time.
type Reader struct {
	r     io.Reader
	limit int
	buf   []byte // read ahead
	i, j  int
	need  int    // length of the frame begun, 0 between frames
	body  []byte // what came of it
}

// NewReader returns a Reader that refuses frames over limit bytes.
func NewReader(r io.Reader, limit int) *Reader {
	return &Reader{r: r, limit: limit, buf: make([]byte, readAhead)}
}

// Next returns the next frame in memory of its own. io.EOF means the stream
// ended between frames. After an error of the stream that passes (a deadline)
// Next may be called again and goes on where it stopped.
func (r *Reader) Next() ([]byte, error) {
	for r.need == 0 {
		n, used, err := length(r.buf[r.i:r.j], r.limit)
		if err != nil {
			return nil, err
		}
		if used > 0 {
			r.i += used
			r.need = n
			r.body = make([]byte, 0, min(n, firstAlloc))
			break
		}
		if err := r.fill(r.j > r.i); err != nil {
			return nil, err
		}
	}
	for {
		m := min(r.need-len(r.body), r.j-r.i)
		r.body = append(r.body, r.buf[r.i:r.i+m]...)
		r.i += m
		if len(r.body) == r.need {
			body := r.body
			r.need, r.body = 0, nil
			return body, nil
		}
		if err := r.fill(true); err != nil {
			return nil, err
		}
	}
}

// fill reads more; inside tells that a frame has begun.
func (r *Reader) fill(inside bool) error {
	if r.i > 0 {
		r.j = copy(r.buf, r.buf[r.i:r.j])
		r.i = 0
	}
	n, err := r.r.Read(r.buf[r.j:])
	r.j += n
	switch {
	case n > 0:
		return nil
	case err == io.EOF && inside:
		return Truncated
	}
	return err
}

// Writer writes frames, each with one write of the stream, so that it travels
// as one segment. It is for one goroutine at a time.
type Writer struct {
	w     io.Writer
	limit int
	buf   []byte
}

// NewWriter returns a Writer that refuses to send frames over limit bytes.
func NewWriter(w io.Writer, limit int) *Writer { return &Writer{w: w, limit: limit} }

// Write sends one frame made of the parts. After an error of the stream the
// frame is incomplete at the peer, and the stream must be closed.
func (w *Writer) Write(parts ...[]byte) error {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if n == 0 {
		return Empty
	}
	if n > w.limit {
		return fmt.Errorf("%w: %d bytes, at most %d", TooLarge, n, w.limit)
	}
	w.buf = Append(w.buf[:0], parts...)
	_, err := w.w.Write(w.buf)
	if cap(w.buf) > firstAlloc {
		w.buf = nil
	}
	return err
}
