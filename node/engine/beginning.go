package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/store"
	"github.com/cometbft/cometbft/types"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/store/snapshot"
	"github.com/hybridos-net/hybridos/node/cometdb"
)

// ErrNotOurs: the headers of an exported state are not of this ledger, or too
// little is trusted to verify them; the cause is behind it.
var ErrNotOurs = errors.New("the headers of the file cannot be verified")

// lightBlock reads a light block from the stores.
func lightBlock(blocks state.BlockStore, states state.Store, height int64) ([]byte, error) {
	meta := blocks.LoadBlockMeta(height)
	commit := blocks.LoadBlockCommit(height)
	if commit == nil { // the commit of the newest block stands in no block yet
		commit = blocks.LoadSeenCommit(height)
	}
	if meta == nil || commit == nil {
		return nil, fmt.Errorf("light block %d: %w", height, ErrNoHeight)
	}
	vals, err := states.LoadValidators(height)
	if err != nil {
		return nil, fmt.Errorf("validators of height %d: %w", height, err)
	}
	b := types.LightBlock{
		SignedHeader: &types.SignedHeader{Header: &meta.Header, Commit: commit}, ValidatorSet: vals,
	}
	p, err := b.ToProto()
	if err != nil {
		return nil, fmt.Errorf("light block %d: %w", height, err)
	}
	return p.Marshal()
}

// Headers reads the light blocks that stand in an export of a height's state
// from the stores of a stopped node. The block after the last of them must be
// there: only then is the commit the one that stands in the chain, and the export
// the same on every node.
func Headers(dir string, height int64) (out [][]byte, err error) {
	err = offline(dir, func(blocks *store.BlockStore, states state.Store) error {
		if last := blocks.Height(); height < 1 || height+snapshot.FileBlocks > last {
			return fmt.Errorf("height %d needs the %d blocks after it, and the newest is %d: %w", height, snapshot.FileBlocks, last, ErrNoHeight)
		}
		for h := height; h < height+snapshot.FileBlocks; h++ {
			raw, err := lightBlock(blocks, states, h)
			if err != nil {
				return err
			}
			out = append(out, raw)
		}
		return nil
	})
	return out, err
}

// Beginning is a height at which a node may begin without the blocks before,
// as its headers tell.
type Beginning struct {
	state  state.State
	commit *types.Commit
}

// Root is what the state's root must be.
func (b *Beginning) Root() []byte { return b.state.AppHash }

// VerifyHeaders judges the light blocks of an export: from the header of its
// height where its hash is trusted (64 hex digits, told by somebody whom the
// operator trusts), else from the genesis document. A trusted header may be old;
// then the time of the last header counts, not that of the clock.
func VerifyHeaders(ctx context.Context, doc *genesis.Doc, blocks [][]byte, height int64, trusted []byte) (*Beginning, error) {
	from := Sync{Source: filed{height, blocks}}
	if trusted != nil {
		last, err := light.DecodeBlock(doc.ChainID, blocks[len(blocks)-1])
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotOurs, err)
		}
		from.TrustHeight, from.TrustHash, from.Now = height, trusted, last.Header.GetTime
	}
	p := &provider{cfg: from, doc: doc, log: slog.New(slog.DiscardHandler)}
	verified, err := p.verify(ctx, height)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotOurs, err)
	}
	p.height, p.blocks = height, verified
	st, err := p.State(ctx, uint64(height))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotOurs, err)
	}
	return &Beginning{state: st, commit: verified[0].Commit}, nil
}

// filed gives the headers of a file.
type filed struct {
	first  int64
	blocks [][]byte
}

var _ light.Source = filed{}

// LightBlock gives a header of the file, 0 the last.
func (f filed) LightBlock(_ context.Context, height int64) ([]byte, error) {
	if height == 0 {
		height = f.first + int64(len(f.blocks)) - 1
	}
	if height < f.first || height >= f.first+int64(len(f.blocks)) {
		return nil, fmt.Errorf("the file has headers %d to %d, not %d: %w", f.first, f.first+int64(len(f.blocks))-1, height, ErrNoHeight)
	}
	return f.blocks[height-f.first], nil
}

// Prove is not asked for.
func (filed) Prove(context.Context, []byte, int64) (light.Proof, error) {
	return light.Proof{}, errors.New("a file of headers has no proofs")
}

// Plant writes the stores of a node that begins there into an engine's folder
// that has none.
func (b *Beginning) Plant(dir string) (err error) {
	stores := cometdb.NewProvider(nil)
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("write stores: %v", r)
		}
		err = errors.Join(err, stores.Close())
	}()
	s := config.DefaultConfig().SetRoot(dir)
	s.DBPath = storeDir
	blocks, err := stores.Open(&config.DBContext{ID: "blockstore", Config: s})
	if err != nil {
		return err
	}
	states, err := stores.Open(&config.DBContext{ID: "state", Config: s})
	if err != nil {
		return err
	}
	if err := state.NewStore(states, state.StoreOptions{}).Bootstrap(b.state); err != nil {
		return err
	}
	// Last, and synced with the store's end: it is what resumeImport looks for.
	return store.NewBlockStore(blocks).SaveSeenCommit(b.state.LastBlockHeight, b.commit)
}

// resumeImport tells CometBFT to begin after an imported state, as long as no
// block has been stored. CometBFT forgets it with each start, and would find its
// stores damaged at the next.
func resumeImport(blockDB, stateDB db.DB) error {
	blocks, states := store.NewBlockStore(blockDB), state.NewStore(stateDB, state.StoreOptions{})
	last, err := states.Load()
	if err != nil || !begun(blocks, last) {
		return err
	}
	return states.SetOfflineStateSyncHeight(last.LastBlockHeight)
}

// begun reports whether the stores hold a state without blocks and the commit
// for it, from which a node can go on.
func begun(blocks *store.BlockStore, last state.State) bool {
	return last.LastBlockHeight > 0 && blocks.Height() == 0 && blocks.LoadSeenCommit(last.LastBlockHeight) != nil
}
