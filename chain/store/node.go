package store

import (
	"bytes"
	"context"
	"log/slog"

	"cosmossdk.io/core/store"
	"github.com/cosmos/iavl/db"

	"github.com/hybridos-net/hybridos/chain/store/kv"
)

// nodeStore gives iavl's nodes a place in a kv store.
type nodeStore struct {
	db *kv.DB
	// lazy makes durable writes wait for the next durable one; set while
	// pruning, under Tree.mu.
	lazy bool
}

var _ db.DB = (*nodeStore)(nil)

func (s *nodeStore) Get(key []byte) ([]byte, error) { return s.db.Get(key) }

func (s *nodeStore) Has(key []byte) (bool, error) { return s.db.Has(key) }

func (s *nodeStore) Iterator(start, end []byte) (store.Iterator, error) {
	return s.iterate(start, end, kv.Forward)
}

func (s *nodeStore) ReverseIterator(start, end []byte) (store.Iterator, error) {
	return s.iterate(start, end, kv.Backward)
}

func (s *nodeStore) iterate(start, end []byte, direction kv.Direction) (store.Iterator, error) {
	inner, err := s.db.NewIterator(start, end, direction)
	if err != nil {
		return nil, err
	}
	return &nodeIterator{Iterator: inner, start: start, end: end}, nil
}

// Close leaves the kv store open: the Tree owns it.
func (s *nodeStore) Close() error { return nil }

func (s *nodeStore) NewBatch() store.Batch { return &nodeBatch{store: s, inner: s.db.NewBatch()} }

// NewBatchWithSize ignores the size: iavl passes its flush threshold, which is
// without bound here.
func (s *nodeStore) NewBatchWithSize(int) store.Batch { return s.NewBatch() }

type nodeIterator struct {
	*kv.Iterator
	start, end []byte
}

func (it *nodeIterator) Key() []byte { return bytes.Clone(it.Iterator.Key()) }

func (it *nodeIterator) Value() []byte { return bytes.Clone(it.Iterator.Value()) }

func (it *nodeIterator) Domain() (start, end []byte) { return it.start, it.end }

type nodeBatch struct {
	store *nodeStore
	inner *kv.Batch
}

func (b *nodeBatch) Set(key, value []byte) error { return b.inner.Set(key, value) }

func (b *nodeBatch) Delete(key []byte) error { return b.inner.Delete(key) }

func (b *nodeBatch) Write() error { return b.inner.Commit(kv.NoSync) }

func (b *nodeBatch) WriteSync() error {
	if b.store.lazy {
		return b.inner.Commit(kv.NoSync)
	}
	return b.inner.Commit(kv.Sync)
}

func (b *nodeBatch) Close() error { return b.inner.Close() }

func (b *nodeBatch) GetByteSize() (int, error) { return b.inner.Size(), nil }

// treeLog passes iavl's few messages on.
type treeLog struct{ log *slog.Logger }

func (l treeLog) emit(level slog.Level, msg string, pairs []any) {
	l.log.Log(context.Background(), level, msg, pairs...)
}

func (l treeLog) Info(msg string, pairs ...any)  { l.emit(slog.LevelInfo, msg, pairs) }
func (l treeLog) Warn(msg string, pairs ...any)  { l.emit(slog.LevelWarn, msg, pairs) }
func (l treeLog) Error(msg string, pairs ...any) { l.emit(slog.LevelError, msg, pairs) }
func (l treeLog) Debug(msg string, pairs ...any) { l.emit(slog.LevelDebug, msg, pairs) }
