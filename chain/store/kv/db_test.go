package kv_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/store/kvtest"
)

func open(t *testing.T, dir string, opts kv.Options) *kv.DB {
	t.Helper()
	db, err := kv.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func put(t *testing.T, db *kv.DB, key, value string) {
	t.Helper()
	if err := db.Set([]byte(key), []byte(value), kv.Sync); err != nil {
		t.Fatal(err)
	}
}

func TestOpen_Options(t *testing.T) {
	for name, opts := range map[string]kv.Options{
		"negative cache":      {CacheBytes: -1},
		"negative open files": {OpenFiles: -1},
		"tiny memtable":       {MemTableBytes: 1},
		"layout no version":   {Layout: "x"},
		"version no layout":   {LayoutVersion: 1},
		"long layout":         {Layout: strings.Repeat("x", kv.MaxLayoutName+1), LayoutVersion: 1},
	} {
		t.Run(name, func(t *testing.T) {
			opts.FS = kv.NewMemFS()
			if _, err := kv.Open("d", opts); !errors.Is(err, kv.BadConfig) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDB_KeysAndValues(t *testing.T) {
	db := open(t, "d", kv.Options{FS: kv.NewMemFS()})
	long := make([]byte, kv.MaxKeyBytes+1)
	for name, c := range map[string]struct {
		err  error
		want kv.ErrorKind
	}{
		"empty key":  {db.Set(nil, []byte("v"), kv.Sync), kv.BadKey},
		"long key":   {db.Set(long, []byte("v"), kv.Sync), kv.BadKey},
		"nil value":  {db.Set([]byte("k"), nil, kv.Sync), kv.BadValue},
		"delete nil": {db.Delete(nil, kv.NoSync), kv.BadKey},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	put(t, db, "k", "v")
	got, err := db.Get([]byte("k"))
	if err != nil || string(got) != "v" {
		t.Fatalf("got %q, %v", got, err)
	}
	got[0] = 'x'
	if again, err := db.Get([]byte("k")); err != nil || string(again) != "v" {
		t.Errorf("the store shares memory with callers: %q, %v", again, err)
	}
}

func TestDB_IteratorIsASnapshot(t *testing.T) {
	db := open(t, "d", kv.Options{FS: kv.NewMemFS()})
	put(t, db, "a", "1")
	it, err := db.NewIterator(nil, nil, kv.Forward)
	if err != nil {
		t.Fatal(err)
	}
	put(t, db, "b", "2")
	it.Next()
	if it.Valid() {
		t.Errorf("sees a later write: %s", it.Key())
	}
	it.Next() // past the end: nothing
	if it.Key() != nil || it.Value() != nil {
		t.Error("a key past the end")
	}
	if err := errors.Join(it.Error(), it.Close(), it.Close()); err != nil {
		t.Error(err)
	}
}

func TestDB_BatchIsAtomicOverCrash(t *testing.T) {
	for seed := range uint64(20) {
		disk := kvtest.New()
		db := open(t, "d", kv.Options{FS: disk})
		for round := range 5 {
			batch := db.NewBatch()
			for i := range 100 {
				value := fmt.Appendf(nil, "%d", round)
				if err := batch.Set(fmt.Appendf(nil, "key-%d", i), value); err != nil {
					t.Fatal(err)
				}
			}
			durability := kv.Durability(round < 3)
			if err := batch.Commit(durability); err != nil {
				t.Fatal(err)
			}
		}
		after := open(t, "d", kv.Options{FS: disk.Crash(seed)})
		first, err := after.Get([]byte("key-0"))
		if err != nil || string(first) < "2" {
			t.Fatalf("seed %d: a synced batch is lost: %q, %v", seed, first, err)
		}
		for i := range 100 {
			value, err := after.Get(fmt.Appendf(nil, "key-%d", i))
			if err != nil || !bytes.Equal(value, first) {
				t.Fatalf("seed %d: half a batch: %q and %q, %v", seed, first, value, err)
			}
		}
	}
}

func TestOpen_Layout(t *testing.T) {
	fs := kv.NewMemFS()
	mine := kv.Options{FS: fs, Layout: "test", LayoutVersion: 2}
	db := open(t, "d", mine)
	put(t, db, "k", "v")
	if err := db.Set([]byte("\x00x"), []byte("v"), kv.Sync); !errors.Is(err, kv.BadKey) {
		t.Errorf("reserved key: %v", err)
	}
	it, err := db.NewIterator(nil, nil, kv.Forward)
	if err != nil || string(it.Key()) != "k" {
		t.Errorf("the layout record shows: %q, %v", it.Key(), err)
	}
	if err := errors.Join(it.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	for name, opts := range map[string]kv.Options{
		"newer on disk": {FS: fs, Layout: "test", LayoutVersion: 1},
		"older on disk": {FS: fs, Layout: "test", LayoutVersion: 3},
		"other name":    {FS: fs, Layout: "other", LayoutVersion: 2},
	} {
		if _, err := kv.Open("d", opts); !errors.Is(err, kv.WrongLayout) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if v, err := open(t, "d", mine).Get([]byte("k")); err != nil || string(v) != "v" {
		t.Errorf("a refused open damaged the store: %q, %v", v, err)
	}
	plain := open(t, "plain", kv.Options{FS: fs})
	put(t, plain, "k", "v")
	plain.Close()
	if _, err := kv.Open("plain", kv.Options{FS: fs, Layout: "test", LayoutVersion: 2}); !errors.Is(err, kv.WrongLayout) {
		t.Errorf("data without a layout: %v", err)
	}
}

func TestOpen_Locked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	if os.Getenv("KV_TEST_DIR") != "" {
		_, err := kv.Open(os.Getenv("KV_TEST_DIR"), kv.Options{})
		fmt.Println("child:", errors.Is(err, kv.Locked), err)
		return
	}
	open(t, dir, kv.Options{})
	if _, err := kv.Open(dir, kv.Options{}); !errors.Is(err, kv.Locked) {
		t.Errorf("same process: %v", err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestOpen_Locked$")
	child.Env = append(os.Environ(), "KV_TEST_DIR="+dir)
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "child: true") || !strings.Contains(string(out), dir) {
		t.Errorf("other process: %v\n%s", err, out)
	}
}

func TestOpen_NotADirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Open(path, kv.Options{}); !errors.Is(err, kv.Failing) {
		t.Errorf("got %v", err)
	}
}

func TestOpen_FullDisk(t *testing.T) {
	disk := kvtest.New()
	disk.Fill("")
	if _, err := kv.Open("d", kv.Options{FS: disk}); !errors.Is(err, kv.Full) {
		t.Errorf("got %v", err)
	}
}

// A disk that runs full in any of the three sorts of files stops the store with
// one clear error, soon, without ending the process and without losing what was
// confirmed before.
func TestDB_FullDisk(t *testing.T) {
	for name, only := range map[string]string{"log": ".log", "table": ".sst", "manifest": "MANIFEST", "all": ""} {
		t.Run(name, func(t *testing.T) {
			disk := kvtest.New()
			db := open(t, "d", kv.Options{FS: disk, MemTableBytes: kv.MinMemTableBytes})
			put(t, db, "before", "v")
			disk.Fill(only)
			value := make([]byte, 16<<10)
			var err error
			for i := 0; err == nil && i < 10_000; i++ {
				err = db.Set(fmt.Appendf(nil, "k%d", i), value, kv.Sync)
			}
			if !errors.Is(err, kv.Full) {
				t.Fatalf("got %v", err)
			}
			<-db.Failed()
			_, getErr := db.Get([]byte("before"))
			for _, err := range []error{db.Err(), getErr, db.Set([]byte("x"), value, kv.NoSync), db.Close()} {
				if !errors.Is(err, kv.Full) {
					t.Errorf("later call: %v", err)
				}
			}
			after := open(t, "d", kv.Options{FS: disk.Crash(1)})
			if v, err := after.Get([]byte("before")); err != nil || string(v) != "v" {
				t.Errorf("confirmed write lost: %q, %v", v, err)
			}
		})
	}
}

// Writes that do not wait for the disk end with the same error, not with the
// process.
func TestDB_FullDiskWithoutSync(t *testing.T) {
	disk := kvtest.New()
	db := open(t, "d", kv.Options{FS: disk, MemTableBytes: kv.MinMemTableBytes})
	put(t, db, "before", "v")
	disk.Fill("")
	value := make([]byte, 16<<10)
	var err error
	for i := 0; err == nil && i < 10_000; i++ {
		err = db.Set(fmt.Appendf(nil, "k%d", i), value, kv.NoSync)
	}
	if !errors.Is(err, kv.Full) {
		t.Fatalf("got %v", err)
	}
	<-db.Failed()
	if err := db.Set([]byte("x"), value, kv.NoSync); !errors.Is(err, kv.Full) {
		t.Errorf("later: %v", err)
	}
}

func TestDB_Corruption(t *testing.T) {
	for _, suffix := range []string{".sst", ".log"} {
		t.Run(suffix, func(t *testing.T) {
			disk := kvtest.New()
			db := open(t, "d", kv.Options{FS: disk})
			put(t, db, "k", strings.Repeat("v", 5000))
			if suffix == ".sst" {
				if err := db.Compact(nil, nil); err != nil {
					t.Fatal(err)
				}
			}
			put(t, db, "l", strings.Repeat("w", 5000))
			if suffix == ".sst" {
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			} else {
				disk = disk.Crash(0)
			}
			if disk.Rot(t, "d", suffix) == 0 {
				t.Fatal("no file to rot")
			}
			broken, err := kv.Open("d", kv.Options{FS: disk})
			if err == nil {
				_, err = broken.Get([]byte("k"))
				defer broken.Close()
			}
			if suffix == ".log" && err == nil {
				// Pebble takes a rotten tail of the newest log for a torn write.
				return
			}
			if !errors.Is(err, kv.Corrupt) {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, name := range []string{"MANIFEST", "marker.manifest"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			db := open(t, dir, kv.Options{})
			put(t, db, "k", "v")
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(dir, name+"*"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no %s: %v", name, err)
			}
			for _, file := range files {
				if name == "MANIFEST" {
					err = os.WriteFile(file, bytes.Repeat([]byte{0x5a}, 4096), 0o600)
				} else {
					err = os.Rename(file, filepath.Join(dir, "marker.manifest.000009.MANIFEST-000777"))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			_, err = kv.Open(dir, kv.Options{})
			var refused *kv.Error
			if !errors.As(err, &refused) {
				t.Fatalf("got %v", err)
			}
			t.Log(err)
		})
	}
}

func TestDB_NoGoroutineAfterClose(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	db, err := kv.Open("d", kv.Options{FS: kv.NewMemFS()})
	if err != nil {
		t.Fatal(err)
	}
	put(t, db, "k", "v")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"set": db.Set([]byte("k"), []byte("v"), kv.Sync), "compact": db.Compact(nil, nil)} {
		if !errors.Is(err, kv.Closed) {
			t.Errorf("%s after close: %v", name, err)
		}
	}
}

func TestError_KindsAndHints(t *testing.T) {
	hinted := 0
	for _, kind := range kv.Kinds {
		err := error(&kv.Error{Kind: kind, Dir: "/d", Detail: "x", Cause: os.ErrPermission})
		if !errors.Is(err, kind) || !errors.Is(err, os.ErrPermission) {
			t.Errorf("%s is lost", kind)
		}
		var refused *kv.Error
		if errors.As(err, &refused) && refused.Hint() != "" {
			hinted++
		}
	}
	if hinted != 5 {
		t.Errorf("%d kinds with a hint, want 5", hinted)
	}
}
