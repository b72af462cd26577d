package engine

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cometbft/cometbft/abci/types"

	"github.com/hybridos-net/hybridos/chain/abci"
)

// parking is the application as CometBFT sees it. Where a block is for another
// program, CometBFT would panic over the error, and while it catches up end the
// process with it. So once the node runs, the call does not return: the block
// is not executed, the engine ends everything else, and the process with it.
type parking struct {
	App
	running atomic.Bool // before that, CometBFT replays blocks and hands errors back
}

// FinalizeBlock is the application's, but for a block of another program.
func (p *parking) FinalizeBlock(ctx context.Context, r *types.RequestFinalizeBlock) (*types.ResponseFinalizeBlock, error) {
	out, err := p.App.FinalizeBlock(ctx, r)
	if errors.Is(err, abci.UpgradeNeeded) && p.running.Load() {
		select {}
	}
	return out, err
}

// upgrading reports whether the application has ended because the ledger
// upgrades.
func (e *Engine) upgrading() bool { return errors.Is(e.cfg.App.Err(), abci.UpgradeNeeded) }

// lastWords lets a node that halts for an upgrade hand the newest commit to
// peers that do not have it yet, or they would wait for it until the first
// others are back.
func (e *Engine) lastWords(ctx context.Context) {
	if !e.upgrading() || e.cfg.App.Err() == nil {
		return
	}
	e.log.Error("halting for an upgrade", "err", e.cfg.App.Err())
	select {
	case <-time.After(haltPause):
	case <-ctx.Done():
	}
}
