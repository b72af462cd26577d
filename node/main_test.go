package node

import (
	"testing"

	"go.uber.org/goleak"
)

// Every goroutine of a node ends with it, but for those that CometBFT v0.40 has
// no way to end: the keepers of its log file, and what sleeps out its pause before
// it looks whether the node still runs.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/cometbft/cometbft/libs/autofile.OpenAutoFile.func1"),
		goleak.IgnoreAnyFunction("github.com/cometbft/cometbft/libs/autofile.(*AutoFile).closeFileRoutine"),
		goleak.IgnoreAnyFunction("github.com/cometbft/cometbft/p2p.(*Switch).reconnectToPeer"),
		goleak.IgnoreAnyFunction("github.com/cometbft/cometbft/p2p.(*Switch).randomSleep"),
		goleak.IgnoreAnyFunction("github.com/cometbft/cometbft/p2p/pex.(*Reactor).ensurePeersRoutine"),
		goleak.IgnoreAnyFunction("github.com/cometbft/cometbft/consensus.(*Reactor).queryMaj23Routine"),
		goleak.IgnoreAnyFunction("github.com/cometbft/cometbft/blocksync.(*BlockPool).makeRequestersRoutine"),
		// A state sync that finds nothing goes on looking when the node has stopped.
		goleak.IgnoreAnyFunction("github.com/cometbft/cometbft/statesync.(*syncer).SyncAny"),
	)
}
