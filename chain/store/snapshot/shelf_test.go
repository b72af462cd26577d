package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/store"
)

func newTree(t testing.TB, versions int) *store.Tree {
	t.Helper()
	tree, err := store.Open(store.Config{Dir: filepath.Join(t.TempDir(), "state")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	for v := range versions {
		commit(t, tree, v)
	}
	return tree
}

func commit(t testing.TB, tree *store.Tree, v int) {
	t.Helper()
	for i := range 50 {
		if err := tree.Set(fmt.Appendf(nil, "k%d", i*v%97), bytes.Repeat([]byte{byte(v) + 1}, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := tree.Commit(); err != nil {
		t.Fatal(err)
	}
}

func newShelf(t testing.TB, cfg Config) *Shelf {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func heights(s *Shelf) (out []int64) {
	for _, m := range s.List() {
		out = append(out, m.Height)
	}
	return out
}

func names(t testing.TB, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// What is taken can be imported elsewhere, is still there after a restart, and
// takes no more room than that of the ones to keep.
func TestShelf_Life(t *testing.T) {
	tree, dir := newTree(t, 5), t.TempDir()
	s := newShelf(t, Config{Dir: dir, Tree: tree, Keep: 2})
	for _, v := range []int64{2, 5, 3, 5} {
		if _, err := s.Take(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]int64{3, 5}, heights(s)); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff([]string{folder(3), folder(5)}, names(t, dir)); diff != "" {
		t.Fatal(diff)
	}
	before := s.List()
	s = newShelf(t, Config{Dir: dir, Tree: tree, Keep: 2})
	if diff := cmp.Diff(before, s.List()); diff != "" {
		t.Fatal(diff)
	}
	m := s.List()[1]
	other := newTree(t, 0)
	i, err := other.Import(m.Height, m.Root[:])
	if err != nil {
		t.Fatal(err)
	}
	for n := range m.Chunks {
		chunk, err := s.Chunk(m.Height, uint32(n))
		if err != nil {
			t.Fatal(err)
		}
		if err := i.Add(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := i.Commit(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(other.Hash(), tree.Hash()) {
		t.Error("another state")
	}
	if _, err := s.Take(t.Context(), 6); !errors.Is(err, store.NoVersion) {
		t.Errorf("a version to come: %v", err)
	}
	if diff := cmp.Diff([]string{folder(3), folder(5)}, names(t, dir)); diff != "" {
		t.Errorf("leftovers: %s", diff)
	}
	if newShelf(t, Config{Dir: dir, Tree: tree, Keep: 1}); len(names(t, dir)) != 1 {
		t.Error("fewer to keep, and all are still there")
	}
}

func TestShelf_Run(t *testing.T) {
	tree := newTree(t, 0)
	s := newShelf(t, Config{Dir: t.TempDir(), Tree: tree, Interval: 10, Keep: 3})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	for v := range 25 {
		commit(t, tree, v)
		s.Committed(tree.Version()) // nobody reads yet: the newest is kept
	}
	go func() { done <- s.Run(ctx) }()
	// It waits for the one that is being taken, or takes it.
	if _, err := s.Take(t.Context(), 20); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{20}, heights(s)); diff != "" {
		t.Error(diff)
	}
	never := newShelf(t, Config{Dir: t.TempDir(), Tree: tree, Keep: 1})
	if never.Committed(100); len(never.due) != 0 {
		t.Error("a snapshot is due though none are wanted")
	}
}

// A damaged chunk is never given out, and a damaged folder never listed.
func TestShelf_Damage(t *testing.T) {
	tree, dir := newTree(t, 3), t.TempDir()
	s := newShelf(t, Config{Dir: dir, Tree: tree, Keep: 3})
	for v := int64(1); v <= 3; v++ {
		if _, err := s.Take(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	file := s.chunkFile(filepath.Join(dir, folder(2)), 0)
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		height int64
		index  uint32
	}{{2, 0}, {2, 0}, {1, 1}, {4, 0}, {-1, 0}, {3, 1 << 31}} {
		if b, err := s.Chunk(c.height, c.index); !errors.Is(err, NotThere) || b != nil {
			t.Errorf("height %d chunk %d: %v", c.height, c.index, err)
		}
	}
	if diff := cmp.Diff([]int64{1, 3}, heights(s)); diff != "" {
		t.Error(diff)
	}
	if err := os.Truncate(filepath.Join(dir, folder(1), manifestName), 10); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{folder(9) + unfinished, "notes", folder(7)} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	newShelf(t, Config{Dir: dir, Tree: tree, Keep: 3})
	if diff := cmp.Diff([]string{folder(3), "notes"}, names(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestOpen_Refusals(t *testing.T) {
	tree, dir := newTree(t, 0), t.TempDir()
	for name, cfg := range map[string]Config{
		"no folder": {Tree: tree, Keep: 1}, "no tree": {Dir: dir, Keep: 1}, "none to keep": {Dir: dir, Tree: tree},
		"too many": {Dir: dir, Tree: tree, Keep: MaxKept + 1}, "interval": {Dir: dir, Tree: tree, Keep: 1, Interval: -1},
	} {
		if _, err := Open(cfg); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestDecode_Refusals(t *testing.T) {
	good := Manifest{Height: 7, Root: Hash{1}, Chunks: []Hash{{2}, {3}}}
	if m, err := Decode(good.Encode()); err != nil || !cmp.Equal(m, good) {
		t.Fatalf("%+v, %v", m, err)
	}
	for name, b := range map[string][]byte{
		"nothing":         nil,
		"trailing bytes":  append(good.Encode(), 0),
		"no chunk":        Manifest{Height: 7}.Encode(),
		"too many chunks": Manifest{Height: 7, Chunks: make([]Hash, MaxChunks+1)}.Encode(),
		"height 0":        Manifest{Chunks: make([]Hash, 1)}.Encode(),
		"negative height": Manifest{Height: -1, Chunks: make([]Hash, 1)}.Encode(),
		"other format":    bytes.Replace(good.Encode(), []byte{1, Format, 2}, []byte{1, Format + 1, 2}, 1),
		"half a hash":     append(bytes.Replace(good.Encode(), []byte{0x58, 64, 2}, []byte{0x58, 65, 2}, 1), 1),
	} {
		if _, err := Decode(b); !errors.Is(err, BadManifest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Manifest{Height: 7, Root: Hash{1}, Chunks: []Hash{{2}, {3}}}.Encode())
	f.Add(Manifest{Height: 7}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err == nil && !bytes.Equal(m.Encode(), b) {
			t.Errorf("%x is read as %+v", b, m)
		}
	})
}

// BenchmarkTake is a snapshot of 100k records of 300 bytes, and its import.
func BenchmarkTake(b *testing.B) {
	tree := newTree(b, 0)
	for i := range 100_000 {
		if err := tree.Set(fmt.Appendf(nil, "d/%020d", i*7919%100_000), fmt.Appendf(nil, "%300d", i)); err != nil {
			b.Fatal(err)
		}
	}
	if _, _, err := tree.Commit(); err != nil {
		b.Fatal(err)
	}
	b.Run("take", func(b *testing.B) {
		for b.Loop() {
			s := newShelf(b, Config{Dir: b.TempDir(), Tree: tree, Keep: 1})
			m, err := s.Take(b.Context(), 1)
			if err != nil {
				b.Fatal(err)
			}
			size := 0
			for i := range m.Chunks {
				chunk, err := s.Chunk(1, uint32(i))
				if err != nil {
					b.Fatal(err)
				}
				size += len(chunk)
			}
			b.ReportMetric(float64(size), "snapshot-bytes")
		}
	})
	b.Run("import", func(b *testing.B) {
		s := newShelf(b, Config{Dir: b.TempDir(), Tree: tree, Keep: 1})
		m, err := s.Take(b.Context(), 1)
		if err != nil {
			b.Fatal(err)
		}
		other := newTree(b, 0)
		for b.Loop() {
			in, err := other.Import(1, m.Root[:])
			if err != nil {
				b.Fatal(err)
			}
			for i := range m.Chunks {
				chunk, err := s.Chunk(1, uint32(i))
				if err == nil {
					err = in.Add(chunk)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			if err := in.Commit(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
