package engine

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cometbft/cometbft/consensus"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/mempool"
	pb "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/state"
	blocks "github.com/cometbft/cometbft/store"
	"github.com/cometbft/cometbft/types"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/store/kvtest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/node/cometdb"
)

// rig is the state tree and CometBFT's stores on one disk, with CometBFT's
// own executor and handshake between them.
type rig struct {
	tree   *store.Tree
	dbs    []*cometdb.DB
	blocks *blocks.BlockStore
	states state.Store
	state  state.State
	exec   *state.BlockExecutor
	conns  proxy.AppConns
}

// ledgerOf makes a genesis document with one validator and one vendor.
func ledgerOf(t *testing.T, validator ed25519.PrivKey, vendor *key.Private) *genesis.Doc {
	t.Helper()
	return &genesis.Doc{
		ChainID: "hos-cut", Time: 1_700_000_000,
		Validators: []genesis.Validator{{Name: "one", PubKey: validator.PubKey().Bytes()}},
		Vendors:    []genesis.Vendor{{Name: "maker", Keys: []key.Public{vendor.Public()}, Threshold: 1, Quota: 1000}},
	}
}

// openRig opens what is on the disk and lets CometBFT make up for what a power
// cut took.
func openRig(t *testing.T, disk *kvtest.Disk, doc *genesis.Doc) *rig {
	t.Helper()
	r := new(rig)
	var err error
	if r.tree, err = store.Open(store.Config{Dir: "state", FS: disk, KeepVersions: 3, MemTableBytes: kv.MinMemTableBytes}); err != nil {
		t.Fatal(err)
	}
	open := func(name string) *cometdb.DB {
		db, err := cometdb.Open(filepath.Join("stores", name), kv.Options{FS: disk, MemTableBytes: kv.MinMemTableBytes})
		if err != nil {
			t.Fatal(err)
		}
		r.dbs = append(r.dbs, db)
		return db
	}
	r.blocks = blocks.NewBlockStore(open("blockstore"))
	r.states = state.NewStore(open("state"), state.StoreOptions{})
	app, err := abci.New(abci.Config{Genesis: doc, Tree: r.tree})
	if err != nil {
		t.Fatal(err)
	}
	gen, err := genesisDoc(doc)
	if err != nil {
		t.Fatal(err)
	}
	if r.state, err = r.states.LoadFromDBOrGenesisDoc(gen); err != nil {
		t.Fatal(err)
	}
	r.conns = proxy.NewAppConns(proxy.NewLocalClientCreator(app), proxy.NopMetrics())
	if err := r.conns.Start(); err != nil {
		t.Fatal(err)
	}
	if err := consensus.NewHandshaker(r.states, r.state, r.blocks, gen).Handshake(r.conns); err != nil {
		t.Fatal(err)
	}
	if r.state, err = r.states.Load(); err != nil {
		t.Fatal(err)
	}
	r.exec = state.NewBlockExecutor(r.states, log.NewNopLogger(), r.conns.Consensus(), &mempool.NopMempool{}, state.EmptyEvidencePool{}, r.blocks)
	return r
}

