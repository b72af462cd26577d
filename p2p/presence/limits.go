package presence

import (
	"time"

	"github.com/hybridos-net/hybridos/p2p/topic"
)

const (
	// MaxStatement bounds what a device sends.
	MaxStatement = topic.MaxPresence
	// MaxSkew is how far the device's clock may be from the node's, either way.
	// A device without a clock knows the time by the ledger's headers.
	MaxSkew = 5 * time.Minute
	// DefaultMost is how many devices a node knows at once: more than the
	// connections that p2p/host lets in.
	DefaultMost = 4096

	// maxPeerID bounds a peer id in a statement; those of Ed25519 have 38 bytes.
	maxPeerID = 64
	// maxAnswer is a map with one small number.
	maxAnswer = 8
	// maxStreams and maxStreamsPerPeer bound the statements being read or judged.
	maxStreams        = 128
	maxStreamsPerPeer = 2
	// burst and refill bound the statements of one connection: so many at once,
	// then one more in each such time. An honest device makes one.
	burst  = 8
	refill = time.Second
	// connTag and connWorth are what a device's connection is worth to a host that
	// has too many; a stranger's is worth nothing.
	connTag   = "hybridos-device"
	connWorth = 100
	// talk bounds one conversation, at either end.
	talk = 10 * time.Second
)
