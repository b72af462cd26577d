// Package native is the bus's own face: Unix sockets, frames and messages of
// docs/spec/hbus.md, bound to the broker core.
//
// It is not the broker: it routes nothing and decides only who may connect.
//
// Use Listen to own a socket path, then New and Server.Run to serve it.
//
// What must never change: the socket appears with its final mode in one step;
// a live socket is never replaced; a peer's identity comes from the kernel; one
// goroutine reads one connection and waits for nobody else.
package native
