package kv_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/store/kvtest"
)

// TestOpen_PowerCut cuts the power before each sync while a store is opened
// again and again, each of which moves pebble's marker to a new manifest. What
// is left of names that were not synced is drawn many times: whatever it is, the
// store opens and has what it had confirmed.
func TestOpen_PowerCut(t *testing.T) {
	disk := kvtest.New()
	var mu sync.Mutex
	var cuts []*kvtest.Disk
	k, want := []byte("k"), []byte("confirmed")
	confirmed := false
	for range 3 {
		db, err := kv.Open("d/store", kv.Options{FS: disk})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Set(k, want, kv.Sync); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if !confirmed {
			confirmed = true
			disk.OnSync(func(string) {
				mu.Lock()
				defer mu.Unlock()
				for seed := range uint64(24) {
					cuts = append(cuts, disk.Crash(seed))
				}
			})
		}
	}
	disk.OnSync(nil)
	if len(cuts) < 100 {
		t.Fatalf("only %d cuts", len(cuts))
	}
	for i, c := range cuts {
		db, err := kv.Open("d/store", kv.Options{FS: c})
		if err != nil {
			t.Fatalf("cut %d: %v", i, err)
		}
		got, err := db.Get(k)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("cut %d: the store has %q, %v", i, got, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
