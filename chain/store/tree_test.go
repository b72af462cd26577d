package store_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/hybridos-net/hybridos/chain/proof"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/store/kvtest"
)

func open(t testing.TB, cfg store.Config) *store.Tree {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = "state"
	}
	tree, err := store.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	return tree
}

func set(t testing.TB, tree *store.Tree, key, value string) {
	t.Helper()
	if err := tree.Set([]byte(key), []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func commit(t testing.TB, tree *store.Tree) (int64, []byte) {
	t.Helper()
	version, root, err := tree.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return version, root
}

func TestTree_Life(t *testing.T) {
	fs := kv.NewMemFS()
	tree := open(t, store.Config{FS: fs})
	empty := sha256.Sum256(nil)
	if tree.Version() != 0 || !bytes.Equal(tree.Hash(), empty[:]) {
		t.Fatalf("new tree: version %d, hash %x", tree.Version(), tree.Hash())
	}
	set(t, tree, "a", "1")
	set(t, tree, "b", "2")
	working, err := tree.WorkingHash()
	if err != nil {
		t.Fatal(err)
	}
	version, root := commit(t, tree)
	if version != 1 || !bytes.Equal(root, working) || !bytes.Equal(root, tree.Hash()) {
		t.Fatalf("version %d, root %x, working %x, hash %x", version, root, working, tree.Hash())
	}
	set(t, tree, "a", "3")
	if err := tree.Delete([]byte("b")); err != nil {
		t.Fatal(err)
	}
	if err := tree.Delete([]byte("never")); err != nil {
		t.Fatal(err)
	}
	check := func(tree *store.Tree, want map[string]string) {
		t.Helper()
		got := map[string]string{}
		for _, key := range []string{"a", "b"} {
			value, err := tree.Get([]byte(key))
			old, err2 := tree.GetAt(1, []byte(key))
			if err := errors.Join(err, err2); err != nil {
				t.Fatal(err)
			}
			got[key], got["1/"+key] = string(value), string(old)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	check(tree, map[string]string{"a": "3", "b": "", "1/a": "1", "1/b": "2"})
	if err := tree.Rollback(); err != nil {
		t.Fatal(err)
	}
	check(tree, map[string]string{"a": "1", "b": "2", "1/a": "1", "1/b": "2"})
	set(t, tree, "a", "4")
	_, root = commit(t, tree)
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, store.Config{FS: fs})
	if again.Version() != 2 || !bytes.Equal(again.Hash(), root) {
		t.Fatalf("reopened at %d, %x", again.Version(), again.Hash())
	}
	check(again, map[string]string{"a": "4", "b": "2", "1/a": "1", "1/b": "2"})
}

// FinalizeBlock asks for the hash before Commit, and may be repeated: asking
// must not change what is committed.
func TestTree_WorkingHashIsOnlyAQuestion(t *testing.T) {
	asked, silent := open(t, store.Config{FS: kv.NewMemFS()}), open(t, store.Config{FS: kv.NewMemFS()})
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 20 {
		for range 30 {
			key := fmt.Sprintf("k%d", random.IntN(100))
			for _, tree := range []*store.Tree{asked, silent} {
				set(t, tree, key, fmt.Sprint(round, key))
			}
			if _, err := asked.WorkingHash(); err != nil {
				t.Fatal(err)
			}
		}
		working, err := asked.WorkingHash()
		if err != nil {
			t.Fatal(err)
		}
		_, root := commit(t, asked)
		_, want := commit(t, silent)
		if !bytes.Equal(root, want) || !bytes.Equal(working, want) {
			t.Fatalf("round %d: working %x, root %x, want %x", round, working, root, want)
		}
	}
}

// The roots are what headers commit to; they must be the same in every version
// of this program.
func TestTree_RootIsPinned(t *testing.T) {
	tree := open(t, store.Config{FS: kv.NewMemFS()})
	for version := range 3 {
		for i := range 10 {
			set(t, tree, fmt.Sprintf("key-%d", i*(version+1)), fmt.Sprintf("value-%d-%d", version, i))
		}
		commit(t, tree)
	}
	const want = "423acd81fe6027846bb9b55cc044b4666e794f7961187975e9bda3e586e5775f"
	if got := fmt.Sprintf("%x", tree.Hash()); got != want {
		t.Errorf("root %s, want %s", got, want)
	}
}

func TestTree_InitialVersion(t *testing.T) {
	fs := kv.NewMemFS()
	tree := open(t, store.Config{FS: fs, InitialVersion: 100, KeepVersions: 2})
	set(t, tree, "a", "1")
	for want := int64(100); want < 105; want++ {
		if version, _ := commit(t, tree); version != want {
			t.Fatalf("version %d, want %d", version, want)
		}
	}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, store.Config{FS: fs, InitialVersion: 100, KeepVersions: 2})
	if version, _ := commit(t, again); version != 105 {
		t.Fatalf("version %d after reopening", version)
	}
}

func TestTree_Refusals(t *testing.T) {
	tree := open(t, store.Config{FS: kv.NewMemFS(), KeepVersions: 2})
	long, big := make([]byte, store.MaxKeyBytes+1), make([]byte, store.MaxValueBytes+1)
	_, _, emptyErr := tree.ProveAt(1, []byte("a"))
	commit(t, tree)
	value, made, err := tree.ProveAt(1, []byte("a"))
	if err != nil || value != nil || proof.VerifyAbsent(tree.Hash(), []byte("a"), made) != nil {
		t.Errorf("absence in an empty version: %q, %v", value, err)
	}
	for range 5 {
		set(t, tree, "a", "1")
		commit(t, tree)
	}
	getErr := func(_ []byte, err error) error { return err }
	proveErr := func(_, _ []byte, err error) error { return err }
	for name, c := range map[string]struct {
		err  error
		want store.ErrorKind
	}{
		"prove before commit": {emptyErr, store.NoVersion},
		"low fence":           {tree.Set([]byte{0}, []byte("v")), store.BadKey},
		"high fence":          {tree.Delete([]byte{0xff, 1}), store.BadKey},
		"set empty key":       {tree.Set(nil, []byte("v")), store.BadKey},
		"set long key":        {tree.Set(long, []byte("v")), store.BadKey},
		"set empty value":     {tree.Set([]byte("k"), nil), store.BadValue},
		"set big value":       {tree.Set([]byte("k"), big), store.BadValue},
		"delete empty key":    {tree.Delete(nil), store.BadKey},
		"get empty key":       {getErr(tree.Get(nil)), store.BadKey},
		"get at empty key":    {getErr(tree.GetAt(6, nil)), store.BadKey},
		"prove empty key":     {proveErr(tree.ProveAt(6, nil)), store.BadKey},
		"version 0":           {getErr(tree.GetAt(0, []byte("a"))), store.NoVersion},
		"negative version":    {getErr(tree.GetAt(-1, []byte("a"))), store.NoVersion},
		"future version":      {getErr(tree.GetAt(7, []byte("a"))), store.NoVersion},
		"pruned version":      {getErr(tree.GetAt(4, []byte("a"))), store.NoVersion},
		"hash of pruned":      {getErr(tree.HashAt(4)), store.NoVersion},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %s", name, c.err, c.want)
		}
	}
	for version := int64(5); version <= 6; version++ {
		if value, err := tree.GetAt(version, []byte("a")); err != nil || string(value) != "1" {
			t.Errorf("kept version %d: %q, %v", version, value, err)
		}
	}
}

func TestTree_Closed(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	tree, err := store.Open(store.Config{Dir: "d", FS: kv.NewMemFS()})
	if err != nil {
		t.Fatal(err)
	}
	set(t, tree, "a", "1")
	commit(t, tree)
	if err := errors.Join(tree.Close(), tree.Close()); err != nil {
		t.Fatal(err)
	}
	_, getErr := tree.Get([]byte("a"))
	_, _, proveErr := tree.ProveAt(1, []byte("a"))
	_, _, commitErr := tree.Commit()
	_, hashErr := tree.WorkingHash()
	for i, err := range []error{getErr, proveErr, commitErr, hashErr, tree.Set([]byte("a"), []byte("1")), tree.Delete([]byte("a")), tree.Rollback()} {
		if !errors.Is(err, store.Closed) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if tree.Version() != 0 || tree.Hash() != nil {
		t.Error("a closed tree has a version")
	}
}

func TestOpen_RefusesOtherLayout(t *testing.T) {
	fs := kv.NewMemFS()
	newer, err := kv.Open("d", kv.Options{FS: fs, Layout: "hybridos/state-tree", LayoutVersion: store.LayoutVersion + 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := newer.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = store.Open(store.Config{Dir: "d", FS: fs})
	if !errors.Is(err, kv.WrongLayout) || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("got %v", err)
	}
}

// After a power cut at any moment the tree reopens at the last confirmed
// commit, whole, whatever part of later writes reached the disk.
func TestTree_Crash(t *testing.T) {
	for seed := range uint64(4) {
		disk := kvtest.New()
		tree := open(t, store.Config{FS: disk, KeepVersions: 3, MemTableBytes: kv.MinMemTableBytes})
		random := rand.New(rand.NewPCG(seed, 3))
		model := map[string]string{}
		for range 8 {
			for range 200 { // large enough that iavl by default would split it
				key := fmt.Sprintf("key-%03d", random.IntN(400))
				model[key] = strings.Repeat(fmt.Sprint(random.IntN(10)), 600)
				set(t, tree, key, model[key])
			}
			version, root := commit(t, tree)
			set(t, tree, "uncommitted", "x")
			checkCrashed(t, disk.Crash(seed), version, root, model)
			if err := tree.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func checkCrashed(t *testing.T, disk *kvtest.Disk, version int64, root []byte, model map[string]string) {
	t.Helper()
	after := open(t, store.Config{FS: disk, KeepVersions: 3})
	defer after.Close()
	if after.Version() != version || !bytes.Equal(after.Hash(), root) {
		t.Fatalf("reopened at %d %x, want %d %x", after.Version(), after.Hash(), version, root)
	}
	for key, want := range model {
		value, made, err := after.ProveAt(version, []byte(key))
		if err != nil || string(value) != want {
			t.Fatalf("%s: %.10q, %v", key, value, err)
		}
		if err := proof.Verify(root, []byte(key), value, made); err != nil {
			t.Fatal(err)
		}
	}
	set(t, after, "more", "1")
	commit(t, after)
	commit(t, after)
}

// A power cut in the middle of a commit: the disk is cloned from another
// goroutine while commits run. Each clone must be at a whole version.
func TestTree_CrashDuringCommit(t *testing.T) {
	disk := kvtest.New()
	tree := open(t, store.Config{FS: disk, KeepVersions: 2, MemTableBytes: kv.MinMemTableBytes})
	set(t, tree, "a", "0")
	_, root := commit(t, tree)
	roots := map[int64]string{1: string(root)}
	stop := make(chan struct{})
	clones := make(chan *kvtest.Disk, 1000)
	var cutter sync.WaitGroup
	cutter.Go(func() {
		defer close(clones)
		for seed := uint64(0); seed < 100; seed++ {
			select {
			case <-stop:
				return
			default:
				clones <- disk.Crash(seed)
			}
		}
	})
	for version := 2; version < 60; version++ {
		for i := range 50 {
			set(t, tree, fmt.Sprintf("key-%d", i*version%500), strings.Repeat("v", 400))
		}
		number, root := commit(t, tree)
		roots[number] = string(root)
	}
	close(stop)
	cutter.Wait()
	for clone := range clones {
		after := open(t, store.Config{FS: clone, KeepVersions: 2})
		if want := roots[after.Version()]; want != string(after.Hash()) {
			t.Fatalf("version %d has root %x, want %x", after.Version(), after.Hash(), want)
		}
		commit(t, after)
		after.Close()
	}
}

func TestTree_FullDisk(t *testing.T) {
	disk := kvtest.New()
	tree := open(t, store.Config{FS: disk})
	set(t, tree, "a", "1")
	_, root := commit(t, tree)
	disk.Fill("")
	set(t, tree, "a", "2")
	if _, _, err := tree.Commit(); !errors.Is(err, kv.Full) {
		t.Fatalf("commit: %v", err)
	}
	<-tree.Failed()
	_, getErr := tree.Get([]byte("a"))
	if !errors.Is(getErr, kv.Full) || !errors.Is(tree.Err(), kv.Full) || !errors.Is(tree.Close(), kv.Full) {
		t.Errorf("later: %v, %v", getErr, tree.Err())
	}
	after := open(t, store.Config{FS: disk.Crash(0)})
	if after.Version() != 1 || !bytes.Equal(after.Hash(), root) {
		t.Errorf("reopened at %d", after.Version())
	}
}

func TestTree_RottenTable(t *testing.T) {
	disk := kvtest.New()
	tree := open(t, store.Config{FS: disk, MemTableBytes: kv.MinMemTableBytes, KeepVersions: -1})
	for version := range 20 {
		for i := range 50 {
			set(t, tree, fmt.Sprintf("key-%d", i), strings.Repeat(fmt.Sprint(version), 1000))
		}
		commit(t, tree)
	}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	if disk.Rot(t, "state", ".sst") == 0 {
		t.Fatal("no tables")
	}
	again, err := store.Open(store.Config{Dir: "state", FS: disk})
	if err == nil {
		defer again.Close()
		_, _, err = again.ProveAt(1, []byte("key-1"))
	}
	if !errors.Is(err, kv.Corrupt) {
		t.Errorf("got %v", err)
	}
}

func TestTree_ReadersBesideCommits(t *testing.T) {
	tree := open(t, store.Config{FS: kv.NewMemFS(), KeepVersions: 3, NodeCache: 50})
	set(t, tree, "a", "0")
	commit(t, tree)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := readOnce(tree); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for version := range 100 {
		for i := range 20 {
			set(t, tree, fmt.Sprintf("key-%d", (i*7+version)%200), fmt.Sprint(version))
		}
		if _, err := tree.WorkingHash(); err != nil {
			t.Fatal(err)
		}
		commit(t, tree)
	}
	close(stop)
	readers.Wait()
}

func readOnce(tree *store.Tree) error {
	version := tree.Version()
	root, err := tree.HashAt(version)
	if errors.Is(err, store.NoVersion) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, key := range []string{"a", "key-7", "key-150", "zz"} {
		value, made, err := tree.ProveAt(version, []byte(key))
		if errors.Is(err, store.NoVersion) {
			return nil
		}
		if err != nil {
			return err
		}
		shown, err := proof.Read(root, []byte(key), made)
		if err != nil || !bytes.Equal(shown, value) {
			return fmt.Errorf("version %d: %q and %q: %w", version, value, shown, err)
		}
	}
	return nil
}

// Random histories against a plain map per version: values, proofs, pruning,
// reopening, empty commits.
func TestTree_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fs := kv.NewMemFS()
		keep := rapid.Int64Range(1, 4).Draw(t, "keep")
		cfg := store.Config{Dir: "d", FS: fs, KeepVersions: keep, NodeCache: 10}
		tree, err := store.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		working := map[string]string{}
		past := map[int64]map[string]string{}
		roots := map[int64][]byte{}
		keys := rapid.StringMatching("[a-h]{1,2}")
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				key, value := keys.Draw(t, "key"), rapid.StringMatching("[0-9]{1,3}").Draw(t, "value")
				if err := tree.Set([]byte(key), []byte(value)); err != nil {
					t.Fatal(err)
				}
				working[key] = value
			},
			"delete": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				if err := tree.Delete([]byte(key)); err != nil {
					t.Fatal(err)
				}
				delete(working, key)
			},
			"commit": func(t *rapid.T) {
				version, root, err := tree.Commit()
				if err != nil {
					t.Fatal(err)
				}
				past[version], roots[version] = clone(working), root
			},
			"rollback": func(t *rapid.T) {
				if err := tree.Rollback(); err != nil {
					t.Fatal(err)
				}
				working = clone(past[tree.Version()])
			},
			"reopen": func(t *rapid.T) {
				if err := tree.Close(); err != nil {
					t.Fatal(err)
				}
				if tree, err = store.Open(cfg); err != nil {
					t.Fatal(err)
				}
				working = clone(past[tree.Version()])
			},
			"": func(t *rapid.T) { // after every action
				key := keys.Draw(t, "look")
				if value, err := tree.Get([]byte(key)); err != nil || string(value) != working[key] {
					t.Fatalf("%s: %q, want %q, %v", key, value, working[key], err)
				}
				last := tree.Version()
				for version := max(1, last-keep+1); version <= last; version++ {
					lookAt(t, tree, version, key, past[version], roots[version])
				}
				if _, err := tree.GetAt(last-keep, []byte(key)); last > keep && !errors.Is(err, store.NoVersion) {
					t.Fatalf("version %d of %d, keeping %d: %v", last-keep, last, keep, err)
				}
			},
		})
		if err := tree.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func lookAt(t *rapid.T, tree *store.Tree, version int64, key string, want map[string]string, root []byte) {
	value, made, err := tree.ProveAt(version, []byte(key))
	if err != nil || string(value) != want[key] {
		t.Fatalf("%s at %d: %q, want %q, %v", key, version, value, want[key], err)
	}
	shown, err := proof.Read(root, []byte(key), made)
	if err != nil || !bytes.Equal(shown, value) || (shown == nil) != (value == nil) {
		t.Fatalf("%s at %d: proof shows %q, %v", key, version, shown, err)
	}
}

func clone(m map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range m {
		out[key] = value
	}
	return out
}
