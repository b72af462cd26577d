package abci

import (
	"bytes"
	"crypto/sha256"
	"path/filepath"
	"slices"
	"testing"

	"github.com/cometbft/cometbft/abci/types"
	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/snapshot"
)

// offer is what a peer with a snapshot of the world's state sends.
type offer struct {
	snapshot *types.Snapshot
	chunks   [][]byte
	root     []byte
}

// offered takes a snapshot of a world at its height, as peers see it.
func offered(t *testing.T, w *world) offer {
	t.Helper()
	shelf, err := snapshot.Open(snapshot.Config{Dir: t.TempDir(), Tree: w.tree, Keep: 1})
	if err != nil {
		t.Fatal(err)
	}
	w.app.shelf = shelf
	if _, err := shelf.Take(t.Context(), w.app.Height()); err != nil {
		t.Fatal(err)
	}
	list, err := w.app.ListSnapshots(t.Context(), &types.RequestListSnapshots{})
	if err != nil || len(list.Snapshots) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	o := offer{snapshot: list.Snapshots[0], root: w.tree.Hash()}
	for i := range o.snapshot.Chunks {
		o.chunks = append(o.chunks, loadChunk(t, w, o.snapshot.Height, snapshot.Format, i))
	}
	return o
}

func loadChunk(t *testing.T, w *world, height uint64, format, index uint32) []byte {
	t.Helper()
	out, err := w.app.LoadSnapshotChunk(t.Context(), &types.RequestLoadSnapshotChunk{Height: height, Format: format, Chunk: index})
	if err != nil {
		t.Fatal(err)
	}
	return out.Chunk
}

// lie packs other chunks under a manifest that fits them.
func (o offer) lie(chunks ...[]byte) offer {
	m := snapshot.Manifest{Height: int64(o.snapshot.Height), Root: snapshot.Hash(o.root)}
	for _, c := range chunks {
		m.Chunks = append(m.Chunks, sha256.Sum256(c))
	}
	id := m.ID()
	o.snapshot = &types.Snapshot{
		Height: o.snapshot.Height, Format: snapshot.Format, Chunks: uint32(len(chunks)), Hash: id[:], Metadata: m.Encode(),
	}
	o.chunks = chunks
	return o
}

