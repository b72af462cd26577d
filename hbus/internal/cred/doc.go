// Package cred asks the kernel who is at the other end of a Unix socket.
//
// It is not an access rule: what a uid may do is decided by the broker. The
// one entry point is Of.
//
// What must never change: the answer comes from the kernel (SO_PEERCRED) and
// never from the peer; where the kernel cannot tell, Of refuses.
package cred

// Peer is the process that connected, or that listens, as it was then. A pid
// may be used again later: it is for logs, not for decisions.
type Peer struct {
	UID uint32
	GID uint32
	PID uint32
}
