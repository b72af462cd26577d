package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
)

// What ChangesAt says is the difference of two scans, also over versions that
// change nothing.
func TestTree_ChangesAt(t *testing.T) {
	tree := open(t, store.Config{FS: kv.NewMemFS(), NodeCache: 8})
	random := rand.New(rand.NewPCG(1, 2))
	before := map[string]string{}
	for version := int64(1); version <= 60; version++ {
		after := map[string]string{}
		for k, v := range before {
			after[k] = v
		}
		for range random.IntN(6) {
			k := fmt.Sprintf("%c%03d", 'a'+random.IntN(3), random.IntN(60))
			if _, ok := after[k]; ok && random.IntN(3) == 0 {
				delete(after, k)
				if err := tree.Delete([]byte(k)); err != nil {
					t.Fatal(err)
				}
				continue
			}
			after[k] = fmt.Sprint(version)
			set(t, tree, k, after[k])
		}
		commit(t, tree)
		var want []string
		for k := range before {
			if _, ok := after[k]; !ok {
				want = append(want, k)
			}
		}
		for k, v := range after {
			if before[k] != v {
				want = append(want, k)
			}
		}
		slices.Sort(want)
		keys, err := tree.ChangesAt(version)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range keys {
			got = append(got, string(k))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("version %d (-want +got):\n%s", version, diff)
		}
		before = after
	}
}

func TestTree_ChangesAtRefuses(t *testing.T) {
	tree := open(t, store.Config{FS: kv.NewMemFS(), KeepVersions: 3})
	for i := range 10 {
		set(t, tree, "k", fmt.Sprint(i))
		commit(t, tree)
	}
	if keys, err := tree.ChangesAt(9); err != nil || len(keys) != 1 {
		t.Errorf("a kept version: %q, %v", keys, err)
	}
	for name, version := range map[string]int64{"none": 0, "future": 11, "pruned": 5, "after a pruned one": 8} {
		if _, err := tree.ChangesAt(version); !errors.Is(err, store.NoVersion) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Pages give each record once, whatever is committed in between.
func TestTree_PageAt(t *testing.T) {
	tree := open(t, store.Config{FS: kv.NewMemFS()})
	var want []string
	for i := range 25 {
		k := fmt.Sprintf("d%02d", i*2)
		set(t, tree, k, "1")
		want = append(want, k+"=1")
	}
	set(t, tree, "c", "1")
	set(t, tree, "e", "1")
	version, _ := commit(t, tree)
	var got []string
	var after []byte
	for page := 0; ; page++ {
		pairs, err := tree.PageAt(version, []byte("d"), after, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pairs {
			got = append(got, string(p.Key)+"="+string(p.Value))
		}
		if len(pairs) < 10 {
			break
		}
		after = pairs[9].Key
		set(t, tree, fmt.Sprintf("d%02d", page*7), "2")
		commit(t, tree)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := tree.PageAt(version, []byte("d"), []byte("e"), 1); !errors.Is(err, store.BadKey) {
		t.Errorf("a place outside: %v", err)
	}
	if _, err := tree.PageAt(version, nil, nil, 1); !errors.Is(err, store.BadKey) {
		t.Errorf("no prefix: %v", err)
	}
	if _, err := tree.PageAt(99, []byte("d"), nil, 1); !errors.Is(err, store.NoVersion) {
		t.Errorf("no version: %v", err)
	}
}
