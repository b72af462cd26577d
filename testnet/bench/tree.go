package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cosmos/iavl"
	"github.com/cosmos/iavl/db"

	"github.com/hybridos-net/hybridos/chain/proof"
	"github.com/hybridos-net/hybridos/chain/store"
)

// What the trees hold and how they are used: blocks of random updates, each
// committed to disk, with old versions removed as fast as new ones come.
const (
	treeFill   = 50_000 // keys in one version while a tree is filled
	treeValue  = 300    // bytes of a value
	treeBlock  = 100    // updates in a block
	treeBlocks = 20     // blocks in a round
	treeKeep   = 10     // versions kept
	treeProofs = 200    // proofs in a round
)

// treeRow is what one tree did.
type treeRow struct {
	Name   string
	Keys   int
	PerSec float64       // updates
	Update time.Duration // processor time of one update, its share of commit and pruning included
	Prove  time.Duration // processor time of one proof
	Verify time.Duration // processor time of checking one; 0: not measured
	Proof  int           // bytes, median
}

// tree is what both sides can do.
type tree interface {
	set(key, value []byte) error
	commit() error
	prove(key []byte) ([]byte, error)
	root() []byte
	close() error
}

// ourTree is chain/store as the ledger uses it.
type ourTree struct {
	*store.Tree
	last []byte
}

func openOurTree(dir string) (tree, error) {
	t, err := store.Open(store.Config{Dir: dir, KeepVersions: treeKeep})
	return &ourTree{Tree: t}, err
}

func (t *ourTree) set(key, value []byte) error { return t.Set(key, value) }

func (t *ourTree) commit() (err error) {
	_, t.last, err = t.Commit()
	return err
}

func (t *ourTree) prove(key []byte) ([]byte, error) {
	_, p, err := t.ProveAt(t.Version(), key)
	return p, err
}

func (t *ourTree) root() []byte { return t.last }

func (t *ourTree) close() error { return t.Close() }

// bareTree is iavl with its own goleveldb store, durable at each commit and
// pruned like ours.
type bareTree struct {
	*iavl.MutableTree
	last []byte
}

func openBareTree(dir string) (tree, error) {
	d, err := db.NewGoLevelDB("tree", dir)
	if err != nil {
		return nil, err
	}
	return &bareTree{MutableTree: iavl.NewMutableTree(d, store.DefaultNodeCache, true, iavl.NewNopLogger(), iavl.SyncOption(true))}, nil
}

func (t *bareTree) set(key, value []byte) error {
	_, err := t.Set(key, value)
	return err
}

func (t *bareTree) commit() (err error) {
	var version int64
	if t.last, version, err = t.SaveVersion(); err != nil || version <= treeKeep {
		return err
	}
	return t.DeleteVersionsTo(version - treeKeep)
}

func (t *bareTree) prove(key []byte) ([]byte, error) {
	past, err := t.GetImmutable(t.Version())
	if err != nil {
		return nil, err
	}
	p, err := past.GetProof(key)
	if err != nil {
		return nil, err
	}
	return p.Marshal()
}

func (t *bareTree) root() []byte { return t.last }

func (t *bareTree) close() error { return t.Close() }

// treeFigures measures both trees in turn at each size.
func treeFigures(ctx context.Context, o Options) ([]treeRow, error) {
	var out []treeRow
	for _, keys := range o.TreeKeys {
		rows, err := compareTrees(ctx, o.Rounds, keys)
		if err != nil {
			return nil, fmt.Errorf("%d keys: %w", keys, err)
		}
		out = append(out, rows...)
	}
	return out, nil
}

