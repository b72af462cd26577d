package engine

import (
	"runtime"
	"sync"
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
	mu      sync.Mutex
	opened  []*cometdb.DB
	blocks  db.DB         // once it is open
	fault   chan error    // the first fault of a store before begun is closed
	begun   chan struct{} // closed when Start returns
}

func newStores(p *cometdb.Provider) *stores {
	return &stores{Provider: p, fault: make(chan error, 1), begun: make(chan struct{})}
}

// watch reports the fault of a store while CometBFT starts: some of its parts
// then wait for ever for others that a read error has ended.
func (s *stores) watch(d *cometdb.DB) {
	select {
	case <-d.Failed():
		select {
		case s.fault <- d.Err():
		default:
		}
	case <-s.begun:
	}
}

// Open is a config.DBProvider.
func (s *stores) Open(ctx *config.DBContext) (db.DB, error) {
	inner, err := s.Provider.Open(ctx)
	if err != nil {
		return nil, err
	}
	switch ctx.ID { // CometBFT opens them in this order
	case "blockstore":
		s.blocks = inner
	case "state":
		if s.blocks != nil {
			if err := resumeImport(s.blocks, inner); err != nil {
				return nil, err
			}
		}
	}
	if d, ok := inner.(*cometdb.DB); ok {
		s.mu.Lock()
		s.opened = append(s.opened, d)
		s.mu.Unlock()
		go s.watch(d)
	}
	return &lasting{DB: inner, retired: &s.retired}, nil
}

// sound reports whether no store has stopped on a fault.
func (s *stores) sound() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.opened {
		if d.Err() != nil {
			return false
		}
	}
	return true
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
