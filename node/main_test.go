package node

import (
	"testing"

	"go.uber.org/goleak"
)

// Every goroutine of a node ends with it, but for those that CometBFT v0.40 has
// no way to end: the keepers of its log file, and a redial that sleeps out its
// pause.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/cometbft/cometbft/libs/autofile.OpenAutoFile.func1"),
		goleak.IgnoreAnyFunction("github.com/cometbft/cometbft/libs/autofile.(*AutoFile).closeFileRoutine"),
		goleak.IgnoreAnyFunction("github.com/cometbft/cometbft/p2p.(*Switch).reconnectToPeer"),
	)
}
