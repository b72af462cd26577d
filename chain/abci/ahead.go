package abci

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
)

// task is one signature that execution will probably want.
type task struct {
	key    key.Public
	digest [32]byte
	sig    key.Signature
}

// verifyAhead verifies the signatures of a block's transactions on all
// processors and leaves the valid ones in the cache, where execution, which
// goes through the transactions one by one, finds them. It decides nothing: the
// keys are those of the state before the block, and what a transaction of the
// same block changes about them, what is invalid and what does not decode is
// execution's business. So neither the number of processors nor the order of
// the workers can reach a result.
func (a *App) verifyAhead(txs [][]byte) {
	var tasks []task
	for _, raw := range txs {
		k, err := a.known.decode(raw)
		if err != nil || k.warm {
			continue
		}
		digest := k.tx.Digest(a.chain)
		for _, s := range state.Signatures(a.reads, k.tx) {
			tasks = append(tasks, task{key: s.Key, digest: digest, sig: s.Sig})
		}
	}
	if len(tasks) < 2 {
		return // nothing to gain
	}
	workers := min(runtime.GOMAXPROCS(0), maxWorkers, len(tasks))
	var next atomic.Int64
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(tasks)); i = next.Add(1) - 1 {
				t := tasks[i]
				_ = a.seen.check(t.key, t.digest, t.sig) // execution says why one is bad
			}
		})
	}
	running.Wait()
}
