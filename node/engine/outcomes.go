package engine

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/state"
	ledger "github.com/cometbft/cometbft/types"
)

// outcomes remembers the fate of each committed transaction on disk, 44 bytes
// each, so that whoever hands in the same bytes again after a restart or long
// after learns it. CometBFT's own index would keep the whole transaction twice,
// with its events, and cost a tenth of a validator's processor time.
//
// Layout: 't' || SHA-256 of the transaction -> height, code; 'h' -> the height
// up to which blocks were taken in, all big-endian. It is written without
// waiting for the disk and caught up from the block store after a crash.
type outcomes struct {
	db     db.DB
	height int64 // blocks up to here were taken in
}

const (
	outcomePrefix = 't'
	outcomeSize   = 8 + 4
)

var outcomeHeight = []byte{'h'}

func openOutcomes(store db.DB) (*outcomes, error) {
	raw, err := store.Get(outcomeHeight)
	if err != nil {
		return nil, fmt.Errorf("outcomes: %w", err)
	}
	o := &outcomes{db: store}
	switch len(raw) {
	case 0:
	case 8:
		o.height = int64(binary.BigEndian.Uint64(raw))
	default:
		return nil, fmt.Errorf("outcomes: height of %d bytes", len(raw))
	}
	return o, nil
}

// get finds a transaction's height and code.
func (o *outcomes) get(key ledger.TxKey) (height int64, code uint32, ok bool, err error) {
	raw, err := o.db.Get(outcomeKey(key))
	if err != nil || raw == nil {
		return 0, 0, false, err
	}
	if len(raw) != outcomeSize {
		return 0, 0, false, fmt.Errorf("outcomes: record of %d bytes", len(raw))
	}
	return int64(binary.BigEndian.Uint64(raw)), binary.BigEndian.Uint32(raw[8:]), true, nil
}

func outcomeKey(key ledger.TxKey) []byte { return append([]byte{outcomePrefix}, key[:]...) }

// take writes a block's outcomes in one batch. A refusal never hides that the
// same transaction executed before.
func (o *outcomes) take(height int64, txs ledger.Txs, results []*types.ExecTxResult) (err error) {
	if len(results) != len(txs) {
		return fmt.Errorf("outcomes: %d results of %d transactions in block %d", len(results), len(txs), height)
	}
	batch := o.db.NewBatch()
	defer func() { err = errors.Join(err, batch.Close()) }()
	for i, raw := range txs {
		key, code := raw.Key(), results[i].Code
		if code != 0 {
			_, before, known, err := o.get(key)
			if err != nil {
				return err
			}
			if known && before == 0 {
				continue
			}
		}
		value := binary.BigEndian.AppendUint64(make([]byte, 0, outcomeSize), uint64(height))
		if err := batch.Set(outcomeKey(key), binary.BigEndian.AppendUint32(value, code)); err != nil {
			return err
		}
	}
	if err := batch.Set(outcomeHeight, binary.BigEndian.AppendUint64(nil, uint64(height))); err != nil {
		return err
	}
	if err := batch.Write(); err != nil {
		return err
	}
	o.height = height
	return nil
}

// catchUp takes in the blocks up to a height from CometBFT's stores. What was
// pruned there, or never came because the node started from a snapshot, stays
// unknown.
func (e *Engine) catchUp(height int64) error {
	for h := max(e.outcomes.height+1, e.env.BlockStore.Base(), 1); h <= height; h++ {
		block := e.env.BlockStore.LoadBlock(h)
		results, err := e.env.StateStore.LoadFinalizeBlockResponse(h)
		if block == nil || errors.As(err, &state.ErrNoABCIResponsesForHeight{}) {
			continue
		}
		if err != nil {
			return fmt.Errorf("outcomes: results of block %d: %w", h, err)
		}
		if err := e.outcomes.take(h, block.Txs, results.TxResults); err != nil {
			return err
		}
	}
	return nil
}

// remember takes in a new block, and those before it that were missed.
func (e *Engine) remember(b ledger.EventDataNewBlock) error {
	height := b.Block.Height
	if err := e.catchUp(height - 1); err != nil {
		return err
	}
	if height <= e.outcomes.height {
		return nil // taken in already
	}
	return e.outcomes.take(height, b.Block.Txs, b.ResultFinalizeBlock.TxResults)
}
