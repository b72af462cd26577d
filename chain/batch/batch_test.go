package batch_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
)

func leaf(i int) batch.Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
}

func leaves(n int) []batch.Hash {
	out := make([]batch.Hash, n)
	for i := range out {
		out[i] = leaf(i)
	}
	return out
}

// reference is the definition of RFC 6962 section 2.1, word for word.
func reference(d []batch.Hash) batch.Hash {
	if len(d) == 1 {
		return d[0]
	}
	k := 1
	for k*2 < len(d) {
		k *= 2
	}
	l, r := reference(d[:k]), reference(d[k:])
	return sha256.Sum256(slices.Concat([]byte{1}, l[:], r[:]))
}

// referencePath is that of section 2.1.1.
func referencePath(m int, d []batch.Hash) []batch.Hash {
	if len(d) == 1 {
		return nil
	}
	k := 1
	for k*2 < len(d) {
		k *= 2
	}
	if m < k {
		return append(referencePath(m, d[:k]), reference(d[k:]))
	}
	return append(referencePath(m-k, d[k:]), reference(d[:k]))
}

// TestTree_RFC6962: for every size up to 70 and every leaf, root and path are
// those of the definition, lead to each other, and no other index, size, length
// or hash does.
func TestTree_RFC6962(t *testing.T) {
	for n := 1; n <= 70; n++ {
		d := leaves(n)
		tree, err := batch.NewTree(d)
		if err != nil {
			t.Fatal(err)
		}
		var r batch.Root
		for _, h := range d {
			r.Add(h)
		}
		want := reference(d)
		if tree.Root() != want || r.Hash() != want || r.Size() != uint64(n) || tree.Size() != uint64(n) {
			t.Fatalf("%d leaves: %s and %s, want %s", n, tree.Root(), r.Hash(), want)
		}
		for i := range n {
			path, err := tree.Path(uint64(i))
			if err != nil || !slices.Equal(path, referencePath(i, d)) || len(path) != batch.PathLen(uint64(i), uint64(n)) {
				t.Fatalf("path of %d in %d: %v, %v", i, n, path, err)
			}
			if got, ok := batch.RootOf(d[i], uint64(i), uint64(n), path); !ok || got != want {
				t.Fatalf("%d in %d leads to %s, %v", i, n, got, ok)
			}
			refuse(t, d[i], i, n, path, want)
		}
	}
}

// refuse spoils a proof in each way.
func refuse(t *testing.T, h batch.Hash, i, n int, path []batch.Hash, root batch.Hash) {
	t.Helper()
	leads := func(h batch.Hash, i, n int, path []batch.Hash) bool {
		got, ok := batch.RootOf(h, uint64(i), uint64(n), path)
		return ok && got == root
	}
	for j := range n {
		if j != i && leads(h, j, n, path) {
			t.Fatalf("%d of %d passes for %d", i, n, j)
		}
	}
	other := h
	other[0] ^= 1
	if leads(other, i, n, path) || leads(h, n, n, path) || leads(h, i, n, append(slices.Clone(path), root)) {
		t.Fatalf("%d of %d: another leaf, an index outside or a longer path", i, n)
	}
	for k := range path {
		bad := slices.Clone(path)
		bad[k][31] ^= 1
		if leads(h, i, n, bad) || leads(h, i, n, slices.Delete(slices.Clone(path), k, k+1)) {
			t.Fatalf("%d of %d: hash %d does not matter", i, n, k)
		}
	}
}

