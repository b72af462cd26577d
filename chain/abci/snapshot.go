package abci

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cometbft/cometbft/abci/types"

	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/snapshot"
)

// restoration is a snapshot that is being imported.
type restoration struct {
	manifest snapshot.Manifest
	into     *store.Import
	next     uint32 // chunk
	senders  map[string]struct{}
}

// retain is the height below which CometBFT may forget the blocks; 0: none. It
// keeps headers and commits by itself for as long as evidence counts.
func (a *App) retain(height int64) int64 {
	if a.keep <= 0 {
		return 0
	}
	return max(0, height-a.keep+1)
}

// ListSnapshots tells peers what they can have.
func (a *App) ListSnapshots(context.Context, *types.RequestListSnapshots) (*types.ResponseListSnapshots, error) {
	out := &types.ResponseListSnapshots{}
	if a.shelf == nil {
		return out, nil
	}
	for _, m := range a.shelf.List() {
		id := m.ID()
		out.Snapshots = append(out.Snapshots, &types.Snapshot{
			Height: uint64(m.Height), Format: snapshot.Format, Chunks: uint32(len(m.Chunks)),
			Hash: id[:], Metadata: m.Encode(),
		})
	}
	return out, nil
}

// LoadSnapshotChunk gives a peer a chunk; none if there is no such snapshot any
// more, which tells the peer to ask somebody else.
func (a *App) LoadSnapshotChunk(_ context.Context, r *types.RequestLoadSnapshotChunk) (*types.ResponseLoadSnapshotChunk, error) {
	out := &types.ResponseLoadSnapshotChunk{}
	if a.shelf == nil || r.Format != snapshot.Format || r.Height > 1<<62 {
		return out, nil
	}
	chunk, err := a.shelf.Chunk(int64(r.Height), r.Chunk)
	if err != nil {
		a.log.Debug("snapshot chunk not given", "height", r.Height, "chunk", r.Chunk, "err", err)
		return out, nil
	}
	out.Chunk = chunk
	return out, nil
}

// OfferSnapshot judges what a peer offers against the root that CometBFT has
// from a verified header, and begins the import. Whoever offers another root, or
// what is no manifest, is not asked again.
func (a *App) OfferSnapshot(_ context.Context, r *types.RequestOfferSnapshot) (*types.ResponseOfferSnapshot, error) {
	answer := func(result types.ResponseOfferSnapshot_Result) (*types.ResponseOfferSnapshot, error) {
		return &types.ResponseOfferSnapshot{Result: result}, nil
	}
	if err := a.cancelRestore(); err != nil {
		return nil, a.fail(err)
	}
	switch {
	case !a.mayRestore:
		return answer(types.ResponseOfferSnapshot_ABORT)
	case r.Snapshot == nil || len(r.AppHash) != sha256.Size:
		return answer(types.ResponseOfferSnapshot_REJECT)
	case r.Snapshot.Format != snapshot.Format:
		return answer(types.ResponseOfferSnapshot_REJECT_FORMAT)
	}
	m, err := manifestOf(r.Snapshot)
	if err == nil && m.Root != snapshot.Hash(r.AppHash) {
		err = fmt.Errorf("root %x, the header says %x", m.Root, r.AppHash)
	}
	if err != nil {
		a.log.Warn("snapshot refused", "height", r.Snapshot.Height, "err", err)
		return answer(types.ResponseOfferSnapshot_REJECT_SENDER)
	}
	into, err := a.tree.Import(m.Height, m.Root[:])
	if err != nil {
		return nil, a.fail(err)
	}
	a.restoring = &restoration{manifest: m, into: into, senders: make(map[string]struct{})}
	a.log.Info("importing a snapshot", "height", m.Height, "chunks", len(m.Chunks))
	return answer(types.ResponseOfferSnapshot_ACCEPT)
}

// manifestOf demands that everything in an offer says the same.
func manifestOf(s *types.Snapshot) (snapshot.Manifest, error) {
	m, err := snapshot.Decode(s.Metadata)
	if err != nil {
		return m, err
	}
	id := m.ID()
	switch {
	case s.Height != uint64(m.Height):
		return m, fmt.Errorf("offered as height %d, the manifest says %d", s.Height, m.Height)
	case uint64(s.Chunks) != uint64(len(m.Chunks)):
		return m, fmt.Errorf("offered with %d chunks, the manifest has %d", s.Chunks, len(m.Chunks))
	case string(s.Hash) != string(id[:]):
		return m, fmt.Errorf("offered as %x, the manifest is %x", s.Hash, id)
	}
	return m, nil
}

// ApplySnapshotChunk imports a chunk. One that is not what the manifest says is
// fetched again, from anybody but its sender. When all are in, the root decides.
func (a *App) ApplySnapshotChunk(_ context.Context, r *types.RequestApplySnapshotChunk) (*types.ResponseApplySnapshotChunk, error) {
	answer := func(result types.ResponseApplySnapshotChunk_Result) (*types.ResponseApplySnapshotChunk, error) {
		return &types.ResponseApplySnapshotChunk{Result: result}, nil
	}
	now := a.restoring
	switch {
	case now == nil:
		return answer(types.ResponseApplySnapshotChunk_ABORT)
	case r.Index != now.next:
		return answer(types.ResponseApplySnapshotChunk_RETRY_SNAPSHOT)
	case !now.manifest.Check(r.Index, r.Chunk):
		a.log.Warn("snapshot chunk refused", "chunk", r.Index, "sender", r.Sender)
		return &types.ResponseApplySnapshotChunk{
			Result: types.ResponseApplySnapshotChunk_RETRY, RefetchChunks: []uint32{r.Index}, RejectSenders: []string{r.Sender},
		}, nil
	}
	now.senders[r.Sender] = struct{}{}
	err := now.into.Add(r.Chunk)
	if now.next++; err == nil && int(now.next) == len(now.manifest.Chunks) {
		err = a.finishRestore()
	}
	switch {
	case err == nil:
		return answer(types.ResponseApplySnapshotChunk_ACCEPT)
	case !errors.Is(err, store.BadSnapshot):
		return nil, a.fail(err)
	}
	a.log.Warn("snapshot refused", "height", now.manifest.Height, "err", err)
	if err := a.cancelRestore(); err != nil {
		return nil, a.fail(err)
	}
	return &types.ResponseApplySnapshotChunk{
		Result: types.ResponseApplySnapshotChunk_REJECT_SNAPSHOT, RejectSenders: slices.Sorted(maps.Keys(now.senders)),
	}, nil
}

// finishRestore makes the imported state the ledger's.
func (a *App) finishRestore() error {
	if err := a.restoring.into.Commit(); err != nil {
		return err
	}
	a.log.Info("snapshot imported", "height", a.restoring.manifest.Height)
	a.restoring, a.decided = nil, nil
	a.reads.forget()
	// The header vouches for the root; that it is this ledger's is cheap to see.
	if err := a.checkTree(); err != nil {
		return err
	}
	a.resetCheck()
	_ = a.halt() // the engine minds Failed
	return nil
}

// cancelRestore gives up what is being imported, if anything is.
func (a *App) cancelRestore() error {
	if a.restoring == nil {
		return nil
	}
	now := a.restoring
	a.restoring = nil
	return now.into.Cancel()
}
