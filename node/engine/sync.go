package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cometbft/cometbft/config"
	cmtstate "github.com/cometbft/cometbft/proto/tendermint/state"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/statesync"
	"github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/store/snapshot"
)

// Sync lets a node without blocks begin with a snapshot of the state from its
// peers. What such a snapshot must hold is told by headers that a light client
// of our own verifies from the genesis document, or from the header that the
// operator names; CometBFT's RPC has no part in it.
type Sync struct {
	// Source gives headers; nothing that it says is believed.
	Source light.Source
	// TrustHeight and TrustHash name a header to begin from, where the genesis
	// document is older than the trusting period; 0: the genesis document.
	TrustHeight int64
	TrustHash   []byte
	// Now is the time by which headers are judged; nil: time.Now.
	Now func() time.Time
}

var (
	// ErrSync: CometBFT gave up looking for a snapshot; the cause is behind it.
	ErrSync = errors.New("no state could be synced from peers")
	// ErrTrust: the header that the operator trusts is not on the ledger.
	ErrTrust = errors.New("the ledger has no such header as the one to trust")
)

// behind is how many blocks the nodes asked may be behind a peer that has a
// snapshot.
const behind = 3

// provider tells CometBFT what the state at a height must be. It asks again
// until ctx ends, for the two headers after a new snapshot may have to come first.
type provider struct {
	cfg Sync
	doc *genesis.Doc
	log *slog.Logger

	mu     sync.Mutex
	height int64                // of blocks
	blocks [3]*types.LightBlock // verified: of height and the two after it
}

var _ statesync.StateProvider = (*provider)(nil)

// AppHash implements statesync.StateProvider.
func (p *provider) AppHash(ctx context.Context, height uint64) ([]byte, error) {
	b, err := p.at(ctx, height)
	if err != nil {
		return nil, err
	}
	return b[1].AppHash, nil
}

// Commit implements statesync.StateProvider.
func (p *provider) Commit(ctx context.Context, height uint64) (*types.Commit, error) {
	b, err := p.at(ctx, height)
	if err != nil {
		return nil, err
	}
	return b[0].Commit, nil
}

// State implements statesync.StateProvider. Headers vouch for all of it.
func (p *provider) State(ctx context.Context, height uint64) (state.State, error) {
	b, err := p.at(ctx, height)
	if err != nil {
		return state.State{}, err
	}
	doc, err := genesisDoc(p.doc)
	if err != nil {
		return state.State{}, err
	}
	params := *doc.ConsensusParams
	params.Version.App = b[1].Version.App
	if !bytes.Equal(params.Hash(), b[1].ConsensusHash) {
		return state.State{}, errors.New("the ledger has other consensus parameters than this program knows")
	}
	return state.State{
		Version: cmtstate.Version{Consensus: b[1].Version, Software: version.TMCoreSemVer},
		ChainID: p.doc.ChainID, InitialHeight: 1,
		LastBlockHeight: b[0].Height, LastBlockTime: b[0].Time, LastBlockID: b[0].Commit.BlockID,
		AppHash: b[1].AppHash, LastResultsHash: b[1].LastResultsHash,
		LastValidators: b[0].ValidatorSet, Validators: b[1].ValidatorSet, NextValidators: b[2].ValidatorSet,
		LastHeightValidatorsChanged: b[2].Height,
		ConsensusParams:             params, LastHeightConsensusParamsChanged: b[1].Height,
	}, nil
}

// at gives the verified headers of a height and of the two after it.
func (p *provider) at(ctx context.Context, height uint64) ([3]*types.LightBlock, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if height == 0 || height > 1<<62 {
		return p.blocks, fmt.Errorf("height %d", height)
	}
	if p.height == int64(height) {
		return p.blocks, nil
	}
	for {
		blocks, err := p.verify(ctx, int64(height))
		if err == nil {
			p.height, p.blocks = int64(height), blocks
			return blocks, nil
		}
		p.log.Debug("headers of a snapshot not verified", "height", height, "err", err)
		if errors.Is(err, errTooHigh) {
			return blocks, err
		}
		if d, ok := p.cfg.Source.(light.Doubter); ok {
			d.Doubt()
		}
		select {
		case <-ctx.Done():
			return blocks, err
		case <-time.After(lookPause):
		}
	}
}

// errTooHigh: the snapshot is said to be of a height that the ledger has not
// come to.
var errTooHigh = errors.New("the ledger is not as high")