// TestRootOf_ShortTree: a root that is registered as that of fewer devices than
// it has proves no more than it was paid for.
func TestRootOf_ShortTree(t *testing.T) {
	d := leaves(16)
	tree, err := batch.NewTree(d)
	if err != nil {
		t.Fatal(err)
	}
	for size := range uint64(16) {
		proven := map[int]bool{}
		for i := range 16 {
			path, err := tree.Path(uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			for at := range size + 1 {
				if got, ok := batch.RootOf(d[i], at, size, path); ok && got == tree.Root() {
					proven[i] = true
				}
			}
		}
		if uint64(len(proven)) > size {
			t.Errorf("%d devices proven in a batch of %d", len(proven), size)
		}
	}
}

func TestBounds(t *testing.T) {
	if _, err := batch.NewTree(nil); !errors.Is(err, batch.ErrSize) {
		t.Errorf("no leaves: %v", err)
	}
	if _, err := batch.NewTree(make([]batch.Hash, batch.Max+1)); !errors.Is(err, batch.ErrSize) {
		t.Errorf("too many leaves: %v", err)
	}
	if n := batch.PathLen(batch.Max-1, batch.Max); n != batch.MaxPath {
		t.Errorf("longest path has %d", n)
	}
	if batch.PathLen(0, 0) != -1 || batch.PathLen(3, 3) != -1 || batch.PathLen(0, 1) != 0 {
		t.Error("path lengths at the edge")
	}
	if _, ok := batch.RootOf(leaf(0), 0, batch.Max+1, make([]batch.Hash, batch.MaxPath+1)); ok {
		t.Error("a tree that is too large")
	}
	var r batch.Root
	if !r.Hash().IsZero() {
		t.Error("root of nothing")
	}
	tree, err := batch.NewTree(leaves(3))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.Path(3); err == nil {
		t.Error("path of a leaf that is not there")
	}
}

// TestLeaf_Bytes holds the form of a leaf: vectors in other languages start
// from it.
func TestLeaf_Bytes(t *testing.T) {
	l := batch.Leaf{Key: key.Public{Alg: key.Secp256k1, Bytes: []byte{2, 3}}, SealKey: [32]byte{4}}
	raw := codec.MustMarshal(l)
	want := sha256.Sum256(append([]byte{0}, raw...))
	if l.Hash() != batch.Hash(want) {
		t.Fatal("leaf hash is not SHA-256 of 0 and the encoding")
	}
	const form = "a201a20101024202030258200400000000000000000000000000000000000000000000000000000000000000"
	if got := hex.EncodeToString(raw); got != form {
		t.Fatalf("leaf is %s", got)
	}
}

// TestMillion builds the root of a million devices within the memory of a few
// hashes, and proves the last one.
func TestMillion(t *testing.T) {
	const n = 1_000_003
	var r batch.Root
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		r.Add(leaf(i))
	}
	runtime.ReadMemStats(&after)
	if got := after.HeapAlloc - min(after.HeapAlloc, before.HeapAlloc); got > 32<<20 {
		t.Errorf("the root alone took %d bytes", got)
	}
	tree, err := batch.NewTree(leaves(n))
	if err != nil || tree.Root() != r.Hash() {
		t.Fatalf("tree and root differ: %v", err)
	}
	path, err := tree.Path(n - 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := batch.RootOf(leaf(n-1), n-1, n, path); !ok || got != r.Hash() {
		t.Fatal("the last device is not proven")
	}
}

func FuzzRootOf(f *testing.F) {
	f.Add(uint64(2), uint64(5), make([]byte, 96))
	f.Add(uint64(0), uint64(1), []byte{})
	f.Add(uint64(1<<63), uint64(1<<63+1), make([]byte, 32))
	f.Fuzz(func(t *testing.T, index, size uint64, raw []byte) {
		var path []batch.Hash
		for ; len(raw) >= 32; raw = raw[32:] {
			path = append(path, batch.Hash(raw[:32]))
		}
		_, ok := batch.RootOf(leaf(1), index, size, path)
		if ok && (index >= size || size > batch.Max || len(path) > batch.MaxPath) {
			t.Fatalf("index %d of %d with %d hashes", index, size, len(path))
		}
	})
}

func BenchmarkRoot(b *testing.B) {
	for _, n := range []int{1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var r batch.Root
				for i := range n {
					r.Add(leaf(i))
				}
			}
		})
	}
}

func BenchmarkRootOf(b *testing.B) {
	path := make([]batch.Hash, batch.MaxPath)
	for b.Loop() {
		batch.RootOf(leaf(0), 0, batch.Max, path)
	}
}
