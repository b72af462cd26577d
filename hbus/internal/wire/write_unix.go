//go:build unix

package wire

import (
	"errors"

	"golang.org/x/sys/unix"
)

// writeOnce writes to a socket that is in non-blocking mode.
func writeOnce(fd uintptr, buf []byte) (int, error) {
	for {
		n, err := unix.Write(int(fd), buf)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return 0, nil
		default:
			return 0, err
		}
	}
}
