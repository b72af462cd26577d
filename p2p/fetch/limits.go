package fetch

import (
	"time"

	"github.com/hybridos-net/hybridos/p2p/topic"
)

// envelope is room for the encoding around the payload of a message.
const envelope = 512

const (
	maxQuery       = topic.MaxKey + envelope
	maxReply       = max(topic.MaxLightBlock, topic.MaxKey+topic.MaxValue+topic.MaxProof) + envelope
	maxSubmission  = topic.MaxTx + envelope
	maxOutcome     = maxLog + envelope
	maxLog         = 1024 // of a refusal, for people
	maxDetail      = 256  // of an error, for people
	maxHash        = 32
	maxStreams     = 4 // idle streams that a client keeps per node and protocol
	drain          = 10 * time.Second
	openTimeout    = 10 * time.Second
	defaultTry     = 8 * time.Second
	defaultSubmit  = 30 * time.Second
	defaultIdle    = 2 * time.Minute
	defaultBackend = 6 * time.Second
)

// Defaults of the server's limits.
const (
	// DefaultStreams bounds the open streams of all peers.
	DefaultStreams = 512
	// DefaultStreamsPerPeer bounds those of one peer.
	DefaultStreamsPerPeer = 16
	// DefaultWorkers bounds the queries being answered at once; over it the
	// answer is Busy.
	DefaultWorkers = 32
	// DefaultWaiting bounds the submitted transactions not yet committed.
	DefaultWaiting = 256
	// DefaultRate and DefaultBurst bound the requests of one peer per second: a
	// device asks a handful per command, a wallet a few dozen at start.
	DefaultRate  = 50
	DefaultBurst = 200
	// meters bounds the peers whose rate is remembered.
	meters = 4096
)
