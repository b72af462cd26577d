// Package mux is what runs on one TCP connection of the mesh: the Noise
// handshake of libp2p and a stream multiplexer that speaks yamux 1.0.0 on the
// wire, so that any libp2p peer can talk to it.
//
// It is not a host and opens no sockets: p2p/slim and p2p/host plug it in. It
// exists because the stock multiplexer hands each message through two extra
// goroutines at each end, which doubles the round trip of a signed command.
// Here a writer writes on its own goroutine, and a reader that finds nothing
// buffered reads the connection itself until its own data came.
//
// Entry points: Noise for the security half, Yamux for the multiplexer.
//
// What must never change: the 12-byte frame of yamux 1.0.0, the fixed window
// of 256 KiB, and that nothing which reads the connection ever waits for a
// write on it (or two peers could stop each other for good).
package mux
