package node

import (
	"time"

	"golang.org/x/time/rate"
)

const (
	// redial is the pause between two looks at the connections to the mesh
	// peers that are to be kept.
	redial = 3 * time.Second
	// dialTimeout bounds one attempt.
	dialTimeout = 10 * time.Second
	// publishTimeout bounds the publication of one checkpoint, well below the
	// time until the next.
	publishTimeout = 5 * time.Second
	// forwardTime is how long a device may take for a command: the gate waits 3 s
	// for a newer header and 10 s for the motor.
	forwardTime = 20 * time.Second
	// openTimeout is how long a device may take to agree on a stream.
	openTimeout = 5 * time.Second
	// deviceCalls is how many commands may be under way to one device: as many as
	// it carries out at once for one peer.
	deviceCalls = 8
	// allCalls bounds those to all devices; a place costs a goroutine and the
	// command's bytes.
	allCalls = 1024
	// stateMemTable is how much of the state tree is sorted in memory before it is
	// written out: most of its inner nodes are replaced soon.
	stateMemTable = 16 << 20
	// GCPercent is how much garbage a validator lets grow before it collects,
	// relative to what it holds, unless GOGC says otherwise: it holds some tens of
	// megabytes and makes garbage with every transaction, so memory is the cheaper.
	GCPercent = 200
	// deviceRate and deviceBurst bound the commands handed to one device each
	// second. They are below what the gate checks for one peer (200, bursts of
	// 400): over that it stops to answer, to everybody who comes through here.
	deviceRate  rate.Limit = 100
	deviceBurst            = 50
)
