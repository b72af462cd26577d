package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hybridos-net/hybridos/chain/store"
)

// growthRow is what the state tree takes on disk while its keys stay the same and
// their values change.
type growthRow struct {
	Keys    int
	Value   int           // bytes of a record, its key included
	Points  []growthPoint // old versions removed as new ones come
	Kept    int64         // bytes that one update adds while all versions are kept
	Chunks  int           // of a snapshot
	Snap    int64         // bytes of a snapshot
	SnapCPU time.Duration
	Memory  int64 // of this process, with the tree open
}

// growthPoint is the size after some blocks of treeBlock updates.
type growthPoint struct {
	Blocks int
	Bytes  int64
}

// growthBlocks is how many blocks are made with pruning on; half as many follow
// with all versions kept.
const growthBlocks = 2000

// growthFigures measures the largest of the trees that were asked for.
func growthFigures(ctx context.Context, o Options) (row growthRow, err error) {
	return measureGrowth(ctx, slices.Max(o.TreeKeys), growthBlocks)
}

func measureGrowth(ctx context.Context, keys, blocks int) (row growthRow, err error) {
	dir, err := os.MkdirTemp("", "hos-bench-growth-")
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	row = growthRow{Keys: keys, Value: len(treeKey(0)) + treeValue}
	r := &treeRun{row: treeRow{Keys: keys}}
	if r.tree, err = openOurTree(dir); err != nil {
		return row, err
	}
	err = r.fill(ctx)
	for at := 0; err == nil; at += blocks / 4 {
		var size int64
		if size, err = dirSize(dir); err == nil {
			row.Points = append(row.Points, growthPoint{at, size})
		}
		if err != nil || at >= blocks {
			break
		}
		err = r.update(ctx, blocks/4, uint64(at))
	}
	if err := errors.Join(err, r.tree.close()); err != nil {
		return row, err
	}
	return row, row.keepAll(ctx, dir, blocks/2)
}

// update makes blocks of random updates.
func (r *treeRun) update(ctx context.Context, blocks int, seed uint64) error {
	dice := rand.New(rand.NewPCG(seed, 2))
	for range blocks {
		for range treeBlock {
			if err := r.tree.set(treeKey(dice.IntN(r.row.Keys)), treeRecord(dice.Uint64())); err != nil {
				return err
			}
		}
		if err := errors.Join(ctx.Err(), r.tree.commit()); err != nil {
			return err
		}
	}
	return nil
}

// keepAll measures what an update adds while nothing is removed, and a snapshot.
func (row *growthRow) keepAll(ctx context.Context, dir string, blocks int) (err error) {
	t, err := store.Open(store.Config{Dir: dir, KeepVersions: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	r := &treeRun{row: treeRow{Keys: row.Keys}, tree: &ourTree{Tree: t}}
	if err := r.update(ctx, blocks/2, 1<<32); err != nil { // the store compacts what pruning left
		return err
	}
	before, err := dirSize(dir)
	if err != nil {
		return err
	}
	if err := r.update(ctx, blocks/2, 1<<33); err != nil {
		return err
	}
	after, err := dirSize(dir)
	if err != nil {
		return err
	}
	row.Kept = (after - before) / int64(blocks/2*treeBlock)
	if row.Memory, err = rssOf(os.Getpid()); err != nil {
		return err
	}
	used := ownCPU()
	err = t.Export(ctx, t.Version(), func(chunk []byte) error {
		row.Chunks++
		row.Snap += int64(len(chunk))
		return nil
	})
	row.SnapCPU = ownCPU() - used
	return err
}

// dirSize is what the files of a directory take. One that goes away meanwhile,
// as stores remove theirs, takes nothing.
func dirSize(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = e.Info(); err == nil {
				sum += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return sum, err
}

func (r *Report) growthTable(b *strings.Builder) {
	g := r.Growth
	if len(g.Points) == 0 {
		return
	}
	fmt.Fprintf(b, "## State growth\n\n%d records of %d bytes with their keys; the same keys all the time, %d random ones of which change in each block; the last %d versions are kept.\n\n| blocks | updates | on disk | for each key |\n|---|---|---|---|\n", g.Keys, g.Value, treeBlock, treeKeep)
	for _, p := range g.Points {
		fmt.Fprintf(b, "| %d | %d | %.1f MB | %d bytes |\n", p.Blocks, p.Blocks*treeBlock, mega(p.Bytes), p.Bytes/int64(g.Keys))
	}
	fmt.Fprintf(b, "\nWith all versions kept, an update adds %d bytes. A snapshot has %.1f MB in %d chunks and takes %s of processor time; the process that did all this held %.1f MB of memory.\n\n",
		g.Kept, mega(g.Snap), g.Chunks, g.SnapCPU.Round(time.Millisecond), mega(g.Memory))
}
