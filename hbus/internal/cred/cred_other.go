//go:build !linux

package cred

import (
	"errors"
	"net"
)

// Of refuses: this kernel's answer is not supported, and a bus that does not
// know its peers must not serve them.
func Of(*net.UnixConn) (Peer, error) {
	return Peer{}, errors.New("peer credentials: not supported on this system")
}
