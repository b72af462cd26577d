package kv

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// Snapshot is the store as it was when the snapshot was made: what is read from
// it belongs together. Several goroutines may use it; it must be closed, and
// before the store.
type Snapshot struct {
	db    *DB
	inner *pebble.Snapshot
	once  sync.Once
}

// NewSnapshot makes a snapshot; writes go on meanwhile.
func (db *DB) NewSnapshot() (_ *Snapshot, err error) {
	if err := db.enter(); err != nil {
		return nil, err
	}
	defer db.leave()
	defer db.failure.catch(&err)
	return &Snapshot{db: db, inner: db.pebble.NewSnapshot()}, nil
}

// Get returns a copy of the value, nil if the key is absent.
func (s *Snapshot) Get(key []byte) ([]byte, error) {
	if err := s.db.checkKey(key); err != nil {
		return nil, err
	}
	if err := s.db.enter(); err != nil {
		return nil, err
	}
	defer s.db.leave()
	return s.db.get(s.inner, key)
}

// NewIterator is that of the store, over the snapshot. It must be closed before
// the snapshot.
func (s *Snapshot) NewIterator(start, end []byte, direction Direction) (*Iterator, error) {
	return s.db.iterate(s.inner, start, end, direction)
}

// Close releases the snapshot; a second call does nothing.
func (s *Snapshot) Close() (err error) {
	s.once.Do(func() {
		if closeErr := s.inner.Close(); closeErr != nil {
			err = fault(s.db.dir, "close a snapshot", closeErr)
		}
	})
	return err
}
