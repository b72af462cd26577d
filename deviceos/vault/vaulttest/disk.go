// Package vaulttest is a disk in memory that can lose power, run full and rot,
// for tests of what stands on deviceos/vault.
//
// It is not for programs. Callers start at New and pass the Disk as the FS of a
// store.
//
// What must never change: a Crash keeps all that was synced, and may keep any
// part of the rest.
package vaulttest

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/hybridos-net/hybridos/deviceos/vault"
)

// sector is what a real disk writes whole or not at all.
const sector = 512

// Disk is the disk. Safe for concurrent use.
type Disk struct {
	mu      sync.Mutex
	names   map[string]*content
	synced  map[string]*content // names that a power cut keeps
	locked  map[string]bool
	room    int // bytes that may still be written; negative: no limit
	syncs   int
	syncErr error
}

var _ vault.FS = (*Disk)(nil)

// content is what a file holds now, and what of it is safe.
type content struct {
	now, safe []byte
	from, to  int // where they differ
}

func (c *content) touch(from, to int) {
	if c.to == 0 {
		c.from = from
	}
	c.from, c.to = min(c.from, from), max(c.to, to)
}

func (c *content) sync() {
	if len(c.safe) > len(c.now) {
		c.safe = c.safe[:len(c.now)]
	}
	if grow := len(c.now) - len(c.safe); grow > 0 {
		c.safe = append(c.safe, c.now[len(c.safe):]...)
	}
	if end := min(c.to, len(c.now)); c.from < end {
		copy(c.safe[c.from:end], c.now[c.from:end])
	}
	c.from, c.to = 0, 0
}

// New returns an empty disk with room.
func New() *Disk {
	return &Disk{names: make(map[string]*content), synced: make(map[string]*content), locked: make(map[string]bool), room: -1}
}

// Fill leaves room for so many more bytes.
func (d *Disk) Fill(room int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.room = room
}

// FailSync makes every later sync fail.
func (d *Disk) FailSync(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncErr = err
}

// Syncs counts the syncs of files so far.
func (d *Disk) Syncs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncs
}

// Crash is the disk as found after a power cut now: names and data that were
// synced are there; of later names and of each later sector, some, as the seed
// decides.
func (d *Disk) Crash(seed uint64) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := rand.New(rand.NewPCG(seed, 7))
	out := New()
	names := d.synced
	if r.IntN(2) == 0 {
		names = d.names
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		torn := names[name].tear(r)
		out.names[name] = &content{now: torn, safe: bytes.Clone(torn)}
	}
	out.synced = maps.Clone(out.names)
	return out
}

func (c *content) tear(r *rand.Rand) []byte {
	size := len(c.safe)
	if len(c.now) > size {
		size += r.IntN(len(c.now) - size + 1)
	} else if r.IntN(2) == 0 {
		size = len(c.now)
	}
	out := make([]byte, size)
	copy(out, c.safe)
	for at := 0; at < size; at += sector {
		if end := min(at+sector, size); r.IntN(2) == 0 && at < len(c.now) {
			copy(out[at:end], c.now[at:])
		}
	}
	return out
}

// Rot changes one byte of each file whose name begins with prefix, at the
// offset that f gives for its content; a negative one leaves the file alone.
func (d *Disk) Rot(prefix string, f func(data []byte) int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for name, c := range d.names {
		if !strings.HasPrefix(filepath.Base(name), prefix) {
			continue
		}
		if i := f(c.now); i >= 0 {
			c.now[i] ^= 0x55
			c.safe = bytes.Clone(c.now)
		}
	}
}

// MkdirAll implements vault.FS.
func (d *Disk) MkdirAll(string) error { return nil }

// Lock implements vault.FS.
func (d *Disk) Lock(dir string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked[dir] {
		return nil, vault.Locked
	}
	d.locked[dir] = true
	return unlocker{d, dir}, nil
}

type unlocker struct {
	d   *Disk
	dir string
}

func (u unlocker) Close() error {
	u.d.mu.Lock()
	defer u.d.mu.Unlock()
	delete(u.d.locked, u.dir)
	return nil
}

// List implements vault.FS.
func (d *Disk) List(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for name := range d.names {
		if filepath.Dir(name) == filepath.Clean(dir) {
			out = append(out, filepath.Base(name))
		}
	}
	return out, nil
}

// Open implements vault.FS.
func (d *Disk) Open(path string, create bool) (vault.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.names[path]
	switch {
	case create:
		c = new(content)
		d.names[path] = c
	case c == nil:
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return &file{d: d, c: c}, nil
}

// Rename implements vault.FS.
func (d *Disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[to] = d.names[from]
	delete(d.names, from)
	return nil
}

// Remove implements vault.FS.
func (d *Disk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.names, path)
	return nil
}

// SyncDir implements vault.FS.
func (d *Disk) SyncDir(string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.synced = maps.Clone(d.names)
	return d.syncErr
}

type file struct {
	d *Disk
	c *content
}

func (f *file) ReadAt(p []byte, at int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if at >= int64(len(f.c.now)) {
		return 0, io.EOF
	}
	n := copy(p, f.c.now[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, at int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	n := len(p)
	if f.d.room >= 0 {
		n = min(n, f.d.room)
		f.d.room -= n
	}
	if grow := int(at) + n - len(f.c.now); grow > 0 {
		f.c.now = append(f.c.now, make([]byte, grow)...)
	}
	copy(f.c.now[at:], p[:n])
	f.c.touch(int(at), int(at)+n)
	if n < len(p) {
		return n, &fs.PathError{Op: "write", Path: "file", Err: syscall.ENOSPC}
	}
	return n, nil
}

func (f *file) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return int64(len(f.c.now)), nil
}

func (f *file) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.c.touch(min(int(size), len(f.c.now)), int(size))
	f.c.now = append(bytes.Clone(f.c.now[:min(int(size), len(f.c.now))]), make([]byte, max(int(size)-len(f.c.now), 0))...)
	return nil
}

func (f *file) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.syncErr != nil {
		return f.d.syncErr
	}
	f.d.syncs++
	f.c.sync()
	return nil
}

func (f *file) Close() error { return nil }
