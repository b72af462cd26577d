package cometdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/config"
	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/store/kvtest"
)

// step is one operation of a history; it returns what a caller sees.
type step struct {
	name string
	run  func(db.DB) string
}

func seen(parts ...any) string {
	for i, part := range parts {
		switch part := part.(type) {
		case error:
			parts[i] = "error"
		case []byte:
			parts[i] = fmt.Sprintf("%t:%x", part != nil, part)
		case nil:
			parts[i] = "nil"
		}
	}
	return fmt.Sprint(parts...)
}

func walk(it db.Iterator, err error) string {
	if err != nil {
		return "error"
	}
	var out strings.Builder
	start, end := it.Domain()
	fmt.Fprintf(&out, "[%s,%s)", start, end)
	for ; it.Valid(); it.Next() {
		fmt.Fprintf(&out, " %s=%s", it.Key(), it.Value())
	}
	for name, misuse := range map[string]func(){"next": it.Next, "key": func() { it.Key() }, "value": func() { it.Value() }} {
		if !panics(misuse) {
			out.WriteString(" no panic in " + name)
		}
	}
	fmt.Fprint(&out, " ", it.Error(), " ", it.Close())
	return out.String()
}

func panics(run func()) (did bool) {
	defer func() { did = recover() != nil }()
	run()
	return false
}

// history is applied to CometBFT's memory store and to ours; both must show the
// same at each step.
func history() []step {
	b := func(s string) []byte { return []byte(s) }
	steps := []step{
		{"get absent", func(d db.DB) string { v, err := d.Get(b("a")); return seen(v, err) }},
		{"has absent", func(d db.DB) string { v, err := d.Has(b("a")); return seen(v, err) }},
		{"get nil key", func(d db.DB) string { v, err := d.Get(nil); return seen(v, err) }},
		{"get empty key", func(d db.DB) string { v, err := d.Get(b("")); return seen(v, err) }},
		{"has nil key", func(d db.DB) string { v, err := d.Has(nil); return seen(v, err) }},
		{"set nil key", func(d db.DB) string { return seen(d.Set(nil, b("x"))) }},
		{"set empty key", func(d db.DB) string { return seen(d.Set(b(""), b("x"))) }},
		{"set nil value", func(d db.DB) string { return seen(d.Set(b("a"), nil)) }},
		{"set sync nil key", func(d db.DB) string { return seen(d.SetSync(nil, b("x"))) }},
		{"set sync nil value", func(d db.DB) string { return seen(d.SetSync(b("a"), nil)) }},
		{"delete nil key", func(d db.DB) string { return seen(d.Delete(nil)) }},
		{"delete sync nil key", func(d db.DB) string { return seen(d.DeleteSync(nil)) }},
		{"delete absent", func(d db.DB) string { return seen(d.Delete(b("a")), d.DeleteSync(b("a"))) }},
		{"set empty value", func(d db.DB) string { return seen(d.Set(b("e"), b(""))) }},
		{"get empty value", func(d db.DB) string { v, err := d.Get(b("e")); return seen(v, err) }},
		{"has empty value", func(d db.DB) string { v, err := d.Has(b("e")); return seen(v, err) }},
		{"set", func(d db.DB) string { return seen(d.Set(b("a"), b("1")), d.SetSync(b("b"), b("2"))) }},
		{"overwrite", func(d db.DB) string {
			err := d.Set(b("a"), b("3"))
			v, err2 := d.Get(b("a"))
			return seen(err, v, err2)
		}},
		{"zero byte key", func(d db.DB) string {
			err := d.Set([]byte{0}, b("0"))
			v, err2 := d.Get([]byte{0})
			return seen(err, v, err2)
		}},
		{"high byte key", func(d db.DB) string { return seen(d.Set([]byte{0xff, 0xff}, b("f"))) }},
		{"batch", func(d db.DB) string {
			batch := d.NewBatch()
			before := seen(batch.Set(b("c"), b("4")), batch.Delete(b("b")), batch.Set(b("d"), b("5")), batch.Delete(b("d")))
			v, err := d.Get(b("c"))
			unseen := seen(v, err)
			after := seen(batch.Write(), batch.Set(b("z"), b("z")), batch.Delete(b("z")), batch.Write(), batch.WriteSync(), batch.Close(), batch.Close())
			return before + unseen + after
		}},
		{"batch sync", func(d db.DB) string {
			batch := d.NewBatch()
			return seen(batch.Set(b("m"), b("6")), batch.WriteSync(), batch.Close())
		}},
		{"batch bad input", func(d db.DB) string {
			batch := d.NewBatch()
			return seen(batch.Set(nil, b("x")), batch.Set(b(""), b("x")), batch.Set(b("x"), nil), batch.Delete(nil), batch.Delete(b("")), batch.Close(), batch.Write())
		}},
		{"batch dropped", func(d db.DB) string {
			batch := d.NewBatch()
			err := batch.Set(b("dropped"), b("x"))
			err2 := batch.Close()
			v, err3 := d.Get(b("dropped"))
			return seen(err, err2, v, err3)
		}},
		{"empty batch", func(d db.DB) string { return seen(d.NewBatch().Write(), d.NewBatch().WriteSync()) }},
		{"empty bounds", func(d db.DB) string {
			_, err := d.Iterator(b(""), nil)
			_, err2 := d.Iterator(nil, b(""))
			_, err3 := d.ReverseIterator(b(""), nil)
			_, err4 := d.ReverseIterator(nil, b(""))
			return seen(err, err2, err3, err4)
		}},
		{"returned value is a copy", func(d db.DB) string {
			key, value := b("copy"), b("vvv")
			err := d.Set(key, bytes.Clone(value))
			got, err2 := d.Get(key)
			return seen(err, got, err2)
		}},
		{"compact", func(d db.DB) string {
			return seen(d.Compact(nil, nil), d.Compact(b("a"), b("c")), d.Compact(b("q"), b("r")))
		}},
		{"stats", func(d db.DB) string { return fmt.Sprint(len(d.Stats()) > 0) }},
	}
	bounds := [][]byte{nil, {0}, b("a"), b("aa"), b("c"), b("m"), b("zz"), {0xff, 0xff}, {0xff, 0xff, 0}}
	for i, start := range bounds {
		for j, end := range bounds {
			if end != nil && i > j { // start must be below end
				continue
			}
			if start != nil && bytes.Equal(start, end) {
				continue
			}
			steps = append(steps,
				step{fmt.Sprintf("iterate %q %q", start, end), func(d db.DB) string { return walk(d.Iterator(start, end)) }},
				step{fmt.Sprintf("reverse %q %q", start, end), func(d db.DB) string { return walk(d.ReverseIterator(start, end)) }})
		}
	}
	return steps
}

