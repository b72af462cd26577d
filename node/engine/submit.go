package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/mempool"
	ledger "github.com/cometbft/cometbft/types"
)

// Reasons why a transaction could not be taken; the caller may try again.
var (
	// ErrSyncing: this node is still catching up.
	ErrSyncing = errors.New("this node is still catching up")
	// ErrFull: too many transactions wait for a block.
	ErrFull = errors.New("too many transactions wait for a block")
	// ErrStopped: the node stopped before the transaction's fate was known.
	ErrStopped = errors.New("this node has stopped")
)

// Outcome is the fate of a transaction.
type Outcome struct {
	Code   uint32 // 0: executed
	Log    string
	Height int64  // the block; 0: refused before any
	Block  []byte // hash of the block's header
}

// waiter is a transaction whose submitters wait.
type waiter struct {
	raw     []byte
	users   int
	done    chan struct{} // closed when outcome or err is set
	outcome Outcome
	err     error
}

// Submit hands a transaction in and waits until it is in a block or refused.
// When ctx ends before, its fate is open; submitting the same bytes again is
// safe and gives the outcome.
func (e *Engine) Submit(ctx context.Context, raw []byte) (Outcome, error) {
	if !e.caughtUp() {
		return Outcome{}, ErrSyncing
	}
	key := ledger.Tx(raw).Key()
	w, known := e.await(key, raw)
	if w == nil {
		return known, nil
	}
	defer e.forget(key, w)
	if out, ok := e.indexed(key); ok {
		return out, nil
	}
	if out, err := e.handIn(ctx, raw); err != nil || out.Code != 0 {
		e.count(out.Code != 0)
		return out, err
	}
	e.count(false)
	select {
	case <-w.done:
		return w.outcome, w.err
	case <-ctx.Done():
		return Outcome{}, fmt.Errorf("wait for a block: %w", ctx.Err())
	}
}

// await registers a waiter, or gives the outcome if it is known already.
func (e *Engine) await(key ledger.TxKey, raw []byte) (*waiter, Outcome) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if out, ok := e.recent[key]; ok {
		return nil, out
	}
	w := e.waiting[key]
	if w == nil {
		w = &waiter{raw: raw, done: make(chan struct{})}
		e.waiting[key] = w
	}
	w.users++
	return w, Outcome{}
}

func (e *Engine) forget(key ledger.TxKey, w *waiter) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if w.users--; w.users == 0 && e.waiting[key] == w {
		delete(e.waiting, key)
	}
}

// indexed finds a transaction that was committed long ago.
func (e *Engine) indexed(key ledger.TxKey) (Outcome, bool) {
	height, code, known, err := e.outcomes.get(key)
	if err != nil || !known { // an unknown one is judged by the ledger, which never executes it twice
		return Outcome{}, false
	}
	out := Outcome{Code: code, Height: height}
	if meta := e.env.BlockStore.LoadBlockMeta(height); meta != nil {
		out.Block = meta.BlockID.Hash
	}
	return out, out.Block != nil
}

// handIn puts a transaction into the mempool. One that is there already is no
// error: somebody handed in the same bytes.
func (e *Engine) handIn(ctx context.Context, raw []byte) (Outcome, error) {
	answer := make(chan *types.ResponseCheckTx, 1)
	err := e.env.Mempool.CheckTx(raw, func(r *types.ResponseCheckTx) { answer <- r }, mempool.TxInfo{})
	var full mempool.ErrMempoolIsFull
	switch {
	case errors.Is(err, mempool.ErrTxInCache):
		return Outcome{}, nil
	case errors.As(err, &full):
		return Outcome{}, ErrFull
	case err != nil:
		return e.tooLarge(raw, err)
	}
	select {
	case r := <-answer:
		return Outcome{Code: r.Code, Log: r.Log}, nil
	case <-ctx.Done():
		return Outcome{}, fmt.Errorf("wait for the check: %w", ctx.Err())
	}
}

// tooLarge lets the application say what CometBFT refuses by itself.
func (e *Engine) tooLarge(raw []byte, cause error) (Outcome, error) {
	var large mempool.ErrTxTooLarge
	if !errors.As(cause, &large) {
		return Outcome{}, fmt.Errorf("hand in: %w", cause)
	}
	r, err := e.env.ProxyAppMempool.CheckTx(context.Background(), &types.RequestCheckTx{Tx: raw})
	if err != nil {
		return Outcome{}, fmt.Errorf("hand in: %w", err)
	}
	return Outcome{Code: r.Code, Log: r.Log}, nil
}

func (e *Engine) count(refused bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.Submitted++
	if refused {
		e.stats.Refused++
	}
}

// settle remembers the fate of a transaction; mu is held.
func (e *Engine) settle(key ledger.TxKey, out Outcome) {
	if _, ok := e.recent[key]; !ok {
		e.ring = append(e.ring, key)
	}
	e.recent[key] = out
	if len(e.ring) > maxRecent {
		delete(e.recent, e.ring[0])
		e.ring = e.ring[1:]
	}
	e.answer(key, out, nil)
}

// answer wakes who waits for a transaction; mu is held.
func (e *Engine) answer(key ledger.TxKey, out Outcome, err error) {
	if w := e.waiting[key]; w != nil {
		w.outcome, w.err = out, err
		close(w.done)
		delete(e.waiting, key)
	}
}

// unsettled lists what is still waited for; mu is held.
func (e *Engine) unsettled() []*waiter {
	out := make([]*waiter, 0, len(e.waiting))
	for _, w := range e.waiting {
		out = append(out, w)
	}
	return out
}

// recheck finds the transactions that the mempool dropped because a block made
// them impossible, so that nobody waits for them in vain. What is still in the
// mempool is not touched.
func (e *Engine) recheck(left []*waiter) {
	for _, w := range left {
		key := ledger.Tx(w.raw).Key()
		_ = e.env.Mempool.CheckTx(w.raw, func(r *types.ResponseCheckTx) {
			if r.Code == 0 {
				return
			}
			e.mu.Lock()
			defer e.mu.Unlock()
			if _, committed := e.recent[key]; !committed {
				e.answer(key, Outcome{Code: r.Code, Log: r.Log}, nil)
			}
		}, mempool.TxInfo{})
	}
}

// failWaiters wakes everybody when the node stops.
func (e *Engine) failWaiters() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for key := range e.waiting {
		e.answer(key, Outcome{}, ErrStopped)
	}
}
