package client

import "time"

const (
	// DefaultHandlers bounds the calls that are carried out at once; more are
	// answered with Unavailable.
	DefaultHandlers = 64
	// DefaultBuffer is how many events a subscription holds for a reader that
	// is behind.
	DefaultBuffer = 256
	// handshakeTimeout bounds Dial when its context does not.
	handshakeTimeout = 5 * time.Second
	// grace is how much longer than the broker a call without a deadline of
	// its own waits, so that it returns even when the broker is stuck.
	grace = time.Second
	// maxBatch bounds how many messages are handled before answers leave.
	maxBatch = 64
)