func TestDB_SameAsMemory(t *testing.T) {
	ours, err := Open(t.TempDir(), kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	memory := db.NewMemDB()
	steps := history()
	if len(steps) < 90 {
		t.Fatalf("only %d steps", len(steps))
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			if diff := cmp.Diff(step.run(memory), step.run(ours)); diff != "" {
				t.Errorf("memory (-) and ours (+) differ:\n%s", diff)
			}
		})
	}
}

func TestDB_PrefixedLikeCometIndexers(t *testing.T) {
	ours, err := Open(t.TempDir(), kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	prefixed := db.NewPrefixDB(ours, []byte("p/"))
	for _, key := range []string{"1", "2", "3"} {
		if err := prefixed.Set([]byte(key), []byte("v"+key)); err != nil {
			t.Fatal(err)
		}
	}
	want := "[,) 3=v3 2=v2 1=v1 <nil> <nil>"
	if got := walk(prefixed.ReverseIterator(nil, nil)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDB_Reopen(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(dir, kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.SetSync([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(first.Close(), first.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Get([]byte("k")); !errors.Is(err, kv.Closed) {
		t.Fatalf("get after close: %v", err)
	}
	second, err := Open(dir, kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if v, err := second.Get([]byte("k")); err != nil || string(v) != "v" {
		t.Fatalf("got %q, %v", v, err)
	}
}

func TestProvider_LockedDirectory(t *testing.T) {
	cfg := config.DefaultConfig().SetRoot(t.TempDir())
	ctx := &config.DBContext{ID: "blockstore", Config: cfg}
	first, second := NewProvider(nil), NewProvider(nil)
	if _, err := first.Open(ctx); err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err := second.Open(ctx)
	if !errors.Is(err, kv.Locked) {
		t.Fatalf("second open: %v", err)
	}
	for _, part := range []string{filepath.Join(cfg.DBDir(), "blockstore"), "\ntry: stop the other hosd"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Open(ctx); err != nil {
		t.Fatalf("after the first closed: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestProvider_WatchEndsWithContext(t *testing.T) {
	provider := NewProvider(nil)
	cfg := config.DefaultConfig().SetRoot(t.TempDir())
	for _, id := range []string{"blockstore", "state", "evidence", "outcomes"} {
		if _, err := provider.Open(&config.DBContext{ID: id, Config: cfg}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := errors.Join(provider.Watch(ctx), provider.Close()); err != nil {
		t.Fatal(err)
	}
}

// CometBFT panics or hangs on when one of its stores fails; Watch is how hosd
// learns of it and says why it stops.
func TestProvider_WatchReportsFullDisk(t *testing.T) {
	disk := kvtest.New()
	provider := &Provider{Options: kv.Options{FS: disk}}
	store, err := provider.Open(&config.DBContext{ID: "state", Config: config.DefaultConfig().SetRoot("root")})
	if err != nil {
		t.Fatal(err)
	}
	disk.Fill("")
	if err := store.SetSync([]byte("k"), []byte("v")); !errors.Is(err, kv.Full) {
		t.Fatalf("set: %v", err)
	}
	err = provider.Watch(t.Context())
	if !errors.Is(err, kv.Full) || !strings.Contains(err.Error(), "\ntry: free space") {
		t.Errorf("watch: %v", err)
	}
}
