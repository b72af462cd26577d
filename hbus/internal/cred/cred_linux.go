package cred

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Of returns the peer of an open connection.
func Of(c *net.UnixConn) (Peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Peer{}, fmt.Errorf("peer credentials: %w", err)
	}
	var u *unix.Ucred
	var uerr error
	if err := raw.Control(func(fd uintptr) {
		u, uerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return Peer{}, fmt.Errorf("peer credentials: %w", err)
	}
	if uerr != nil {
		return Peer{}, fmt.Errorf("peer credentials: %w", uerr)
	}
	return Peer{UID: u.Uid, GID: u.Gid, PID: uint32(u.Pid)}, nil
}
