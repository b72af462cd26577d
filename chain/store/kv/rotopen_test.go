package kv_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/store/kvtest"
)

// A table that rots while nobody looks is found by the compaction that Open
// begins. Open must tell it, and not wait for a compaction that has ended badly.
func TestOpen_RotFoundByCompaction(t *testing.T) {
	disk := kvtest.New()
	const cycles = 12 // tables of level 0: each start after a power cut writes one
	for i := range cycles {
		db, err := kv.Open("d", kv.Options{FS: disk})
		if err != nil {
			t.Fatal(err)
		}
		for k := range 100 {
			if err := db.Set(fmt.Appendf(nil, "key %d", k), fmt.Appendf(nil, "value %d of %d", k, i), kv.Sync); err != nil {
				t.Fatal(err)
			}
		}
		rotten := disk.Crash(uint64(i))
		disk = disk.Crash(uint64(i))
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if rotten.Rot(t, "d", ".sst") == 0 {
			continue
		}
		db, err = kv.Open("d", kv.Options{FS: rotten})
		switch {
		case errors.Is(err, kv.Corrupt):
			return
		case err != nil:
			t.Fatalf("cycle %d: %v", i, err)
		default:
			_ = db.Close()
		}
	}
	t.Error("no compaction has found anything")
}