// joiner is a fresh application of the world's ledger.
func joiner(t *testing.T, w *world) *App {
	t.Helper()
	tree, err := store.Open(store.Config{Dir: filepath.Join(t.TempDir(), "state")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	app, err := New(Config{Genesis: w.doc, Tree: tree, Restore: true})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func (a *App) offerTo(t *testing.T, o offer) types.ResponseOfferSnapshot_Result {
	t.Helper()
	out, err := a.OfferSnapshot(t.Context(), &types.RequestOfferSnapshot{Snapshot: o.snapshot, AppHash: o.root})
	if err != nil {
		t.Fatal(err)
	}
	return out.Result
}

func (a *App) apply(t *testing.T, index uint32, chunk []byte, sender string) *types.ResponseApplySnapshotChunk {
	t.Helper()
	out, err := a.ApplySnapshotChunk(t.Context(), &types.RequestApplySnapshotChunk{Index: index, Chunk: chunk, Sender: sender})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// busy is a world with a few blocks.
func busy(t *testing.T) *world {
	w := newWorld(t)
	w.block(w.register(0, 0).Bytes(), w.register(1, 1).Bytes())
	w.block(w.claim(w.owner, 0, 0).Bytes())
	w.block()
	return w
}

// A fresh node has the state after the last chunk, and executes the next block
// to the same root.
func TestSnapshot_Restore(t *testing.T) {
	w := busy(t)
	o := offered(t, w)
	app := joiner(t, w)
	if r := app.offerTo(t, o); r != types.ResponseOfferSnapshot_ACCEPT {
		t.Fatal(r)
	}
	for i, c := range o.chunks {
		if r := app.apply(t, uint32(i), c, "a"); r.Result != types.ResponseApplySnapshotChunk_ACCEPT {
			t.Fatal(r)
		}
	}
	info, err := app.Info(t.Context(), &types.RequestInfo{})
	if err != nil || info.LastBlockHeight != w.app.Height() || !bytes.Equal(info.LastBlockAppHash, o.root) || info.AppVersion != Version {
		t.Fatalf("%+v, %v", info, err)
	}
	txs := [][]byte{w.grant(w.owner, 1, 0, 1).Bytes()}
	next := &types.RequestFinalizeBlock{Txs: txs, Height: w.app.Height() + 1, Time: w.blockTime(), Hash: blockHash(w.app.Height()+1, txs)}
	got, err := app.FinalizeBlock(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w.finalize(txs...), got); diff != "" {
		t.Error(diff)
	}
	if r := app.offerTo(t, o); r != types.ResponseOfferSnapshot_ABORT {
		t.Errorf("after the first block: %v", r)
	}
}

// What is wrong with an offer is seen before any chunk is fetched.
func TestSnapshot_HostileOffers(t *testing.T) {
	w := busy(t)
	good := offered(t, w)
	other := good
	other.root = make([]byte, 32)
	change := func(f func(*types.Snapshot)) offer {
		s := *good.snapshot
		s.Metadata, s.Hash = slices.Clone(s.Metadata), slices.Clone(s.Hash)
		f(&s)
		return offer{snapshot: &s, root: good.root}
	}
	for name, c := range map[string]struct {
		offer offer
		want  types.ResponseOfferSnapshot_Result
	}{
		"none":              {offer{root: good.root}, types.ResponseOfferSnapshot_REJECT},
		"no root":           {offer{snapshot: good.snapshot}, types.ResponseOfferSnapshot_REJECT},
		"other format":      {change(func(s *types.Snapshot) { s.Format++ }), types.ResponseOfferSnapshot_REJECT_FORMAT},
		"other state":       {other, types.ResponseOfferSnapshot_REJECT_SENDER},
		"other hash":        {change(func(s *types.Snapshot) { s.Hash[0] ^= 1 }), types.ResponseOfferSnapshot_REJECT_SENDER},
		"other height":      {change(func(s *types.Snapshot) { s.Height++ }), types.ResponseOfferSnapshot_REJECT_SENDER},
		"more chunks":       {change(func(s *types.Snapshot) { s.Chunks++ }), types.ResponseOfferSnapshot_REJECT_SENDER},
		"no manifest":       {change(func(s *types.Snapshot) { s.Metadata = nil }), types.ResponseOfferSnapshot_REJECT_SENDER},
		"damaged manifest":  {change(func(s *types.Snapshot) { s.Metadata[0] ^= 1 }), types.ResponseOfferSnapshot_REJECT_SENDER},
		"too many chunks":   {good.lie(make([][]byte, snapshot.MaxChunks+1)...), types.ResponseOfferSnapshot_REJECT_SENDER},
		"manifest too long": {change(func(s *types.Snapshot) { s.Metadata = make([]byte, 1<<20) }), types.ResponseOfferSnapshot_REJECT_SENDER},
	} {
		app := joiner(t, w)
		if got := app.offerTo(t, c.offer); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if app.restoring != nil || app.apply(t, 0, []byte{0}, "a").Result != types.ResponseApplySnapshotChunk_ABORT {
			t.Errorf("%s: an import has begun", name)
		}
	}
	if r := w.app.offerTo(t, good); r != types.ResponseOfferSnapshot_ABORT {
		t.Errorf("a node that has blocks takes a snapshot: %v", r)
	}
}

// A bad chunk is fetched again from another peer, and nothing of it stays.
func TestSnapshot_HostileChunks(t *testing.T) {
	w := busy(t)
	o := offered(t, w)
	half := len(o.chunks[0]) / 2
	app := joiner(t, w)
	if r := app.offerTo(t, o); r != types.ResponseOfferSnapshot_ACCEPT {
		t.Fatal(r)
	}
	bent := bytes.Clone(o.chunks[0])
	bent[half] ^= 1
	for name, chunk := range map[string][]byte{
		"nothing": nil, "truncated": o.chunks[0][:half], "longer": append(bytes.Clone(o.chunks[0]), 0), "changed": bent,
		"too large": make([]byte, store.MaxChunkBytes+1),
	} {
		want := &types.ResponseApplySnapshotChunk{
			Result: types.ResponseApplySnapshotChunk_RETRY, RefetchChunks: []uint32{0}, RejectSenders: []string{"liar"},
		}
		if diff := cmp.Diff(want, app.apply(t, 0, chunk, "liar")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if r := app.apply(t, 1, o.chunks[0], "a"); r.Result != types.ResponseApplySnapshotChunk_RETRY_SNAPSHOT {
		t.Errorf("out of order: %v", r)
	}
	if r := app.apply(t, 0, o.chunks[0], "honest"); r.Result != types.ResponseApplySnapshotChunk_ACCEPT || app.Height() != w.app.Height() {
		t.Errorf("the right one after all: %v", r)
	}
}

// Chunks that fit their manifest but not the root name all who sent them; the
// next snapshot is taken as if nothing had been.
func TestSnapshot_HostileContents(t *testing.T) {
	w := busy(t)
	good := offered(t, w)
	whole := good.chunks[0]
	one := []byte{0, 1, 1, 'a', 1, 'v'}
	two := append(bytes.Clone(one), 0, 1, 1, 'b', 1, 'v', 1, 1)
	for name, o := range map[string]offer{
		"a node cut off":     good.lie(whole[:len(whole)-1]),
		"an inner node less": good.lie(whole[:len(whole)-2]),
		"another state":      good.lie(two),
		"no tree":            good.lie(one),
		"rubbish":            good.lie([]byte("rubbish")),
		"in two parts":       good.lie(one, one),
		"more at the end":    good.lie(whole, one),
	} {
		app := joiner(t, w)
		if r := app.offerTo(t, o); r != types.ResponseOfferSnapshot_ACCEPT {
			t.Fatal(name, r)
		}
		var last *types.ResponseApplySnapshotChunk
		var sent []string
		for i, c := range o.chunks {
			sent = append(sent, string(rune('a'+i)))
			if last = app.apply(t, uint32(i), c, sent[i]); last.Result != types.ResponseApplySnapshotChunk_ACCEPT {
				break
			}
		}
		want := &types.ResponseApplySnapshotChunk{Result: types.ResponseApplySnapshotChunk_REJECT_SNAPSHOT, RejectSenders: sent}
		if diff := cmp.Diff(want, last); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if app.Height() != 0 || app.Err() != nil {
			t.Errorf("%s: height %d, %v", name, app.Height(), app.Err())
		}
		if r := app.offerTo(t, good); r != types.ResponseOfferSnapshot_ACCEPT {
			t.Errorf("%s: then %v", name, r)
		}
		if r := app.apply(t, 0, whole, "honest"); r.Result != types.ResponseApplySnapshotChunk_ACCEPT || !bytes.Equal(app.tree.Hash(), good.root) {
			t.Errorf("%s: then %v", name, r)
		}
	}
}

// A newer offer takes the place of an import that did not end.
func TestSnapshot_OfferAgain(t *testing.T) {
	w := busy(t)
	o := offered(t, w)
	app := joiner(t, w)
	for range 3 {
		if r := app.offerTo(t, o); r != types.ResponseOfferSnapshot_ACCEPT {
			t.Fatal(r)
		}
	}
	if r := app.apply(t, 0, o.chunks[0], "a"); r.Result != types.ResponseApplySnapshotChunk_ACCEPT {
		t.Fatal(r)
	}
	// CometBFT had no time to write down that it was done: all of it again.
	if r := app.offerTo(t, o); r != types.ResponseOfferSnapshot_ACCEPT || app.Height() != 0 {
		t.Fatal(r, app.Height())
	}
	if r := app.apply(t, 0, o.chunks[0], "a"); r.Result != types.ResponseApplySnapshotChunk_ACCEPT {
		t.Fatal(r)
	}
	if raw, err := app.tree.Get(state.ParamsKey()); err != nil || raw == nil {
		t.Error(err)
	}
}

func TestSnapshot_Missing(t *testing.T) {
	w := busy(t)
	list, err := w.app.ListSnapshots(t.Context(), &types.RequestListSnapshots{})
	if err != nil || len(list.Snapshots) != 0 || loadChunk(t, w, 3, snapshot.Format, 0) != nil {
		t.Errorf("no shelf: %v, %v", list, err)
	}
	o := offered(t, w)
	for name, got := range map[string][]byte{
		"height": loadChunk(t, w, o.snapshot.Height+1, snapshot.Format, 0), "huge": loadChunk(t, w, 1<<63, snapshot.Format, 0),
		"format": loadChunk(t, w, o.snapshot.Height, 2, 0), "chunk": loadChunk(t, w, o.snapshot.Height, snapshot.Format, 7),
	} {
		if got != nil {
			t.Errorf("another %s is given", name)
		}
	}
}

func TestCommit_RetainHeight(t *testing.T) {
	w := newWorld(t)
	w.app.keep = 3
	for height, want := range []int64{1: 0, 2: 0, 3: 1, 4: 2, 5: 3} {
		if height == 0 {
			continue
		}
		w.finalize()
		out, err := w.app.Commit(t.Context(), &types.RequestCommit{})
		if err != nil || out.RetainHeight != want {
			t.Errorf("height %d: retain %d, want %d, %v", height, out.RetainHeight, want, err)
		}
	}
	w.app.keep = 0
	if got := w.app.retain(1 << 40); got != 0 {
		t.Errorf("all are kept, but below %d", got)
	}
}
