package agent

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// reserver asks nodes that know this device to be its relays.
type reserver struct {
	ask func(context.Context, peer.ID) (until time.Time, err error) // slim.Host.Reserve
	log *slog.Logger
}

// reserve asks one node, and gives the pause after which to ask it again: before
// the reservation ends, or when a node that is full, or no relay, may have
// changed. The pause differs from device to device, so that those of a node that
// came back do not all ask in the same second for ever.
func (r *reserver) reserve(ctx context.Context, node peer.ID) time.Duration {
	until, err := r.ask(ctx, node)
	pause := time.Until(until) / 2
	if err != nil {
		r.log.Debug("node is no relay to this device", "node", node, "error", err)
		pause = reserveAgain
	}
	// What the node says is not trusted to make the device ask at every moment.
	pause = min(max(pause, reserveLeast), reserveMost)
	return pause - rand.N(pause/4)
}
