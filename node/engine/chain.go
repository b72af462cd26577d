package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/types"
)

// ErrNoHeight: this node has no such block, or not yet.
var ErrNoHeight = errors.New("no such height")

// LightBlock is the protobuf LightBlock of a height, 0 the newest: header,
// commit and validators, as chain/light takes them.
func (e *Engine) LightBlock(height int64) ([]byte, error) {
	last := e.env.BlockStore.Height()
	if height == 0 {
		height = last
	}
	if height < 1 || height > last {
		return nil, fmt.Errorf("light block %d, the newest is %d: %w", height, last, ErrNoHeight)
	}
	return lightBlock(e.env.BlockStore, e.env.StateStore, height)
}

// Block is a committed block as far as an index needs it.
type Block struct {
	Time  time.Time
	Hash  []byte // of the header
	Txs   [][]byte
	Codes []uint32 // of each transaction
}

// Base is the height of the oldest block that is kept, 0 if there is none.
func (e *Engine) Base() int64 { return e.env.BlockStore.Base() }

// Block gives a committed block with its outcomes; ErrNoHeight if this node does
// not have both: it was pruned, or the node began with a newer snapshot.
func (e *Engine) Block(height int64) (out Block, err error) {
	defer func() { // CometBFT's stores do that on damaged bytes
		if r := recover(); r != nil {
			err = fmt.Errorf("block %d: %w: %v", height, ErrUnfit, r)
		}
	}()
	b, meta := e.env.BlockStore.LoadBlock(height), e.env.BlockStore.LoadBlockMeta(height)
	if b == nil || meta == nil {
		return Block{}, fmt.Errorf("block %d: %w", height, ErrNoHeight)
	}
	results, err := e.env.StateStore.LoadFinalizeBlockResponse(height)
	if errors.As(err, &state.ErrNoABCIResponsesForHeight{}) {
		return Block{}, fmt.Errorf("results of block %d: %w", height, ErrNoHeight)
	}
	if err != nil {
		return Block{}, fmt.Errorf("results of block %d: %w", height, err)
	}
	if len(results.TxResults) != len(b.Txs) {
		return Block{}, fmt.Errorf("%d results of %d transactions in block %d", len(results.TxResults), len(b.Txs), height)
	}
	out = Block{Time: b.Time, Hash: meta.BlockID.Hash, Txs: b.Txs.ToSliceOfBytes()}
	for _, r := range results.TxResults {
		out.Codes = append(out.Codes, r.Code)
	}
	return out, nil
}

// HeaderHash is the hash of the header of a height, nil if it is not here.
func (e *Engine) HeaderHash(height int64) []byte {
	meta := e.env.BlockStore.LoadBlockMeta(height)
	if meta == nil {
		return nil
	}
	return meta.BlockID.Hash
}

// Stats is what this node knows of the chain and itself.
type Stats struct {
	Height    int64
	Hash      []byte        // of the newest header
	Time      time.Time     // of the newest header
	Interval  time.Duration // between the last two headers
	Txs       uint64        // executed since the start of the process
	Failed    uint64        // of these, refused in a block
	Submitted uint64        // handed in at this node
	Refused   uint64        // of these, refused before any block
	Peers     int           // in the consensus network
	Mempool   int           // transactions waiting
	Syncing   bool          // still catching up
	Validator bool          // this node's key is among the validators
}

// Stats gives a snapshot.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	s := e.stats
	e.mu.Unlock()
	s.Peers = e.comet.Switch().Peers().Size()
	s.Mempool = e.comet.Mempool().Size()
	s.Syncing = !e.caughtUp()
	return s
}

func (e *Engine) isValidator(height int64) bool {
	vals, err := e.env.StateStore.LoadValidators(height)
	if err != nil {
		return false
	}
	return vals.HasAddress(e.env.PubKey.Address())
}

// loadStats starts the statistics from the newest block on disk.
func (e *Engine) loadStats() {
	height := e.env.BlockStore.Height()
	e.stats.Validator = e.isValidator(max(height, 1))
	if meta := e.env.BlockStore.LoadBlockMeta(height); meta != nil {
		e.stats.Height, e.stats.Hash, e.stats.Time = height, meta.BlockID.Hash, meta.Header.Time
	}
}

// handle takes note of a new block, answers who waits for its transactions and
// announces it.
func (e *Engine) handle(b types.EventDataNewBlock) error {
	if err := e.remember(b); err != nil {
		return err
	}
	h := &b.Block.Header
	validator := e.isValidator(h.Height)
	e.mu.Lock()
	if !e.stats.Time.IsZero() {
		e.stats.Interval = h.Time.Sub(e.stats.Time)
	}
	e.stats.Height, e.stats.Hash, e.stats.Time, e.stats.Validator = h.Height, b.BlockID.Hash, h.Time, validator
	for i, raw := range b.Block.Txs {
		r := b.ResultFinalizeBlock.TxResults[i]
		e.stats.Txs++
		if r.Code != 0 {
			e.stats.Failed++
		}
		e.settle(raw.Key(), Outcome{Code: r.Code, Log: r.Log, Height: h.Height, Block: b.BlockID.Hash})
	}
	left := e.unsettled()
	e.mu.Unlock()
	e.recheck(left)
	e.log.Info("block", "height", h.Height, "txs", len(b.Block.Txs), "time", h.Time)
	if !e.caughtUp() && !e.keepsStep() {
		return nil
	}
	select {
	case <-e.heads: // nobody has read the one before
	default:
	}
	e.heads <- h.Height
	return nil
}
