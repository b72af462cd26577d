package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/node/api"
	"github.com/hybridos-net/hybridos/node/engine"
	"github.com/hybridos-net/hybridos/node/index"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/p2p/host"
)

// ledger answers light clients and the HTTP interface from this node's own
// chain.
type ledger struct {
	cfg  *Config
	app  *abci.App
	eng  *engine.Engine
	host *host.Host
}

var (
	_ fetch.Backend = (*ledger)(nil)
	_ api.Ledger    = (*ledger)(nil)
	_ chain         = (*ledger)(nil)
)

// LightBlock implements fetch.Backend.
func (l *ledger) LightBlock(_ context.Context, height int64) ([]byte, error) {
	b, err := l.eng.LightBlock(height)
	if errors.Is(err, engine.ErrNoHeight) {
		return nil, fmt.Errorf("%w: %w", fetch.NotFound, err)
	}
	return b, err
}

// HeaderHash is the hash of our header of a height, nil if we have none.
func (l *ledger) HeaderHash(height int64) []byte { return l.eng.HeaderHash(height) }

// Heads tells new heights.
func (l *ledger) Heads() <-chan int64 { return l.eng.Heads() }

// Prove implements fetch.Backend and api.Ledger.
func (l *ledger) Prove(_ context.Context, key []byte, version int64) (light.Proof, error) {
	r, err := l.app.Prove(version, key)
	switch {
	case errors.Is(err, store.NoVersion):
		return light.Proof{}, fmt.Errorf("%w: %w", fetch.NotFound, err)
	case errors.Is(err, store.BadKey):
		return light.Proof{}, fmt.Errorf("%w: %w", fetch.BadRequest, err)
	case err != nil:
		return light.Proof{}, err
	}
	return light.Proof{Height: r.Version, Key: key, Value: r.Value, Proof: r.Proof}, nil
}

// Knows tells whether a device is on the ledger.
func (l *ledger) Knows(ctx context.Context, id key.DeviceID) (bool, error) {
	p, err := l.Prove(ctx, state.DeviceKey(id), 0)
	return len(p.Value) > 0, err
}

// Submit implements fetch.Backend and api.Ledger.
func (l *ledger) Submit(ctx context.Context, raw []byte) (fetch.Result, error) {
	out, err := l.eng.Submit(ctx, raw)
	switch {
	case errors.Is(err, engine.ErrFull):
		return fetch.Result{}, fmt.Errorf("%w: %w", fetch.Busy, err)
	case errors.Is(err, engine.ErrSyncing), errors.Is(err, engine.ErrStopped):
		return fetch.Result{}, fmt.Errorf("%w: %w", fetch.Unavailable, err)
	case err != nil:
		return fetch.Result{}, err
	}
	return fetch.Result{Code: out.Code, Log: out.Log, Height: out.Height, Hash: out.Block}, nil
}

// Status implements api.Ledger.
func (l *ledger) Status() api.Status {
	s, hash, binary := l.eng.Stats(), l.cfg.Genesis.Hash(), l.app.Binary()
	return api.Status{
		ChainID: l.cfg.Genesis.ChainID, GenesisHash: hex.EncodeToString(hash[:]), Name: l.cfg.Settings.Name,
		Height: s.Height, HeaderHash: hex.EncodeToString(s.Hash), Time: s.Time.UTC(),
		Syncing: s.Syncing, Validator: s.Validator, PubKey: hex.EncodeToString(l.eng.PubKey()),
		P2PPeers: s.Peers, MeshPeers: len(l.host.Network().Peers()), Mempool: s.Mempool,
		Interval: s.Interval, Txs: s.Txs, Failed: s.Failed, Submitted: s.Submitted, Refused: s.Refused,
		Proposals: l.app.Refused(), Upgrade: l.upgrade(), Binary: hex.EncodeToString(binary[:]),
	}
}

// kept is the blocks that the engine has, for the index.
type kept struct{ eng *engine.Engine }

var _ index.Source = kept{}

// Base implements index.Source.
func (b kept) Base() int64 { return b.eng.Base() }

// Block implements index.Source.
func (b kept) Block(height int64) (index.Block, error) {
	out, err := b.eng.Block(height)
	if errors.Is(err, engine.ErrNoHeight) {
		return index.Block{}, fmt.Errorf("%w: %w", index.ErrNoBlock, err)
	}
	return index.Block(out), err
}
