package kv

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is the file system under a store. The default is the operating system's.
type FS = vfs.FS

// NewMemFS is a file system in memory, for tests and dry runs.
func NewMemFS() FS { return vfs.NewMem() }

// Durability says when a write counts as done.
type Durability bool

const (
	// Sync: on disk when the call returns.
	Sync Durability = true
	// NoSync: ordered after every earlier write and visible to every later
	// read, but a crash may take it (and all later NoSync writes) back.
	NoSync Durability = false
)

// Options configures Open. The zero value is usable.
type Options struct {
	// FS is nil for the operating system's file system.
	FS FS
	// CacheBytes is the block cache; 0 means DefaultCacheBytes.
	CacheBytes int64
	// MemTableBytes is the size of a memtable; 0 means DefaultMemTableBytes.
	MemTableBytes int64
	// OpenFiles bounds the table files held open; 0 means DefaultOpenFiles.
	OpenFiles int
	// Layout names what the directory holds. If set, Open writes the name and
	// LayoutVersion into a new store and refuses a store with another name or a
	// version that differs; keys that begin with 0x00 are then reserved.
	Layout string
	// LayoutVersion is at least 1 when Layout is set.
	LayoutVersion uint32
	// Logger is nil for none.
	Logger *slog.Logger
}

// Validate reports options that contradict each other.
func (o Options) Validate() error {
	switch {
	case o.CacheBytes < 0 || o.OpenFiles < 0:
		return errors.New("a negative size")
	case o.MemTableBytes != 0 && o.MemTableBytes < MinMemTableBytes:
		return errors.New("memtable below " + strconv.Itoa(MinMemTableBytes) + " bytes")
	case (o.Layout == "") != (o.LayoutVersion == 0):
		return errors.New("layout name and version belong together")
	case len(o.Layout) > MaxLayoutName:
		return errors.New("layout name too long")
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = DefaultMemTableBytes
	}
	if o.OpenFiles == 0 {
		o.OpenFiles = DefaultOpenFiles
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// DB is an open store. All methods may be called from several goroutines.
type DB struct {
	dir      string
	pebble   *pebble.DB
	lock     io.Closer
	failure  *failure
	reserved bool // keys from 0x00 belong to the layout record

	mu     sync.RWMutex // held for reading by every call, for writing by Close
	closed bool
}

// Open opens or creates the store in dir. Errors are *Error with the kinds
// Locked, Corrupt, Full, Denied, WrongLayout, BadConfig or Failing.
func Open(dir string, opts Options) (*DB, error) {
	if err := opts.Validate(); err != nil {
		return nil, &Error{Kind: BadConfig, Dir: dir, Detail: "options", Cause: err}
	}
	opts = opts.withDefaults()
	if err := makeDir(opts.FS, dir); err != nil {
		return nil, fault(dir, "create the directory", err)
	}
	lock, err := pebble.LockDirectory(dir, opts.FS)
	if err != nil {
		return nil, lockFault(opts.FS, dir, err)
	}
	failure := newFailure(dir, opts.Logger)
	inner, err := openSoon(dir, opts, lock, failure)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	db := &DB{dir: dir, pebble: inner, lock: lock, failure: failure}
	if opts.Layout != "" {
		if err := db.claimLayout(opts.Layout, opts.LayoutVersion); err != nil {
			return nil, errors.Join(err, db.Close())
		}
		db.reserved = true
	}
	return db, nil
}

// openSoon is openPebble, but for a fault of the files that a compaction finds
// meanwhile: pebble then waits for ever for the compaction's end, and is left
// behind waiting.
func openSoon(dir string, opts Options, lock *pebble.Lock, failure *failure) (*pebble.DB, error) {
	type result struct {
		db  *pebble.DB
		err error
	}
	opened := make(chan result, 1)
	go func() {
		db, err := openPebble(dir, opts, lock, failure)
		opened <- result{db, err}
	}()
	select {
	case r := <-opened:
		return r.db, r.err
	case <-failure.done:
	}
	select {
	case r := <-opened:
		return r.db, r.err
	case <-time.After(openGrace):
		go func() { // should it come to its end after all
			if r := <-opened; r.db != nil {
				_ = r.db.Close()
			}
		}()
		return nil, failure.get()
	}
}

// makeDir makes the directory and what is missing above it, and syncs the entry
// of each: without that a power cut could take a new store away whole, after it
// had confirmed writes.
func makeDir(disk FS, dir string) error {
	var missing []string
	for at := dir; ; {
		_, err := disk.Stat(at)
		if err == nil {
			break
		}
		up := disk.PathDir(at)
		if !errors.Is(err, fs.ErrNotExist) || up == at {
			break // MkdirAll says what is wrong
		}
		missing, at = append(missing, up), up
	}
	if err := disk.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, parent := range missing {
		if parent == "" {
			parent = "."
		}
		d, err := disk.OpenDir(parent)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
	}
	return nil
}

// lockFault tells a held lock from a directory that cannot be written.
func lockFault(fs FS, dir string, err error) error {
	probe := fs.PathJoin(dir, "PROBE")
	file, probeErr := fs.Create(probe, vfs.WriteCategoryUnspecified)
	if probeErr != nil {
		return fault(dir, "lock the directory", probeErr)
	}
	probeErr = errors.Join(file.Close(), fs.Remove(probe))
	if probeErr != nil {
		return fault(dir, "lock the directory", probeErr)
	}
	return &Error{Kind: Locked, Dir: dir, Detail: "another process uses this directory", Cause: err}
}

func openPebble(dir string, opts Options, lock *pebble.Lock, failure *failure) (db *pebble.DB, err error) {
	defer failure.catchAll(&err)
	cache := pebble.NewCache(opts.CacheBytes)
	defer cache.Unref()
	config := &pebble.Options{
		FS:           disk{opts.FS, failure},
		Lock:         lock,
		Cache:        cache,
		MemTableSize: uint64(opts.MemTableBytes),
		MaxOpenFiles: opts.OpenFiles,
		// Pinned: a new library must not upgrade files behind our back, or the
		// last version of the program could not read them any more.
		FormatMajorVersion: pebble.FormatValueSeparation,
		Logger:             failure,
		EventListener: &pebble.EventListener{
			BackgroundError: failure.background,
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				failure.set(&Error{Kind: Corrupt, Dir: dir, Detail: "read: a file is corrupt", Cause: info.Details})
			},
		},
	}
	for i := range config.Levels {
		config.Levels[i].FilterPolicy = bloom.FilterPolicy(bloomBits)
	}
	db, err = pebble.Open(dir, config)
	if err != nil {
		return nil, fault(dir, "open", err)
	}
	return db, nil
}

// enter begins a call: the store must be open and sound. leave ends it.
func (db *DB) enter() error {
	db.mu.RLock()
	if db.closed {
		db.mu.RUnlock()
		return &Error{Kind: Closed, Dir: db.dir, Detail: "the store is closed"}
	}
	if err := db.failure.get(); err != nil {
		db.mu.RUnlock()
		return err
	}
	return nil
}

func (db *DB) leave() { db.mu.RUnlock() }

// Get returns a copy of the value, nil if the key is absent.
func (db *DB) Get(key []byte) (value []byte, err error) {
	if err := db.checkKey(key); err != nil {
		return nil, err
	}
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	return db.get(db.pebble, key)
}

func (db *DB) get(from pebble.Reader, key []byte) (value []byte, err error) {
	defer db.failure.catch(&err)
	found, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fault(db.dir, "read", err)
	}
	value = append(make([]byte, 0, len(found)), found...)
	if err := closer.Close(); err != nil {
		return nil, fault(db.dir, "read", err)
	}
	return value, nil
}

