package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/store/kvtest"
)

func scan(t testing.TB, tree *store.Tree, version int64, prefix string) (out []string) {
	t.Helper()
	err := tree.ScanAt(version, []byte(prefix), func(k, v []byte) error {
		out = append(out, string(k)+"="+string(v))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTree_ScanAt(t *testing.T) {
	tree := open(t, store.Config{FS: kv.NewMemFS()})
	for _, k := range []string{"a", "d1", "d", "d\xff", "d\xff\xff", "e", "\xfe\xff"} {
		set(t, tree, k, "1")
	}
	commit(t, tree)
	set(t, tree, "d1", "2")
	if err := tree.Delete([]byte("d\xff")); err != nil {
		t.Fatal(err)
	}
	commit(t, tree)
	set(t, tree, "d2", "not committed")
	for _, c := range []struct {
		version int64
		prefix  string
		want    []string
	}{
		{1, "d", []string{"d=1", "d1=1", "d\xff=1", "d\xff\xff=1"}},
		{2, "d", []string{"d=1", "d1=2", "d\xff\xff=1"}},
		{2, "d\xff", []string{"d\xff\xff=1"}},
		{2, "\xfe", []string{"\xfe\xff=1"}},
		{2, "\xfe\xff\xff", nil},
		{2, "c", nil},
		{2, "\x01", nil},
	} {
		if diff := cmp.Diff(c.want, scan(t, tree, c.version, c.prefix)); diff != "" {
			t.Errorf("%q at %d (-want +got):\n%s", c.prefix, c.version, diff)
		}
	}
}

func TestTree_ScanAtRefuses(t *testing.T) {
	tree := open(t, store.Config{FS: kv.NewMemFS()})
	set(t, tree, "a", "1")
	set(t, tree, "ab", "1")
	commit(t, tree)
	none := func(_, _ []byte) error { t.Error("called"); return nil }
	for name, c := range map[string]struct {
		version int64
		prefix  string
		want    store.ErrorKind
	}{
		"empty":     {1, "", store.BadKey},
		"low":       {1, "\x00", store.BadKey},
		"high":      {1, "\xff", store.BadKey},
		"too long":  {1, strings.Repeat("a", store.MaxKeyBytes+1), store.BadKey},
		"version 0": {0, "a", store.NoVersion},
		"future":    {2, "a", store.NoVersion},
	} {
		if err := tree.ScanAt(c.version, []byte(c.prefix), none); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stop, calls := errors.New("enough"), 0
	err := tree.ScanAt(1, []byte("a"), func(_, _ []byte) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
	if err := tree.Close(); err != nil {
		t.Fatal(err)
	}
	if err := tree.ScanAt(1, []byte("a"), none); !errors.Is(err, store.Closed) {
		t.Errorf("closed: %v", err)
	}
}

// A node that cannot be read ends the scan with an error, never early without
// one.
func TestTree_ScanAtRottenTable(t *testing.T) {
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
		err = again.ScanAt(1, []byte("key"), func(_, _ []byte) error { return nil })
	}
	if !errors.Is(err, kv.Corrupt) {
		t.Errorf("got %v", err)
	}
}

func TestTree_Pending(t *testing.T) {
	tree := open(t, store.Config{FS: kv.NewMemFS()})
	pending := func(want string) {
		t.Helper()
		var got []string
		for _, k := range tree.Pending() {
			got = append(got, string(k))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("pending %q, want %q", s, want)
		}
	}
	pending("")
	set(t, tree, "b", "1")
	set(t, tree, "a", "1")
	set(t, tree, "b", "2")
	pending("a b")
	if err := tree.Rollback(); err != nil {
		t.Fatal(err)
	}
	pending("")
	set(t, tree, "c", "1")
	if err := tree.Delete([]byte("absent")); err != nil {
		t.Fatal(err)
	}
	pending("absent c")
	commit(t, tree)
	pending("")
}
