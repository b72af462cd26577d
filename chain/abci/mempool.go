package abci

import (
	"context"

	"github.com/cometbft/cometbft/abci/types"

	"github.com/hybridos-net/hybridos/chain/state"
)

// CheckTx admits a transaction to the mempool if it would execute after the
// last block and what already stands there. So several transactions of one
// account can stand in line, and none that cannot execute is ever gossiped.
func (a *App) CheckTx(_ context.Context, r *types.RequestCheckTx) (*types.ResponseCheckTx, error) {
	err := a.admit(r.Tx)
	if err == nil {
		return &types.ResponseCheckTx{Code: CodeOK}, nil
	}
	return &types.ResponseCheckTx{Code: CodeOf(err), Log: logText(err), Codespace: Codespace}, nil
}

func (a *App) admit(raw []byte) error {
	return a.execute(a.check, a.admissionBlock(), raw) // size first, then shape, then state, signatures last
}

// admissionBlock guesses the next block. Its time may be hours after the last
// one's, when a ledger starts or has stood still, so the clock is asked.
func (a *App) admissionBlock() state.Block {
	return state.Block{
		Chain:  a.chain,
		Height: a.tree.Version() + 1,
		Time:   max(a.lastTime, a.now().Unix()),
		Verify: a.seen.check,
	}
}

// resetCheck forgets what stood in the mempool; CometBFT checks what is left
// of it again after each block.
func (a *App) resetCheck() { a.check = state.NewOverlay(a.reads) }

func logText(err error) string {
	s := err.Error()
	if len(s) > maxLog {
		s = s[:maxLog]
	}
	return s
}
