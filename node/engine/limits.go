package engine

import "time"

const (
	// timeoutCommit is how long a validator waits for late votes after a block.
	timeoutCommit = 500 * time.Millisecond
	// heartbeat is the pause after timeoutCommit until an empty block is made,
	// so that a header is never older than 10 s: devices judge freshness by it.
	heartbeat = 9 * time.Second
	// gossipSleep is how long vote gossip rests when there is nothing to send.
	gossipSleep = 20 * time.Millisecond
	// maxInbound and maxOutbound bound peers of the consensus network.
	maxInbound  = 64
	maxOutbound = 16
	// mempoolSize and mempoolBytes bound what waits for a block.
	mempoolSize  = 20_000
	mempoolBytes = 64 << 20
	// maxRecent is how many committed transactions are remembered so that a
	// late submitter still learns their fate; older ones are in the index.
	maxRecent = 8192
	// eventBuffer is how many blocks may wait for us, as while catching up.
	eventBuffer = 256
	// maxKeyFile bounds the key files that are read.
	maxKeyFile = 64 << 10
	// maxDivergence bounds the file that remembers a divergence.
	maxDivergence = 64 << 10
	// maxStop is how long CometBFT may take to stop after one of its stores failed.
	maxStop = 5 * time.Second
	// haltPause is how long a node that halts for an upgrade still hands out what
	// it has.
	haltPause = 3 * time.Second
	// lookPause is how often we look whether catching up has ended.
	lookPause = 100 * time.Millisecond
	// discoveryTime is how long peers have to tell their snapshots; CometBFT
	// takes nothing shorter.
	discoveryTime = 5 * time.Second
	// chunkTimeout is how long a peer has for a chunk of a snapshot.
	chunkTimeout = 10 * time.Second
)
