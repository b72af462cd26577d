package engine

import (
	"runtime"
	"sync/atomic"

	"github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/config"

	"github.com/hybridos-net/hybridos/node/cometdb"
)

// stores opens CometBFT's stores so that they outlive it. CometBFT closes them
// while some of its gossip goroutines, which it does not wait for, still sleep;
// these wake up to a few seconds later, read, and panic on the closed store.
// Here a store ends a goroutine that comes after the end instead.
type stores struct {
	*cometdb.Provider
	retired atomic.Bool
}

// Open is a config.DBProvider.
func (s *stores) Open(ctx *config.DBContext) (db.DB, error) {
	inner, err := s.Provider.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &lasting{DB: inner, retired: &s.retired}, nil
}

// Close closes all stores, after CometBFT has stopped.
func (s *stores) Close() error {
	s.retired.Store(true)
	return s.Provider.Close()
}

// lasting is a store that only stores.Close closes.
type lasting struct {
	db.DB
	retired *atomic.Bool
}

// check ends the calling goroutine if the store was closed under it. Deferred
// calls run, so that no lock stays taken. An error before the end is none of
// ours and goes to the caller.
func (l *lasting) check(err error) {
	if err != nil && l.retired.Load() {
		runtime.Goexit()
	}
}

// Close does nothing: see stores.
func (l *lasting) Close() error { return nil }

func (l *lasting) Get(key []byte) ([]byte, error) {
	v, err := l.DB.Get(key)
	l.check(err)
	return v, err
}

func (l *lasting) Has(key []byte) (bool, error) {
	v, err := l.DB.Has(key)
	l.check(err)
	return v, err
}

func (l *lasting) Set(key, value []byte) error {
	err := l.DB.Set(key, value)
	l.check(err)
	return err
}

func (l *lasting) SetSync(key, value []byte) error {
	err := l.DB.SetSync(key, value)
	l.check(err)
	return err
}

func (l *lasting) Delete(key []byte) error {
	err := l.DB.Delete(key)
	l.check(err)
	return err
}

func (l *lasting) DeleteSync(key []byte) error {
	err := l.DB.DeleteSync(key)
	l.check(err)
	return err
}

func (l *lasting) Iterator(start, end []byte) (db.Iterator, error) {
	it, err := l.DB.Iterator(start, end)
	l.check(err)
	return it, err
}

func (l *lasting) ReverseIterator(start, end []byte) (db.Iterator, error) {
	it, err := l.DB.ReverseIterator(start, end)
	l.check(err)
	return it, err
}
