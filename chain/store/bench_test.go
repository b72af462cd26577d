package store_test

import (
	"fmt"
	"testing"

	"github.com/hybridos-net/hybridos/chain/store"
)

const (
	benchKeys  = 100_000
	benchBlock = 100
)

// filled is a tree of 100k records of 300 bytes on the real disk.
func filled(b *testing.B) *store.Tree {
	b.Helper()
	tree := open(b, store.Config{Dir: b.TempDir(), KeepVersions: 100})
	for i := range benchKeys {
		if err := tree.Set(benchKey(i), benchValue(i)); err != nil {
			b.Fatal(err)
		}
	}
	commit(b, tree)
	return tree
}

func benchKey(i int) []byte { return fmt.Appendf(nil, "d/%020d", i*7919%benchKeys) }

func benchValue(i int) []byte { return fmt.Appendf(nil, "%300d", i) }

func BenchmarkBlock(b *testing.B) {
	tree := filled(b)
	next := 0
	for b.Loop() {
		for range benchBlock {
			next++
			if err := tree.Set(benchKey(next*31%benchKeys), benchValue(next)); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := tree.WorkingHash(); err != nil {
			b.Fatal(err)
		}
		commit(b, tree)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*benchBlock), "µs/update")
}

func BenchmarkGet(b *testing.B) {
	tree := filled(b)
	next := 0
	for b.Loop() {
		next++
		if _, err := tree.Get(benchKey(next * 31 % benchKeys)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProve(b *testing.B) {
	tree := filled(b)
	next, size := 0, 0
	for b.Loop() {
		next++
		_, made, err := tree.ProveAt(1, benchKey(next*31%benchKeys))
		if err != nil {
			b.Fatal(err)
		}
		size = len(made)
	}
	b.ReportMetric(float64(size), "proof-bytes")
}
