// Package cometdb gives CometBFT its stores (blocks, state, evidence,
// transaction index) in the same kind of files as everything else here.
//
// It is not the ledger's state, which is in chain/store, and it opens pebble
// only through chain/store/kv. Callers start at Provider, for node.NewNode, or
// at Open for one store.
//
// What must never change: the contract of cometbft-db, which a test runs
// against CometBFT's own memory store and ours alike.
package cometdb

import (
	"fmt"

	"github.com/cometbft/cometbft-db"

	"github.com/hybridos-net/hybridos/chain/store/kv"
)

// DB is one CometBFT store. It is safe for concurrent use.
type DB struct {
	inner *kv.DB
}

var _ db.DB = (*DB)(nil)

// Open opens or creates the store in dir.
func Open(dir string, opts kv.Options) (*DB, error) {
	inner, err := kv.Open(dir, opts)
	if err != nil {
		return nil, err
	}
	return &DB{inner: inner}, nil
}

// Get returns a copy of the value, nil if the key is absent.
func (d *DB) Get(key []byte) ([]byte, error) { return d.inner.Get(key) }

// Has tells whether the key is present.
func (d *DB) Has(key []byte) (bool, error) { return d.inner.Has(key) }

// Set writes without waiting for the disk.
func (d *DB) Set(key, value []byte) error { return d.inner.Set(key, value, kv.NoSync) }

// SetSync writes and returns when it is on disk.
func (d *DB) SetSync(key, value []byte) error { return d.inner.Set(key, value, kv.Sync) }

// Delete removes without waiting for the disk; an absent key is no error.
func (d *DB) Delete(key []byte) error { return d.inner.Delete(key, kv.NoSync) }

// DeleteSync removes and returns when that is on disk.
func (d *DB) DeleteSync(key []byte) error { return d.inner.Delete(key, kv.Sync) }

// Iterator walks [start, end) upwards; nil bounds are open.
func (d *DB) Iterator(start, end []byte) (db.Iterator, error) {
	return d.iterate(start, end, kv.Forward)
}

// ReverseIterator walks [start, end) downwards; nil bounds are open.
func (d *DB) ReverseIterator(start, end []byte) (db.Iterator, error) {
	return d.iterate(start, end, kv.Backward)
}

func (d *DB) iterate(start, end []byte, direction kv.Direction) (db.Iterator, error) {
	inner, err := d.inner.NewIterator(start, end, direction)
	if err != nil {
		return nil, err
	}
	return &iterator{inner: inner, start: start, end: end}, nil
}

// NewBatch returns an empty batch.
func (d *DB) NewBatch() db.Batch { return &batch{inner: d.inner.NewBatch()} }

// Compact rewrites the files of a range; nil bounds are open.
func (d *DB) Compact(start, end []byte) error { return d.inner.Compact(start, end) }

// Stats are figures for a person to read.
func (d *DB) Stats() map[string]string { return d.inner.Stats() }

// Print writes every pair to standard output; the interface asks for it.
func (d *DB) Print() error {
	it, err := d.inner.NewIterator(nil, nil, kv.Forward)
	if err != nil {
		return err
	}
	for ; it.Valid(); it.Next() {
		fmt.Printf("[%X]:\t[%X]\n", it.Key(), it.Value())
	}
	if err := it.Error(); err != nil {
		return fmt.Errorf("%w (closing: %v)", err, it.Close())
	}
	return it.Close()
}

// Failed is closed when the store has stopped on a fault; Err tells it.
func (d *DB) Failed() <-chan struct{} { return d.inner.Failed() }

// Err is the fault that stopped the store, or nil.
func (d *DB) Err() error { return d.inner.Err() }

// Close releases the directory; a second call does nothing.
func (d *DB) Close() error { return d.inner.Close() }

type batch struct {
	inner *kv.Batch
}

func (b *batch) Set(key, value []byte) error { return b.inner.Set(key, value) }

func (b *batch) Delete(key []byte) error { return b.inner.Delete(key) }

func (b *batch) Write() error { return b.inner.Commit(kv.NoSync) }

func (b *batch) WriteSync() error { return b.inner.Commit(kv.Sync) }

func (b *batch) Close() error { return b.inner.Close() }

// iterator panics on misuse, as the interface of cometbft-db demands.
type iterator struct {
	inner      *kv.Iterator
	start, end []byte
}

func (it *iterator) Domain() (start, end []byte) { return it.start, it.end }

func (it *iterator) Valid() bool { return it.inner.Valid() }

func (it *iterator) Next() {
	it.mustBeValid()
	it.inner.Next()
}

func (it *iterator) Key() []byte {
	it.mustBeValid()
	return it.inner.Key()
}

func (it *iterator) Value() []byte {
	it.mustBeValid()
	return it.inner.Value()
}

func (it *iterator) Error() error { return it.inner.Error() }

func (it *iterator) Close() error { return it.inner.Close() }

func (it *iterator) mustBeValid() {
	if !it.inner.Valid() {
		panic("cometdb: iterator is not valid")
	}
}