// verify asks once.
func (p *provider) verify(ctx context.Context, height int64) (out [3]*types.LightBlock, err error) {
	newest, err := p.client(ctx)
	if err != nil {
		return out, err
	}
	head, err := newest.Update(ctx)
	if err != nil {
		return out, err
	}
	if height > head.Height+behind {
		return out, fmt.Errorf("%w: %d, its head is %d", errTooHigh, height, head.Height)
	}
	c, err := p.client(ctx) // a head never goes back
	if err != nil {
		return out, err
	}
	for i := range out {
		if out[i], err = p.header(ctx, c, height+int64(i)); err != nil {
			return out, err
		}
	}
	return out, checkProposers(out)
}

// header fetches a header, has it verified, and gives it in CometBFT's form.
func (p *provider) header(ctx context.Context, c *light.Client, height int64) (*types.LightBlock, error) {
	raw, err := p.cfg.Source.LightBlock(ctx, height)
	if err != nil {
		return nil, err
	}
	b, err := light.DecodeBlock(p.doc.ChainID, raw)
	if err != nil {
		return nil, err
	}
	if b.Header.Height != height {
		return nil, fmt.Errorf("asked for header %d, got %d", height, b.Header.Height)
	}
	head, err := c.Offer(ctx, raw)
	if err != nil {
		return nil, err
	}
	if head.Height != height || !bytes.Equal(head.Hash, b.Hash[:]) {
		return nil, fmt.Errorf("header %d is another than the one verified", height)
	}
	var pb cmtproto.LightBlock
	if err := pb.Unmarshal(raw); err != nil {
		return nil, err
	}
	out, err := types.LightBlockFromProto(&pb)
	if err != nil {
		return nil, err
	}
	return out, out.ValidateBasic(p.doc.ChainID)
}

// checkProposers looks at what no hash covers: whose turn it is. A wrong order
// would not let anything false pass, but keep this node from following. The
// header tells who proposed it, where the first round succeeded.
func checkProposers(blocks [3]*types.LightBlock) error {
	for _, b := range blocks {
		if b.Commit.Round == 0 && !bytes.Equal(b.ValidatorSet.GetProposer().Address, b.ProposerAddress) {
			return fmt.Errorf("header %d: another validator's turn than is told", b.Height)
		}
	}
	return nil
}

// client is a light client at what is trusted from the start.
func (p *provider) client(ctx context.Context) (*light.Client, error) {
	cfg := light.Config{Genesis: p.doc, Source: p.cfg.Source, Now: p.cfg.Now}
	if p.cfg.TrustHeight > 0 {
		raw, err := p.cfg.Source.LightBlock(ctx, p.cfg.TrustHeight)
		if err != nil {
			return nil, err
		}
		b, err := light.DecodeBlock(p.doc.ChainID, raw)
		if err != nil {
			return nil, err
		}
		if b.Header.Height != p.cfg.TrustHeight || !bytes.Equal(b.Hash[:], p.cfg.TrustHash) {
			p.log.Warn("a node shows another header than the one to trust", "height", b.Header.Height, "hash", fmt.Sprintf("%x", b.Hash))
			return nil, ErrTrust
		}
		cfg.Store = pinned(raw)
	}
	return light.New(cfg)
}

// pinned lets a light client begin at a header.
type pinned []byte

func (p pinned) Load() ([]byte, error) { return p, nil }
func (p pinned) Save([]byte) error     { return nil }

// prepareSync turns state sync on in CometBFT's settings, and forgets what a
// sync left that was cut off between the state and the first block: CometBFT
// cannot go on from there, and nothing is lost with it. A state that was imported
// with its commit is no such remainder.
func (e *Engine) prepareSync(s *config.Config) error {
	if e.cfg.Sync == nil {
		return nil
	}
	s.StateSync.Enable = true
	s.StateSync.DiscoveryTime = discoveryTime
	s.StateSync.ChunkRequestTimeout = chunkTimeout
	s.StateSync.MaxSnapshotChunks = snapshot.MaxChunks
	if _, err := os.Stat(s.DBDir()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	// Damaged stores are told when the node is built.
	if h, err := Inspect(e.cfg.Dir); err != nil || h.State == 0 || h.Block > 0 || h.Begun {
		return nil
	}
	e.log.Warn("a state sync was interrupted: beginning again")
	return os.RemoveAll(s.DBDir())
}
