package api

import "time"

const (
	// maxTx is the longest body of POST /v1/tx: the longest transaction.
	maxTx = 64 << 10
	// maxHeader bounds request headers; ours need a few hundred bytes.
	maxHeader = 16 << 10
	// maxKey is the longest record key in bytes.
	maxKey = 256
	// maxAtOnce bounds the requests being answered; over it the answer is busy.
	maxAtOnce = 64

	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	idleTimeout   = time.Minute
	// submitTimeout is how long POST /v1/tx waits for a block: a few blocks even
	// where a validator is down.
	submitTimeout = 30 * time.Second
	queryTimeout  = 6 * time.Second
	writeTimeout  = submitTimeout + 10*time.Second
	// stopTimeout is how long requests may take to end when the node stops.
	stopTimeout = 3 * time.Second
)
