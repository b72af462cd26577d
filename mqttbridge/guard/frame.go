package guard

import (
	"bufio"
	"bytes"
	"io"
)

// frame is one packet as it came: raw holds all its bytes, body starts at
// raw[head:].
type frame struct {
	raw  []byte
	head int
}

// readFrame reads the rest of one packet whose first byte is first. The declared
// length is checked against limit before a byte is allocated for it, and even
// then memory follows received bytes, not declared ones.
func readFrame(r *bufio.Reader, first byte, limit int) (frame, error) {
	head := []byte{first}
	size := 0
	for i := 0; ; i++ {
		b, err := r.ReadByte()
		if err != nil {
			return frame{}, err
		}
		head = append(head, b)
		size |= int(b&0x7F) << (7 * i)
		if b&0x80 == 0 {
			if i > 0 && b == 0 {
				return frame{}, refuse(MalformedLength, "remaining length is not in minimal form")
			}
			break
		}
		if i == 3 {
			return frame{}, refuse(MalformedLength, "remaining length is longer than four bytes")
		}
	}
	if len(head)+size > limit {
		return frame{}, refuse(PacketTooLarge, "declared length is over the cap")
	}
	buf := bytes.NewBuffer(make([]byte, 0, len(head)+min(size, growStep)))
	buf.Write(head)
	if _, err := io.CopyN(buf, r, int64(size)); err != nil {
		return frame{}, err
	}
	return frame{raw: buf.Bytes(), head: len(head)}, nil
}
