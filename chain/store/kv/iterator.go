package kv

import (
	"github.com/cockroachdb/pebble/v2"
)

// Direction is the order of an iteration.
type Direction bool

const (
	// Forward is ascending key order.
	Forward Direction = false
	// Backward is descending key order.
	Backward Direction = true
)

// Iterator walks over a range as it was when the iterator was made. It belongs
// to one goroutine and must be closed before the store.
type Iterator struct {
	db        *DB
	inner     *pebble.Iterator
	direction Direction
	valid     bool
	closed    bool
	err       error
}

// NewIterator stands on the first key of [start, end) in the direction. Nil
// bounds are open; empty ones are refused.
func (db *DB) NewIterator(start, end []byte, direction Direction) (*Iterator, error) {
	return db.iterate(db.pebble, start, end, direction)
}

func (db *DB) iterate(over pebble.Reader, start, end []byte, direction Direction) (_ *Iterator, err error) {
	if (start != nil && len(start) == 0) || (end != nil && len(end) == 0) {
		return nil, &Error{Kind: BadKey, Dir: db.dir, Detail: "bound is empty"}
	}
	if db.reserved && (start == nil || start[0] == 0) {
		start = []byte{1}
	}
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	defer db.failure.catch(&err)
	inner, err := over.NewIter(&pebble.IterOptions{LowerBound: start, UpperBound: end})
	if err != nil {
		return nil, fault(db.dir, "iterate", err)
	}
	it := &Iterator{db: db, inner: inner, direction: direction}
	if direction == Backward {
		it.settle(inner.Last())
	} else {
		it.settle(inner.First())
	}
	return it, nil
}

func (it *Iterator) settle(valid bool) {
	it.valid = valid
	if !valid {
		if err := it.inner.Error(); err != nil {
			it.err = fault(it.db.dir, "iterate", err)
		}
	}
}

// Valid tells whether the iterator stands on a key.
func (it *Iterator) Valid() bool { return it.valid && !it.closed }

// Next moves on; on an iterator that is not valid it does nothing.
func (it *Iterator) Next() {
	if !it.Valid() {
		return
	}
	if err := it.db.enter(); err != nil {
		it.valid, it.err = false, err
		return
	}
	defer it.db.leave()
	it.step()
}

func (it *Iterator) step() {
	it.valid = false // in case pebble aborts
	defer it.db.failure.catch(&it.err)
	if it.direction == Backward {
		it.settle(it.inner.Prev())
	} else {
		it.settle(it.inner.Next())
	}
}

// Key is the current key, valid until Next; nil if the iterator is not valid.
func (it *Iterator) Key() []byte {
	if !it.Valid() {
		return nil
	}
	return it.inner.Key()
}

// Value is the current value, valid until Next; nil if the iterator is not
// valid or the value cannot be read, which Error then tells.
func (it *Iterator) Value() []byte {
	if !it.Valid() {
		return nil
	}
	value, err := it.inner.ValueAndErr()
	if err != nil {
		it.valid, it.err = false, fault(it.db.dir, "iterate", err)
		return nil
	}
	return value
}

// Error is what ended the iteration early, or nil.
func (it *Iterator) Error() error { return it.err }

// Close releases the iterator; a second call does nothing.
func (it *Iterator) Close() error {
	if it.closed {
		return nil
	}
	it.closed = true
	if err := it.inner.Close(); err != nil && it.err == nil {
		return fault(it.db.dir, "iterate", err)
	}
	return nil
}
