package abci

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"github.com/hybridos-net/hybridos/chain/state"
)

// execution is a block's outcome, not yet in the tree.
type execution struct {
	hash    []byte // of the block; nil for a proposal being made
	height  int64
	overlay *state.Overlay
	results []error // one for each transaction; nil if it executed
	updates []types.ValidatorUpdate
	params  *cmtproto.ConsensusParams // nil unless an upgrade begins
}

// PrepareProposal keeps, in order, the transactions that execute and fit.
func (a *App) PrepareProposal(_ context.Context, r *types.RequestPrepareProposal) (*types.ResponsePrepareProposal, error) {
	if a.halted != nil { // this node is about to end; an empty block is as good as none
		return &types.ResponsePrepareProposal{}, nil
	}
	overlay := state.NewOverlay(a.reads)
	block := a.block(r.Height, r.Time)
	if err := a.punish(overlay, block, r.Misbehavior); err != nil {
		return nil, a.fail(err)
	}
	var kept [][]byte
	var size int64
	for _, raw := range r.Txs {
		cost := protoSize(raw)
		if size+cost > r.MaxTxBytes {
			break
		}
		err := a.execute(overlay, block, raw)
		if CodeOf(err) == CodeInternal {
			return nil, a.fail(err)
		}
		if err != nil {
			a.log.Debug("transaction left out", "height", r.Height, "tx", txKey(raw), "err", err)
			continue
		}
		kept, size = append(kept, raw), size+cost
	}
	return &types.ResponsePrepareProposal{Txs: kept}, nil
}

// ProcessProposal accepts a block only if each of its transactions decodes and
// executes, in order. So a refused transaction never stands in a block unless
// more than two thirds of the validators are broken. It looks no further than
// the first refusal: else one bad proposal would cost every validator a block
// full of signature checks.
func (a *App) ProcessProposal(_ context.Context, r *types.RequestProcessProposal) (*types.ResponseProcessProposal, error) {
	if a.halted != nil {
		return a.refuseHalted(r.Height), nil
	}
	done, err := a.run(proposal{r.Hash, r.Height, r.Time, r.Txs, r.Misbehavior}, true)
	if err != nil {
		return nil, a.fail(err)
	}
	for i, err := range done.results {
		if err != nil {
			a.refused.Add(1)
			a.log.Warn("proposal refused", "height", r.Height, "proposer", fmt.Sprintf("%X", r.ProposerAddress), "tx", txKey(r.Txs[i]), "err", logText(err))
			return &types.ResponseProcessProposal{Status: types.ResponseProcessProposal_REJECT}, nil
		}
	}
	a.decided = done
	return &types.ResponseProcessProposal{Status: types.ResponseProcessProposal_ACCEPT}, nil
}

// FinalizeBlock executes a decided block into the working tree. Nothing is on
// disk before Commit, so that a crash between the two executes it again.
func (a *App) FinalizeBlock(_ context.Context, r *types.RequestFinalizeBlock) (*types.ResponseFinalizeBlock, error) {
	if want := a.tree.Version() + 1; r.Height != want {
		return nil, a.fail(fmt.Errorf("block %d decided, the state is at %d", r.Height, want-1))
	}
	if a.halted != nil {
		return nil, a.halted
	}
	a.mayRestore = false
	if err := a.rewind(); err != nil {
		return nil, a.fail(err)
	}
	done := a.decided
	if done == nil || done.height != r.Height || len(r.Hash) == 0 || !bytes.Equal(done.hash, r.Hash) {
		var err error
		if done, err = a.run(proposal{r.Hash, r.Height, r.Time, r.Txs, r.Misbehavior}, false); err != nil {
			return nil, a.fail(err)
		}
	}
	a.decided = nil
	if err := done.overlay.Flush(); err != nil {
		return nil, a.fail(err)
	}
	root, err := a.tree.WorkingHash()
	if err != nil {
		return nil, a.fail(err)
	}
	a.lastTime = r.Time.Unix()
	a.last = Commit{Time: r.Time, Hash: bytes.Clone(r.Hash), Txs: a.executed(r.Txs, done.results)}
	return &types.ResponseFinalizeBlock{TxResults: txResults(done.results), ValidatorUpdates: done.updates, ConsensusParamUpdates: done.params, AppHash: root}, nil
}

