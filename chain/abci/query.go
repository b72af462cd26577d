package abci

import (
	"context"
	"errors"
	"fmt"

	"github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/proto/tendermint/crypto"

	"github.com/hybridos-net/hybridos/chain/store"
)

// PathRecord is the one query path: the data is a record's key.
const PathRecord = "/record"

// proofType is how CometBFT's envelope names our proofs.
const proofType = "ics23:iavl"

// Record is a record's value at a height, with its proof.
type Record struct {
	// Version is the block after which the record had this value. The root of
	// that state stands in header Version+1.
	Version int64
	// Value is nil if there is no such record.
	Value []byte
	// Proof is an ics23 proof of the value or of its absence.
	Proof []byte
}

// Prove reads and proves a record after the given block; 0 means the newest
// that a committed header vouches for. It is safe beside everything else.
func (a *App) Prove(version int64, key []byte) (Record, error) {
	last := a.tree.Version()
	if version == 0 {
		version = last - 1
	}
	value, proof, err := a.tree.ProveAt(version, key)
	if err != nil {
		return Record{}, fmt.Errorf("prove record %x after block %d: %w", key, version, err)
	}
	return Record{Version: version, Value: value, Proof: proof}, nil
}

// Query answers PathRecord; the height is as in Prove.
func (a *App) Query(_ context.Context, r *types.RequestQuery) (*types.ResponseQuery, error) {
	if r.Path != PathRecord {
		return badQuery(CodeBadQuery, fmt.Errorf("unknown path %q, want %q", r.Path, PathRecord)), nil
	}
	if r.Height < 0 {
		return badQuery(CodeBadQuery, fmt.Errorf("height %d", r.Height)), nil
	}
	rec, err := a.Prove(r.Height, r.Data)
	if err != nil {
		return badQuery(queryCode(err), err), nil
	}
	out := &types.ResponseQuery{Key: r.Data, Value: rec.Value, Height: rec.Version}
	if r.Prove {
		out.ProofOps = &crypto.ProofOps{Ops: []crypto.ProofOp{{Type: proofType, Key: r.Data, Data: rec.Proof}}}
	}
	return out, nil
}

func badQuery(code uint32, err error) *types.ResponseQuery {
	return &types.ResponseQuery{Code: code, Log: logText(err), Codespace: Codespace}
}

func queryCode(err error) uint32 {
	switch {
	case errors.Is(err, store.BadKey):
		return CodeBadQuery
	case errors.Is(err, store.NoVersion):
		return CodeNoHeight
	default:
		return CodeInternal
	}
}
