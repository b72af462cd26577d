package index

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store"
)

// onDisk is what the files of a directory hold.
func onDisk(b *testing.B, dir string) (n int64) {
	b.Helper()
	err := filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// size closes an index after everything is in tables, and gives their size.
func size(b *testing.B, x *Index, dir string) int64 {
	b.Helper()
	if err := x.db.Compact(nil, nil); err != nil {
		b.Fatal(err)
	}
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
	return onDisk(b, dir)
}

// BenchmarkIndex_Devices measures what a device of an account with four of them
// takes on the disk, and how long it takes to list it from a state that is there.
func BenchmarkIndex_Devices(b *testing.B) {
	const n = 100_000
	tree, err := store.Open(store.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer tree.Close()
	for i := range n {
		owner := key.AccountID(scatter(fmt.Sprint("owner ", i>>2)))
		raw := codec.MustMarshal(state.Device{
			Key: people[0].Public(), SealKey: [32]byte{1}, Vendor: people[1].Public().AccountID(), Model: "Lock 1", Epoch: 1, Owner: &owner,
		})
		if err := tree.Set(state.DeviceKey(key.DeviceID(scatter(fmt.Sprint("device ", i)))), raw); err != nil {
			b.Fatal(err)
		}
	}
	if _, _, err := tree.Commit(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		dir := filepath.Join(b.TempDir(), "index")
		x, err := Open(Config{Dir: dir, Tree: tree})
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		for worked := true; worked; {
			if worked, err = x.step(&past{}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(time.Since(start).Microseconds())/n, "µs/device")
		b.ReportMetric(float64(size(b, x, dir))/n, "B/device")
	}
}

func scatter(s string) []byte {
	h := codec.Hash("bench", []byte(s))
	return h[:key.IDSize]
}

// BenchmarkIndex_Block measures blocks of 50 transfers: what the index takes for
// each on the processor and on the disk. The transactions come decoded, as from
// the application. BenchmarkIndex_BlockFromDisk is the same for blocks that were
// missed.
func BenchmarkIndex_Block(b *testing.B) { benchmarkBlock(b, true) }

func BenchmarkIndex_BlockFromDisk(b *testing.B) { benchmarkBlock(b, false) }

func benchmarkBlock(b *testing.B, told bool) {
	const txs = 50
	dir := filepath.Join(b.TempDir(), "index")
	c := newChain(b, Config{Dir: dir, FS: nil}, 0)
	x, err := Open(Config{Dir: dir, Tree: c.tree, Chain: c.w.Block.Chain})
	if err != nil {
		b.Fatal(err)
	}
	c.owner()
	x.Committed(c.seal())
	c.settle(x)
	var blocks []abci.Commit
	from, to := people[0], people[1]
	for range 40 {
		for range txs {
			c.must(c.w.TransferTx(b, from, to, things[0]))
			from, to = to, from
		}
		blocks = append(blocks, c.seal())
	}
	var spent time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		if n == len(blocks) { // once is enough: the same rows again cost no less
			b.StartTimer()
			continue
		}
		next := blocks[n]
		n++
		if !told {
			next = abci.Commit{Height: next.Height, Txs: make([]abci.Executed, maxQueueTxs+1)}
		}
		b.StartTimer()
		start := time.Now()
		x.Committed(next)
		c.settle(x)
		spent += time.Since(start)
	}
	b.ReportMetric(float64(spent.Microseconds())/float64(n*txs), "µs/tx")
	b.ReportMetric(float64(size(b, x, dir))/float64(n*txs), "B/tx")
}
