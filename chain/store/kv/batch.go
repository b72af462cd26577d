package kv

import (
	"context"

	"github.com/cockroachdb/pebble/v2"
)

// background is for pebble calls that take a context only to be cancelled.
var background = context.Background()

// Batch collects writes that are applied together. It belongs to one goroutine.
type Batch struct {
	db    *DB
	inner *pebble.Batch // nil once committed or closed
}

// NewBatch returns an empty batch; end it with Commit or Close.
func (db *DB) NewBatch() *Batch {
	return &Batch{db: db, inner: new(pebble.Batch)}
}

// Set adds a write; key and value are copied.
func (b *Batch) Set(key, value []byte) error {
	if err := b.check(key); err != nil {
		return err
	}
	if value == nil {
		return &Error{Kind: BadValue, Dir: b.db.dir, Detail: "value is nil"}
	}
	return b.inner.Set(key, value, nil)
}

// Delete adds a removal; the key is copied.
func (b *Batch) Delete(key []byte) error {
	if err := b.check(key); err != nil {
		return err
	}
	return b.inner.Delete(key, nil)
}

// Size is the length in bytes of what is collected so far.
func (b *Batch) Size() int {
	if b.inner == nil {
		return 0
	}
	return b.inner.Len()
}

// Open tells whether the batch can still take writes.
func (b *Batch) Open() bool { return b.inner != nil }

// Commit applies the batch. It is used up afterwards, whatever the result.
func (b *Batch) Commit(durability Durability) error {
	if b.inner == nil {
		return b.errClosed()
	}
	if err := b.db.enter(); err != nil {
		b.inner = nil
		return err
	}
	defer b.db.leave()
	inner := b.inner
	b.inner = nil
	return b.db.await("write", func() error {
		if err := b.db.pebble.Apply(inner, &pebble.WriteOptions{Sync: bool(durability)}); err != nil {
			return err
		}
		return inner.Close()
	})
}

// Close drops the batch; after Commit or Close it does nothing.
func (b *Batch) Close() error {
	if b.inner == nil {
		return nil
	}
	inner := b.inner
	b.inner = nil
	return inner.Close()
}

func (b *Batch) check(key []byte) error {
	if err := b.db.checkKey(key); err != nil {
		return err
	}
	if b.inner == nil {
		return b.errClosed()
	}
	return nil
}

func (b *Batch) errClosed() error {
	return &Error{Kind: Closed, Dir: b.db.dir, Detail: "the batch was written or closed"}
}

func (db *DB) checkKey(key []byte) error {
	switch {
	case len(key) == 0:
		return &Error{Kind: BadKey, Dir: db.dir, Detail: "key is empty"}
	case len(key) > MaxKeyBytes:
		return &Error{Kind: BadKey, Dir: db.dir, Detail: "key is too long"}
	case db.reserved && key[0] == 0:
		return &Error{Kind: BadKey, Dir: db.dir, Detail: "key begins with the reserved byte 0x00"}
	}
	return nil
}
