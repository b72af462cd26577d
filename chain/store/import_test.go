package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cosmos/iavl"
	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/proof"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/store/kvtest"
)

func openTree(t testing.TB, cfg Config) *Tree {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = "state"
	}
	tree, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	return tree
}

// write makes one version from the given number of random writes.
func write(t testing.TB, tree *Tree, random *rand.Rand, n int) {
	t.Helper()
	for range n {
		k := fmt.Appendf(nil, "key-%04d", random.IntN(2000))
		if random.IntN(5) == 0 {
			if err := tree.Delete(k); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := tree.Set(k, fmt.Appendf(nil, "value-%d", random.Uint64())); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := tree.Commit(); err != nil {
		t.Fatal(err)
	}
}

func export(t testing.TB, tree *Tree, version int64) (chunks [][]byte) {
	t.Helper()
	err := tree.Export(context.Background(), version, func(c []byte) error {
		chunks = append(chunks, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return chunks
}

// split cuts chunks at other places: any cut between nodes is good.
func split(t testing.TB, chunks [][]byte, size int) (out [][]byte) {
	t.Helper()
	var chunk []byte
	for _, c := range chunks {
		err := decodeNodes(c, func(n *iavl.ExportNode) error {
			if chunk = appendNode(chunk, n); len(chunk) >= size {
				out, chunk = append(out, chunk), nil
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if chunk != nil {
		out = append(out, chunk)
	}
	return out
}

func load(tree *Tree, version int64, root []byte, chunks [][]byte) error {
	i, err := tree.Import(version, root)
	if err != nil {
		return err
	}
	for _, c := range chunks {
		if err := i.Add(c); err != nil {
			return errors.Join(err, i.Cancel())
		}
	}
	if err := i.Commit(); err != nil {
		return errors.Join(err, i.Cancel())
	}
	return i.Cancel() // does nothing
}

func dump(t testing.TB, tree *Tree, version int64) (out []string) {
	t.Helper()
	err := tree.ScanAt(version, []byte("k"), func(k, v []byte) error {
		out = append(out, string(k)+"="+string(v))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Both trees go on to the same roots, whether the version that was carried over
// changed anything or not, and through pruning and reopening.
func TestImport_GoesOnLikeTheOriginal(t *testing.T) {
	for name, idle := range map[string]int{"a version of its own": 0, "versions without change": 7} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(idle)))
			cfg := Config{FS: kv.NewMemFS(), KeepVersions: 3}
			tree := openTree(t, Config{FS: kv.NewMemFS(), KeepVersions: 20})
			for range 20 {
				write(t, tree, random, 200)
			}
			for range idle {
				write(t, tree, random, 0)
			}
			version := tree.Version()
			chunks := split(t, export(t, tree, version), 10_000)
			other := openTree(t, cfg)
			if err := load(other, version, tree.Hash(), chunks); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(dump(t, tree, version), dump(t, other, version)); diff != "" {
				t.Fatal(diff)
			}
			for step := range uint64(12) {
				write(t, tree, rand.New(rand.NewPCG(2, step)), int(step%3)*50)
				write(t, other, rand.New(rand.NewPCG(2, step)), int(step%3)*50)
				if !bytes.Equal(tree.Hash(), other.Hash()) || tree.Version() != other.Version() {
					t.Fatalf("step %d: %d %x and %d %x", step, tree.Version(), tree.Hash(), other.Version(), other.Hash())
				}
				value, p, err := other.ProveAt(other.Version(), []byte("key-0001"))
				if err == nil {
					_, err = proof.Read(tree.Hash(), []byte("key-0001"), p)
				}
				if err != nil {
					t.Fatalf("step %d: proof of %q: %v", step, value, err)
				}
				if step%4 == 3 {
					if err := other.Close(); err != nil {
						t.Fatal(err)
					}
					other = openTree(t, cfg)
				}
			}
			if _, err := other.GetAt(version, []byte("key-0001")); !errors.Is(err, NoVersion) {
				t.Errorf("the version that was imported is not pruned: %v", err)
			}
			// And it can be handed on.
			if a, b := export(t, tree, tree.Version()), export(t, other, other.Version()); !bytes.Equal(bytes.Join(a, nil), bytes.Join(b, nil)) {
				t.Error("exports differ")
			}
		})
	}
}

func TestImport_ReplacesWhatWasThere(t *testing.T) {
	tree := openTree(t, Config{FS: kv.NewMemFS()})
	other := openTree(t, Config{FS: kv.NewMemFS()})
	write(t, tree, rand.New(rand.NewPCG(1, 1)), 100)
	for range 5 {
		write(t, other, rand.New(rand.NewPCG(3, 3)), 100)
	}
	if err := load(other, 1, tree.Hash(), export(t, tree, 1)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dump(t, tree, 1), dump(t, other, 1)); diff != "" || other.Version() != 1 {
		t.Error(other.Version(), diff)
	}
}

// While it is imported a tree is of no use to anybody.
func TestImport_NothingElseMeanwhile(t *testing.T) {
	tree := openTree(t, Config{FS: kv.NewMemFS()})
	write(t, tree, rand.New(rand.NewPCG(1, 1)), 100)
	chunks, root := export(t, tree, 1), tree.Hash()
	i, err := tree.Import(1, root)
	if err != nil {
		t.Fatal(err)
	}
	_, getErr := tree.Get([]byte("a"))
	_, atErr := tree.GetAt(1, []byte("a"))
	_, _, commitErr := tree.Commit()
	_, twice := tree.Import(1, root)
	_, freezeErr := tree.Freeze("frozen")
	for n, err := range []error{getErr, atErr, commitErr, twice, freezeErr, tree.Set([]byte("a"), []byte("1"))} {
		if !errors.Is(err, Unfinished) {
			t.Errorf("call %d: %v", n, err)
		}
	}
	if tree.Version() != 0 {
		t.Error("an import has a version before it counts")
	}
	if err := errors.Join(i.Add(chunks[0]), i.Commit()); err != nil {
		t.Fatal(err)
	}
	if err := i.Add(chunks[0]); !errors.Is(err, Unfinished) {
		t.Errorf("after the end: %v", err)
	}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	if err := i.Commit(); !errors.Is(err, Closed) {
		t.Errorf("after Close: %v", err)
	}
}

// Whatever a peer sends, the tree is empty and usable afterwards.
func TestImport_Hostile(t *testing.T) {
	tree := openTree(t, Config{FS: kv.NewMemFS(), KeepVersions: -1})
	write(t, tree, rand.New(rand.NewPCG(1, 1)), 300)
	write(t, tree, rand.New(rand.NewPCG(1, 2)), 300)
	whole := bytes.Join(export(t, tree, 2), nil)
	var nodes []*iavl.ExportNode
	if err := decodeNodes(whole, func(n *iavl.ExportNode) error { nodes = append(nodes, n); return nil }); err != nil {
		t.Fatal(err)
	}
	pack := func(nodes ...*iavl.ExportNode) (b []byte) {
		for _, n := range nodes {
			b = appendNode(b, n)
		}
		return b
	}
	leaf := func(k string, version int64) *iavl.ExportNode {
		return &iavl.ExportNode{Key: []byte(k), Value: []byte("v"), Version: version}
	}
	inner := func(height int8, version int64) *iavl.ExportNode {
		return &iavl.ExportNode{Height: height, Version: version}
	}
	changed := bytes.Replace(bytes.Clone(whole), []byte("value-1"), []byte("value-2"), 1)
	for name, chunks := range map[string][][]byte{
		"another value":         {changed},
		"a part":                {pack(nodes[:len(nodes)-1]...)},
		"nothing":               {},
		"an empty chunk":        {{}},
		"one too long":          {make([]byte, MaxChunkBytes+1)},
		"twice":                 {whole, whole},
		"cut in a node":         {whole[:len(whole)-1]},
		"cut in a value":        {pack(leaf("a", 1))[:5]},
		"a leaf alone":          {pack(leaf("a", 1))},
		"a tree of its own":     {pack(leaf("a", 1), leaf("b", 1), inner(1, 1))},
		"keys in another order": {pack(leaf("b", 1), leaf("a", 1), inner(1, 1))},
		"the same key twice":    {pack(leaf("a", 1), leaf("a", 1), inner(1, 1))},
		"a lonely inner node":   {pack(leaf("a", 1), inner(1, 1))},
		"a wrong height":        {pack(leaf("a", 1), leaf("b", 1), inner(2, 1))},
		"no balance":            {pack(leaf("a", 1), leaf("b", 1), leaf("c", 1), leaf("d", 1), inner(1, 1), inner(2, 1), inner(3, 1))},
		"an old parent":         {pack(leaf("a", 1), leaf("b", 2), inner(1, 1))},
		"version 0":             {pack(leaf("a", 0))},
		"a later version":       {pack(leaf("a", 3))},
		"a negative version":    {pack(leaf("a", -1))},
		"a tall node":           {{maxHeight + 1, 1}},
		"no key":                {pack(leaf("", 1))},
		"a long key":            {pack(leaf(strings.Repeat("k", MaxKeyBytes+1), 1))},
		"a long number":         {{0, 0x81, 0x00, 1, 'a', 1, 'v'}},
		"an endless number":     {append([]byte{0}, bytes.Repeat([]byte{0xff}, 20)...)},
	} {
		fs := kv.NewMemFS()
		other := openTree(t, Config{FS: fs})
		if err := load(other, 2, tree.Hash(), chunks); !errors.Is(err, BadSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
		write(t, other, rand.New(rand.NewPCG(1, 1)), 300)
		if want, err := tree.HashAt(1); err != nil || other.Version() != 1 || !bytes.Equal(other.Hash(), want) {
			t.Errorf("%s: not empty afterwards: version %d, %v", name, other.Version(), err)
		}
	}
	other := openTree(t, Config{FS: kv.NewMemFS()})
	for name, err := range map[string]error{
		"version 0": load(other, 0, tree.Hash(), nil), "no root": load(other, 1, nil, nil),
		"another root": load(other, 2, make([]byte, 32), [][]byte{whole}),
		// Nodes older than the version are usual; another number for the same
		// tree is caught by CometBFT, which compares it with the header's height.
	} {
		if !errors.Is(err, BadSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A power cut at any moment of an import leaves an empty tree, a log line that
// says so, and a directory in which the import can be done again.
func TestImport_Crash(t *testing.T) {
	tree := openTree(t, Config{FS: kv.NewMemFS()})
	write(t, tree, rand.New(rand.NewPCG(1, 1)), 2000)
	chunks := split(t, export(t, tree, 1), 10_000)
	disk := kvtest.New()
	target := openTree(t, Config{FS: disk, MemTableBytes: kv.MinMemTableBytes})
	write(t, target, rand.New(rand.NewPCG(5, 5)), 50) // something is there before
	i, err := target.Import(1, tree.Hash())
	if err != nil {
		t.Fatal(err)
	}
	for n, c := range chunks {
		if err := i.Add(c); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		after := openTree(t, Config{FS: disk.Crash(uint64(n)), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if after.Version() != 0 || !strings.Contains(log.String(), "interrupted") {
			t.Fatalf("chunk %d: version %d, log %q", n, after.Version(), log.String())
		}
		if err := load(after, 1, tree.Hash(), chunks); err != nil || !bytes.Equal(after.Hash(), tree.Hash()) {
			t.Fatalf("chunk %d: again: %v", n, err)
		}
	}
	if err := i.Commit(); err != nil {
		t.Fatal(err)
	}
	after := openTree(t, Config{FS: disk.Crash(99)})
	if after.Version() != 1 || !bytes.Equal(after.Hash(), tree.Hash()) {
		t.Fatalf("after Commit: version %d", after.Version())
	}
}

// An export from a frozen copy is the same as one of the tree itself, and
// commits go on beside it.
func TestTree_Freeze(t *testing.T) {
	tree := openTree(t, Config{Dir: t.TempDir() + "/state", KeepVersions: 2})
	random := rand.New(rand.NewPCG(1, 1))
	for range 5 {
		write(t, tree, random, 300)
	}
	want := export(t, tree, 5)
	frozen, err := tree.Freeze(t.TempDir() + "/copy")
	if err != nil {
		t.Fatal(err)
	}
	defer frozen.Close()
	for range 10 {
		write(t, tree, random, 300)
	}
	if _, err := tree.HashAt(5); !errors.Is(err, NoVersion) {
		t.Fatalf("version 5: %v", err)
	}
	if diff := cmp.Diff(want, export(t, frozen, 5)); diff != "" {
		t.Error("exports differ")
	}
	if err := frozen.Export(t.Context(), 6, nil); !errors.Is(err, NoVersion) {
		t.Errorf("a later version: %v", err)
	}
	if _, err := tree.Freeze(t.TempDir()); err == nil {
		t.Error("a directory that exists is taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := frozen.Export(ctx, 5, func([]byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	stop := errors.New("enough")
	if err := frozen.Export(t.Context(), 5, func([]byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
}

func TestTree_Revert(t *testing.T) {
	fs := kv.NewMemFS()
	tree, twin := openTree(t, Config{FS: fs, KeepVersions: 5}), openTree(t, Config{FS: kv.NewMemFS()})
	for v := range uint64(10) {
		write(t, tree, rand.New(rand.NewPCG(1, v)), 100)
		write(t, twin, rand.New(rand.NewPCG(1, v)), 100)
	}
	for version, want := range map[int64]ErrorKind{0: NoVersion, 11: NoVersion, 3: NoVersion} {
		if err := tree.Revert(version); !errors.Is(err, want) {
			t.Errorf("version %d: %v", version, err)
		}
	}
	if err := tree.Revert(8); err != nil {
		t.Fatal(err)
	}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	tree = openTree(t, Config{FS: fs, KeepVersions: 5})
	for v := uint64(8); v < 10; v++ {
		write(t, tree, rand.New(rand.NewPCG(1, v)), 100)
	}
	if tree.Version() != 10 || !bytes.Equal(tree.Hash(), twin.Hash()) {
		t.Errorf("version %d: %x, want %x", tree.Version(), tree.Hash(), twin.Hash())
	}
}

// A node that cannot be read ends an export with an error.
func TestTree_ExportOfRottenTable(t *testing.T) {
	disk := kvtest.New()
	tree := openTree(t, Config{FS: disk, MemTableBytes: kv.MinMemTableBytes, KeepVersions: -1})
	for version := range uint64(20) {
		for i := range 50 {
			if err := tree.Set(fmt.Appendf(nil, "key-%d", i), bytes.Repeat(fmt.Append(nil, version), 1000)); err != nil {
				t.Fatal(err)
			}
		}
		write(t, tree, rand.New(rand.NewPCG(1, version)), 0)
	}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	if disk.Rot(t, "state", ".sst") == 0 {
		t.Fatal("no tables")
	}
	again, err := Open(Config{Dir: "state", FS: disk})
	if err == nil {
		defer again.Close()
		err = again.Export(t.Context(), 1, func([]byte) error { return nil })
	}
	if !errors.Is(err, kv.Corrupt) {
		t.Errorf("got %v", err)
	}
}

func FuzzDecodeNodes(f *testing.F) {
	tree := openTree(f, Config{FS: kv.NewMemFS()})
	write(f, tree, rand.New(rand.NewPCG(1, 1)), 20)
	f.Add(export(f, tree, 1)[0])
	f.Add([]byte{0, 1, 1, 'a', 1, 'v'})
	f.Add([]byte{1, 0x80, 0x01})
	f.Add([]byte{0, 0x81, 0x00, 1, 'a', 1, 'v'})
	f.Fuzz(func(t *testing.T, b []byte) {
		var again []byte
		err := decodeNodes(b, func(n *iavl.ExportNode) error { again = appendNode(again, n); return nil })
		if err == nil && !bytes.Equal(again, b) {
			t.Errorf("%x is read as %x", b, again)
		}
		if err != nil && !errors.Is(err, BadSnapshot) {
			t.Error(err)
		}
	})
}