// Commit makes the executed block's state durable.
func (a *App) Commit(context.Context, *types.RequestCommit) (*types.ResponseCommit, error) {
	changed := a.tree.Pending()
	version, _, err := a.tree.Commit()
	if err != nil {
		return nil, a.fail(err)
	}
	a.reads.settle()
	a.resetCheck()
	a.last.Height, a.last.Keys, a.last.Values = version, changed, a.reads.held(changed)
	a.told(a.last)
	a.last = Commit{}
	a.log.Debug("committed", "height", version)
	_ = a.halt() // the block is committed; engine and next block mind Failed
	return &types.ResponseCommit{RetainHeight: a.retain(version)}, nil
}

// proposal is what of a block its execution depends on.
type proposal struct {
	hash     []byte
	height   int64
	time     time.Time
	txs      [][]byte
	evidence []types.Misbehavior
}

// run executes a block's evidence and then its transactions on an overlay over
// the tree. An error means that this node could not; refusals stand in the
// results. If all must execute, it ends at the first refusal.
func (a *App) run(p proposal, all bool) (*execution, error) {
	done := &execution{
		hash: bytes.Clone(p.hash), height: p.height,
		overlay: state.NewOverlay(a.reads), results: make([]error, len(p.txs)),
	}
	block := a.block(p.height, p.time)
	if err := a.punish(done.overlay, block, p.evidence); err != nil {
		return nil, fmt.Errorf("evidence of block %d: %w", p.height, err)
	}
	for i, raw := range p.txs {
		if i%aheadTxs == 0 {
			a.verifyAhead(p.txs[i:min(i+aheadTxs, len(p.txs))])
		}
		err := a.execute(done.overlay, block, raw)
		if CodeOf(err) == CodeInternal {
			return nil, fmt.Errorf("execute transaction %s of block %d: %w", txKey(raw), p.height, err)
		}
		done.results[i] = err
		if err != nil && all {
			break
		}
	}
	var err error
	if done.updates, err = a.updates(done.overlay, p.height); err != nil {
		return nil, err
	}
	done.params, err = a.params(done.overlay, p.height)
	return done, err
}

func (a *App) block(height int64, at time.Time) state.Block {
	return state.Block{Chain: a.chain, Height: height, Time: at.Unix(), Verify: a.seen.check}
}

// execute decodes and executes one transaction; on error nothing of it stays.
func (a *App) execute(s state.Tree, b state.Block, raw []byte) error {
	k, err := a.known.decode(raw)
	if err != nil {
		return err
	}
	if err := state.Execute(s, b, k.tx); err != nil {
		return err
	}
	k.warm = true
	return nil
}

// executed is a block's transactions as they are told. All were decoded before,
// so that the cache answers.
func (a *App) executed(raws [][]byte, results []error) []Executed {
	if len(raws) == 0 {
		return nil
	}
	out := make([]Executed, len(raws))
	for i, raw := range raws {
		out[i].Code = CodeOf(results[i])
		if k, err := a.known.decode(raw); err == nil {
			out[i].Tx = k.tx
		}
	}
	return out
}

func txResults(errs []error) []*types.ExecTxResult {
	out := make([]*types.ExecTxResult, len(errs))
	for i, err := range errs {
		out[i] = &types.ExecTxResult{Code: CodeOf(err)}
		if err != nil {
			out[i].Log, out[i].Codespace = logText(err), Codespace
		}
	}
	return out
}

// protoSize is what a transaction takes in a block: tag, length and bytes.
func protoSize(raw []byte) int64 {
	n := int64(len(raw)) + 2
	for l := len(raw); l >= 0x80; l >>= 7 {
		n++
	}
	return n
}
