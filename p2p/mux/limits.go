package mux

import "time"

const (
	// Window is the credit a peer has per stream before we consumed anything.
	// 256 KiB is fixed by the yamux specification; we never enlarge it, so a
	// peer can make us hold at most Window bytes per open stream.
	Window = 256 * 1024

	// MaxFrame is the largest body we put in one data frame. Small enough that
	// one stream cannot hold the connection for long, large enough that the
	// 12-byte header does not matter.
	MaxFrame = 32 * 1024

	// DefaultMaxStreams bounds the streams that a peer may hold open on one
	// connection.
	DefaultMaxStreams = 256

	// maxOpening bounds the streams we opened and the peer did not acknowledge
	// yet.
	maxOpening = 64

	// controlQueue bounds the answers (pong, reset) that wait for the writer.
	// A peer that makes us queue more resets is cut off. The stock multiplexer
	// opens up to 256 streams before the first is acknowledged, and all of them
	// may have to be refused at once: that is no flood.
	controlQueue = 512

	// DefaultKeepAlive is the silence after which a ping is sent. After two
	// more silent intervals the connection is dead.
	DefaultKeepAlive = 15 * time.Second

	// DefaultWriteTimeout bounds one write on the connection: a peer that
	// does not drain its socket for so long loses the connection.
	DefaultWriteTimeout = 10 * time.Second

	// lull is how long nobody may be reading the connection before the
	// background reader takes over; see session.pumpFor.
	lull = time.Millisecond

	// readBuffer is the plaintext read buffer of one connection.
	readBuffer = 4096

	// keepBuffer is the largest idle buffer that a stream or a connection
	// holds on to; larger ones go back to the garbage collector.
	keepBuffer = 16 * 1024

	// goAwayWait bounds the farewell frame at close.
	goAwayWait = 100 * time.Millisecond

	// maxRecord is the largest Noise record: two length bytes and 65535.
	maxRecord = 2 + 65535

	// recordOverhead is the authentication tag inside each Noise record.
	recordOverhead = 16
)
