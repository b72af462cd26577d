// Package kvtest is a disk in memory that can lose power, run full and rot, for
// the tests of whatever stands on chain/store/kv.
//
// It is not for programs: they have kv.NewMemFS. Callers start at New and pass
// the Disk as the FS of a store. What must never change: a Crash keeps all that
// was synced.
package kvtest

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/hybridos-net/hybridos/chain/store/kv"
)

// Disk is the disk; pass it whole as an FS.
type Disk struct {
	kv.FS
	mem *vfs.MemFS

	// twice keeps Crash out of the two calls that read-lock the memory file
	// system twice: a writer waiting in between would stop both for ever.
	twice sync.RWMutex

	mu   sync.Mutex
	full bool
	only string
	sync func(path string)
}

// New returns an empty disk with room.
func New() *Disk { return wrap(vfs.NewCrashableMem()) }

func wrap(mem *vfs.MemFS) *Disk {
	d := &Disk{mem: mem}
	d.FS = errorfs.Wrap(mem, errorfs.InjectorFunc(d.fault))
	return d
}

// Fill makes every later write fail for want of space, or only writes to files
// whose path contains the text, if that is not empty.
func (d *Disk) Fill(only string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.only = true, only
}

// OnSync calls f before each file or directory is synced, in the goroutine that
// does it: the moment of a power cut. f may call Crash; nil ends it.
func (d *Disk) OnSync(f func(path string)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sync = f
}

func (d *Disk) told(op errorfs.Op) {
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		d.mu.Lock()
		f := d.sync
		d.mu.Unlock()
		if f != nil {
			f(op.Path)
		}
	}
}

func (d *Disk) fault(op errorfs.Op) error {
	d.told(op)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.full || !strings.Contains(op.Path, d.only) {
		return nil
	}
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpFileWrite, errorfs.OpFileWriteAt,
		errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo, errorfs.OpFilePreallocate:
		return &fs.PathError{Op: "write", Path: op.Path, Err: syscall.ENOSPC}
	}
	return nil
}

// ReuseForWrite is that of the file system below.
func (d *Disk) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	d.twice.RLock()
	defer d.twice.RUnlock()
	return d.FS.ReuseForWrite(old, name, category)
}

// Lock is that of the file system below.
func (d *Disk) Lock(name string) (io.Closer, error) {
	d.twice.RLock()
	defer d.twice.RUnlock()
	return d.FS.Lock(name)
}

// Crash is the disk as found after a power cut now: synced data is all there,
// of later data a part chosen by the seed.
func (d *Disk) Crash(seed uint64) *Disk {
	d.twice.Lock()
	defer d.twice.Unlock()
	return wrap(d.mem.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: int(seed * 37 % 101),
		RNG:                 rand.New(rand.NewPCG(seed, 1)),
	}))
}

// Rot flips bits all over each file under dir whose name ends with the
// suffix, and returns how many there were.
func (d *Disk) Rot(t testing.TB, dir, suffix string) int {
	t.Helper()
	names, err := d.mem.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, name := range names {
		if strings.HasSuffix(name, suffix) {
			d.rotFile(t, d.mem.PathJoin(dir, name))
			count++
		}
	}
	return count
}

func (d *Disk) rotFile(t testing.TB, path string) {
	t.Helper()
	file, err := d.mem.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, info.Size())
	if _, err := file.ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	for i := range data {
		data[i] ^= 0x5a
	}
	if _, err := file.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		t.Fatal(err)
	}
}
