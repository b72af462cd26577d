package link

import (
	"encoding/binary"
	"time"

	"github.com/hybridos-net/hybridos/p2p/topic"
)

const (
	// maxRequest and maxAnswer are the frames: the number and the body.
	maxRequest = binary.MaxVarintLen64 + topic.MaxCommand
	maxAnswer  = binary.MaxVarintLen64 + topic.MaxReceipt

	// DefaultInFlight bounds the commands of one stream being handled at once;
	// more wait in the peer's own buffers.
	DefaultInFlight = 8
	// DefaultStreams bounds the command streams of all peers together.
	DefaultStreams = 32
	// DefaultStreamsPerPeer bounds those of one peer.
	DefaultStreamsPerPeer = 4
	// DefaultIdle closes a stream without requests: between it and half of it.
	DefaultIdle = 10 * time.Minute
	// DefaultDrain is how long a peer may not read its answers.
	DefaultDrain = 10 * time.Second

	// maxCalls bounds the commands of one Link without an answer.
	maxCalls = 64
	// backoffFirst and backoffMost bound the pause between dials.
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 10 * time.Second
	// dialTimeout bounds one try to reach the device.
	dialTimeout = 15 * time.Second

	// handOver is how long a handler may run before another goroutine takes
	// over reading the stream (at most twice as long). Quick handlers cost no goroutine.
	handOver = time.Millisecond
)