func compareTrees(ctx context.Context, rounds, keys int) (rows []treeRow, err error) {
	dir, err := os.MkdirTemp("", "hos-bench-tree-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // the peer's store may still be writing what it compacts
	runs := []*treeRun{
		{row: treeRow{Name: "state tree", Keys: keys}, open: openOurTree},
		{row: treeRow{Name: "bare iavl on goleveldb", Keys: keys}, open: openBareTree},
	}
	for _, r := range runs {
		t, err := r.open(filepath.Join(dir, r.row.Name))
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, t.close()) }()
		r.tree = t
		if err := r.fill(ctx); err != nil {
			return nil, err
		}
	}
	for round := range rounds {
		for _, r := range runs {
			if err := r.round(ctx, uint64(round)); err != nil {
				return nil, err
			}
		}
	}
	for _, r := range runs {
		rows = append(rows, r.result())
	}
	return rows, nil
}

// treeRun is one tree and its figures.
type treeRun struct {
	row  treeRow
	open func(dir string) (tree, error)
	tree tree

	rates                   []float64
	updates, proofs, checks []time.Duration
	sizes                   []int
}

// treeKey is the key of record i: random, as the ids of devices are.
func treeKey(i int) []byte {
	h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return append([]byte{'d'}, h[:20]...)
}

// treePool is random bytes, which no store can compress, as keys and hashes are.
var treePool = func() []byte {
	b := make([]byte, 256*treeValue)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}()

// treeRecord is a record that differs for each n.
func treeRecord(n uint64) []byte {
	at := n % 256 * treeValue
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, treeValue), n), treePool[at:at+treeValue-8]...)
}

// fill writes all records in the order of their keys, which reads nothing that
// has left the memory: a million random ones would take many minutes.
func (r *treeRun) fill(ctx context.Context) error {
	keys := make([][]byte, r.row.Keys)
	for i := range keys {
		keys[i] = treeKey(i)
	}
	slices.SortFunc(keys, bytes.Compare)
	for i, k := range keys {
		if err := r.tree.set(k, treeRecord(uint64(i))); err != nil {
			return err
		}
		if (i+1)%treeFill == 0 {
			if err := errors.Join(ctx.Err(), r.tree.commit()); err != nil {
				return err
			}
		}
	}
	return r.tree.commit()
}

func (r *treeRun) round(ctx context.Context, round uint64) error {
	dice := rand.New(rand.NewPCG(round, 1)) // the same keys for both
	start, used := time.Now(), ownCPU()
	for range treeBlocks {
		for range treeBlock {
			if err := r.tree.set(treeKey(dice.IntN(r.row.Keys)), treeRecord(dice.Uint64())); err != nil {
				return err
			}
		}
		if err := errors.Join(ctx.Err(), r.tree.commit()); err != nil {
			return err
		}
	}
	const n = treeBlocks * treeBlock
	r.rates = append(r.rates, n/time.Since(start).Seconds())
	r.updates = append(r.updates, (ownCPU()-used)/n)
	return r.prove(dice)
}

func (r *treeRun) prove(dice *rand.Rand) error {
	made := make([][]byte, treeProofs)
	keys := make([][]byte, treeProofs)
	for i := range keys {
		keys[i] = treeKey(dice.IntN(r.row.Keys))
	}
	used := ownCPU()
	for i, k := range keys {
		p, err := r.tree.prove(k)
		if err != nil {
			return err
		}
		made[i] = p
	}
	r.proofs = append(r.proofs, (ownCPU()-used)/treeProofs)
	for _, p := range made {
		r.sizes = append(r.sizes, len(p))
	}
	ours, is := r.tree.(*ourTree)
	if !is {
		return nil
	}
	values := make([][]byte, treeProofs)
	for i, k := range keys {
		v, err := ours.Get(k)
		if err != nil {
			return err
		}
		values[i] = v
	}
	used = ownCPU()
	for i, k := range keys {
		if err := proof.Verify(ours.root(), k, values[i], made[i]); err != nil {
			return err
		}
	}
	r.checks = append(r.checks, (ownCPU()-used)/treeProofs)
	return nil
}

func (r *treeRun) result() treeRow {
	r.row.PerSec, r.row.Update, r.row.Prove = median(r.rates), median(r.updates), median(r.proofs)
	r.row.Proof = median(r.sizes)
	if len(r.checks) > 0 {
		r.row.Verify = median(r.checks)
	}
	return r.row
}