// Has tells whether the key is present.
func (db *DB) Has(key []byte) (bool, error) {
	value, err := db.Get(key)
	return value != nil, err
}

// Set writes one key. The value must not be nil; it may be empty.
func (db *DB) Set(key, value []byte, durability Durability) error {
	return db.single(durability, func(b *Batch) error { return b.Set(key, value) })
}

// Delete removes one key; an absent key is no error.
func (db *DB) Delete(key []byte, durability Durability) error {
	return db.single(durability, func(b *Batch) error { return b.Delete(key) })
}

func (db *DB) single(durability Durability, write func(*Batch) error) error {
	batch := db.NewBatch()
	if err := write(batch); err != nil {
		return errors.Join(err, batch.Close())
	}
	return batch.Commit(durability)
}

// Compact rewrites the files that hold keys in [start, end); nil bounds mean
// the first and past the last key.
func (db *DB) Compact(start, end []byte) (err error) {
	iter, err := db.NewIterator(start, end, Backward)
	if err != nil {
		return err
	}
	var last []byte
	if iter.Valid() {
		last = append(bytes.Clone(iter.Key()), 0)
	}
	if err := errors.Join(iter.Error(), iter.Close()); err != nil || last == nil {
		return err
	}
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	return db.await("compact", func() error {
		return db.pebble.Compact(background, start, last, false)
	})
}

// Checkpoint makes a copy of the store as it is now in dir, which must not
// exist. Files are linked where the file system can, so dir should be on the
// same disk; until it is removed they keep their space. Writes go on meanwhile.
func (db *DB) Checkpoint(dir string) error {
	if err := db.enter(); err != nil {
		return err
	}
	defer db.leave()
	return db.await("checkpoint", func() error { return db.pebble.Checkpoint(dir) })
}

// Stats are figures for a person to read.
func (db *DB) Stats() map[string]string {
	if err := db.enter(); err != nil {
		return map[string]string{"database.error": err.Error()}
	}
	defer db.leave()
	m := db.pebble.Metrics()
	return map[string]string{
		"database.type":        "pebble/v2",
		"database.size":        strconv.FormatUint(m.DiskSpaceUsage(), 10),
		"database.cache":       strconv.FormatInt(m.BlockCache.Size, 10),
		"database.memtables":   strconv.FormatUint(m.MemTable.Size, 10),
		"database.wal":         strconv.FormatUint(m.WAL.PhysicalSize, 10),
		"database.compactions": strconv.FormatInt(m.Compact.Count, 10),
		"database.flushes":     strconv.FormatInt(m.Flush.Count, 10),
	}
}

// Failed is closed when the store has stopped on a fault; Err then says which.
// The owner should end the process with that error.
func (db *DB) Failed() <-chan struct{} { return db.failure.done }

// Err is the fault that stopped the store, or nil.
func (db *DB) Err() error { return db.failure.get() }

// Close waits for calls under way and releases the directory; a second call
// does nothing. After a fault the directory stays locked until the process
// ends, for pebble's goroutines may still hold its files.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil
	}
	db.closed = true
	if err := db.failure.get(); err != nil {
		return err
	}
	err := db.await("close", func() error {
		return errors.Join(db.pebble.Close(), db.lock.Close())
	})
	return err
}

// await runs work, which may stall inside pebble for ever once a flush has
// failed, and returns at the latest when the store fails.
func (db *DB) await(doing string, work func() error) error {
	result := make(chan error, 1)
	go db.run(doing, work, result)
	select {
	case err := <-result:
		return err
	case <-db.failure.done:
		return db.failure.get()
	}
}

func (db *DB) run(doing string, work func() error, result chan<- error) {
	var err error
	defer func() { result <- err }()
	defer db.failure.catch(&err)
	if cause := work(); cause != nil {
		err = fault(db.dir, doing, cause)
	}
}
