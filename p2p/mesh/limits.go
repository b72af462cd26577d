package mesh

import "time"

const (
	// DefaultBuffer is how many messages a Topic keeps for its reader; when a
	// new one comes the oldest is dropped. Of checkpoints only the newest matters.
	DefaultBuffer = 1
	// MaxTopics bounds the joined topics: all shards and a few more.
	MaxTopics = 512
	// overhead is what the gossip envelope may add to a message.
	overhead = 8 << 10
	// validateTime bounds one validation; a message that is not judged in time
	// is not forwarded.
	validateTime = 2 * time.Second
	// validateAtOnce bounds the validations of one topic at the same time.
	validateAtOnce = 8
	// seenTime is how long a message id is remembered, so that no message is
	// validated twice.
	seenTime = 5 * time.Minute
	// firstHeartbeat is when the mesh forms after the start.
	firstHeartbeat = 100 * time.Millisecond
	// peersTick is how often WaitPeers looks.
	peersTick = 20 * time.Millisecond
)
