package engine

import (
	"errors"
	"fmt"

	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/store"

	"github.com/hybridos-net/hybridos/node/cometdb"
)

// Heights is how far the stores of a stopped node have come.
type Heights struct {
	Base  int64 // oldest block, 0: none
	Block int64 // newest block, 0: none
	State int64 // executed; one below Block after a crash
	Begun bool  // no block yet, but a state from outside from which it goes on
}

// Inspect reads the stores of a stopped node.
func Inspect(dir string) (h Heights, err error) {
	err = offline(dir, func(blocks *store.BlockStore, states state.Store) error {
		last, err := states.Load()
		h = Heights{Base: blocks.Base(), Block: blocks.Height(), State: last.LastBlockHeight, Begun: err == nil && begun(blocks, last)}
		return err
	})
	return h, err
}

// Rollback makes a stopped node forget that it executed its newest block, and
// gives the height at which it stands then; the application must go back to the
// same. The block stays, and is executed again at the next start.
func Rollback(dir string) (height int64, err error) {
	err = offline(dir, func(blocks *store.BlockStore, states state.Store) (err error) {
		height, _, err = state.Rollback(blocks, states, false)
		return err
	})
	return height, err
}

// offline opens both stores for a moment. CometBFT panics on damaged ones.
func offline(dir string, f func(*store.BlockStore, state.Store) error) (err error) {
	s := config.DefaultConfig().SetRoot(dir)
	s.DBPath = storeDir
	stores := cometdb.NewProvider(nil)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrUnfit, r)
		}
		err = errors.Join(err, stores.Close())
	}()
	blocks, err := stores.Open(&config.DBContext{ID: "blockstore", Config: s})
	if err != nil {
		return err
	}
	states, err := stores.Open(&config.DBContext{ID: "state", Config: s})
	if err != nil {
		return err
	}
	return f(store.NewBlockStore(blocks), state.NewStore(states, state.StoreOptions{}))
}