func (r *rig) close(t *testing.T) {
	t.Helper()
	err := errors.Join(r.conns.Stop(), r.tree.Close())
	for _, db := range r.dbs {
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// add makes, stores and applies the next block.
func (r *rig) add(t *testing.T, validator ed25519.PrivKey, txs ...types.Tx) {
	t.Helper()
	height := r.state.LastBlockHeight + 1
	last := &types.Commit{}
	if height > 1 {
		last = r.blocks.LoadSeenCommit(height - 1)
	}
	block, err := r.state.MakeBlock(height, txs, last, nil, validator.PubKey().Address())
	if err != nil {
		t.Fatal(err)
	}
	parts, err := block.MakePartSet(types.BlockPartSizeBytes)
	if err != nil {
		t.Fatal(err)
	}
	id := types.BlockID{Hash: block.Hash(), PartSetHeader: parts.Header()}
	vote := &pb.Vote{
		Type: pb.PrecommitType, Height: height, BlockID: id.ToProto(), Timestamp: time.Unix(1_700_000_000+height, 0).UTC(),
		ValidatorAddress: validator.PubKey().Address(),
	}
	sig, err := validator.Sign(types.VoteSignBytes(r.state.ChainID, vote))
	if err != nil {
		t.Fatal(err)
	}
	r.blocks.SaveBlock(block, parts, &types.Commit{Height: height, BlockID: id, Signatures: []types.CommitSig{{
		BlockIDFlag: types.BlockIDFlagCommit, ValidatorAddress: vote.ValidatorAddress, Timestamp: vote.Timestamp, Signature: sig,
	}}})
	if r.state, err = r.exec.ApplyBlock(r.state, id, block); err != nil {
		t.Fatal(err)
	}
}

// TestPowerCut cuts the power before each sync of any file of the state tree,
// the block store and CometBFT's state store while blocks are committed. What
// comes back and goes through CometBFT's handshake has every block that was
// done before, whole, with the very root that it had, and goes on to the same
// roots.
func TestPowerCut(t *testing.T) {
	validator := ed25519.GenPrivKeyFromSecret([]byte("one"))
	vendor := seeded(t, "vendor")
	doc := ledgerOf(t, validator, vendor)
	const length = 12
	var txs [length + 1]types.Tx
	for h := range txs {
		reg, err := tx.New(vendor.Public().AccountID(), uint64(h), 1_700_000_600, &tx.RegisterDevice{
			Key: seeded(t, fmt.Sprint("device ", h)).Public(), SealKey: [32]byte{1}, Model: strings.Repeat("m", 20),
		})
		if err != nil {
			t.Fatal(err)
		}
		reg.Sign(doc.Chain(), tx.RoleVendor, vendor)
		txs[h] = reg.Bytes()
	}

	type cut struct {
		disk *kvtest.Disk
		path string
		done int64 // blocks that were applied and acknowledged
	}
	var mu sync.Mutex
	var cuts []cut
	done, seed := int64(0), uint64(0)
	disk := kvtest.New()
	disk.OnSync(func(path string) {
		mu.Lock()
		defer mu.Unlock()
		seed++
		cuts = append(cuts, cut{disk.Crash(seed), path, done})
	})
	r := openRig(t, disk, doc)
	roots := map[int64][]byte{0: nil}
	for h := int64(1); h <= length; h++ {
		r.add(t, validator, txs[h-1])
		mu.Lock()
		done, roots[h] = h, r.state.AppHash
		mu.Unlock()
	}
	disk.OnSync(nil)
	r.close(t)

	places, behind := make(map[string]int), 0
	for _, c := range cuts {
		after := openRig(t, c.disk, doc)
		h := after.state.LastBlockHeight
		switch {
		case h < c.done || h > c.done+1:
			t.Fatalf("cut at %s after block %d: it is at block %d", c.path, c.done, h)
		case after.blocks.Height() != h || after.tree.Version() != h:
			t.Fatalf("cut at %s: block store at %d, tree at %d, state at %d", c.path, after.blocks.Height(), after.tree.Version(), h)
		case h > 0 && (!bytes.Equal(after.state.AppHash, roots[h]) || !bytes.Equal(after.tree.Hash(), roots[h])):
			t.Fatalf("cut at %s: root %x and %x of block %d, before the cut %x", c.path, after.state.AppHash, after.tree.Hash(), h, roots[h])
		}
		if h > c.done {
			behind++
		}
		if h < length {
			after.add(t, validator, txs[h])
			if !bytes.Equal(after.state.AppHash, roots[h+1]) {
				t.Fatalf("cut at %s: block %d ends at another root", c.path, h+1)
			}
		}
		after.close(t)
		places[filepath.Dir(c.path)]++
	}
	for _, dir := range []string{"state", "stores/blockstore", "stores/state"} {
		if places[dir] < length {
			t.Errorf("only %d cuts at %s", places[dir], dir)
		}
	}
	t.Logf("%d cuts %v; %d times a block came back that nobody had been told of", len(cuts), places, behind)
}

func seeded(t *testing.T, name string) *key.Private {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	k, err := key.Generate(bytes.NewReader(bytes.Repeat(seed[:], 8)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}
