// Package index answers what the state tree cannot: which devices an account
// owns, and which grants a key was given.
//
// It lives in memory and is no authority: it proves nothing, and whoever needs
// a right to be true reads the records themselves, with proofs. Callers use Open
// before the ledger's application starts, and hand Index.Committed to it.
//
// What must never change: after each block the index equals what Open would
// read from the tree of that block, so that a restart changes no answer.
package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/node/api"
)

// Config configures Open. Tree is needed.
type Config struct {
	Tree   *store.Tree
	Logger *slog.Logger // nil for none
}

// Index is the lists. Its methods may be called concurrently, Committed by one
// goroutine only.
//
// It takes about 150 bytes for an owned device of an account with a few of
// them and 100 for a grant (BenchmarkIndex_Memory): 150 MB for a million
// devices. Devices without an owner take nothing.
type Index struct {
	tree *store.Tree
	log  *slog.Logger

	mu    sync.RWMutex
	head  api.Head
	lists lists

	watching sync.Mutex
	watchers map[*watcher]struct{}
}

type watcher struct {
	f func(api.Head, []key.AccountID)
}

var _ api.Index = (*Index)(nil)

// Open reads the lists from the newest committed state. The head's time is not
// known before the next block.
func Open(cfg Config) (*Index, error) {
	if cfg.Tree == nil {
		return nil, errors.New("index: a state tree is needed")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	x := &Index{tree: cfg.Tree, log: cfg.Logger.With("part", "index"), watchers: make(map[*watcher]struct{})}
	return x, x.fill(api.Head{Height: cfg.Tree.Version()})
}

// fill reads everything from the tree's version at head.
func (x *Index) fill(head api.Head) error {
	l := newLists()
	if head.Height > 0 {
		for _, kind := range []byte{deviceKind, grantKind} {
			err := x.tree.ScanAt(head.Height, []byte{kind}, func(k, v []byte) error {
				x.take(&l, k, v, nil)
				return nil
			})
			if err != nil {
				return fmt.Errorf("index: read the state of block %d: %w", head.Height, err)
			}
		}
	}
	x.mu.Lock()
	x.head, x.lists = head, l
	x.mu.Unlock()
	return nil
}

// The first bytes of the records that matter here.
var (
	deviceKind    = state.DeviceKey(key.DeviceID{})[0]
	grantKind     = state.GrantKey(tx.ID{})[0]
	keyChangeKind = state.KeyChangeKey(key.AccountID{}, 0)[0]
)

// touched collects the accounts whose rights a block changed; nil collects
// nothing.
type touched map[key.AccountID]struct{}

func (t touched) add(ids ...key.AccountID) {
	if t == nil {
		return
	}
	for _, id := range ids {
		t[id] = struct{}{}
	}
}

// record is one record, as a view of the state.
type record []byte

// Get gives the record, whatever is asked for.
func (r record) Get([]byte) ([]byte, error) { return r, nil }

// take brings the lists up to one record. A record that cannot be read is left
// out and told in the log: nothing that opens a door depends on the lists, and
// a node that refused to start over it would help nobody.
func (x *Index) take(l *lists, k, v []byte, t touched) {
	var err error
	switch id := k[1:]; {
	case k[0] == deviceKind && len(id) == len(key.DeviceID{}):
		err = l.takeDevice(key.DeviceID(id), v, t)
	case k[0] == grantKind && len(id) == len(tx.ID{}):
		err = l.takeGrant(tx.ID(id), v, t)
	case k[0] == keyChangeKind && len(id) > len(key.AccountID{}):
		t.add(key.AccountID(id[:len(key.AccountID{})]))
	}
	if err != nil {
		x.log.Error("record left out of the lists", "key", fmt.Sprintf("%x", k), "err", err)
	}
}

// Committed follows one block; it is abci.Config.Committed.
func (x *Index) Committed(c abci.Commit) {
	head := api.Head{Height: c.Height, Time: c.Time.UTC()}
	if c.Height != x.Head().Height+1 {
		x.log.Warn("blocks were missed, reading the whole state", "height", c.Height)
		if err := x.fill(head); err != nil {
			x.log.Error("lists are out of date", "err", err)
		}
		x.tell(head, nil)
		return
	}
	changed := x.read(c)
	t := make(touched)
	x.mu.Lock()
	for _, r := range changed {
		x.take(&x.lists, r.key, r.value, t)
	}
	x.head = head
	x.mu.Unlock()
	x.tell(head, slices.SortedFunc(maps.Keys(t), func(a, b key.AccountID) int { return bytes.Compare(a[:], b[:]) }))
}

type pair struct{ key, value []byte }

// read reads the changed records that matter, before the lists are locked.
func (x *Index) read(c abci.Commit) (out []pair) {
	for _, k := range c.Keys {
		if k[0] != deviceKind && k[0] != grantKind && k[0] != keyChangeKind {
			continue
		}
		v, err := x.tree.GetAt(c.Height, k)
		if err != nil { // the disk; the node ends of it
			x.log.Error("lists are out of date", "key", fmt.Sprintf("%x", k), "err", err)
			continue
		}
		out = append(out, pair{k, v})
	}
	return out
}

// Head implements api.Index.
func (x *Index) Head() api.Head {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.head
}

// DevicesOf implements api.Index.
func (x *Index) DevicesOf(id key.AccountID) ([]api.OwnedDevice, api.Head) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	out := make([]api.OwnedDevice, 0, len(x.lists.owned[id]))
	for _, dev := range x.lists.owned[id] {
		d := x.lists.devices[dev]
		out = append(out, api.OwnedDevice{ID: dev, Model: d.model, Epoch: d.epoch})
	}
	return out, x.head
}

// GrantsTo implements api.Index.
func (x *Index) GrantsTo(id key.KeyID) ([]api.GrantRef, api.Head) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	out := make([]api.GrantRef, 0, len(x.lists.given[id]))
	for _, g := range x.lists.given[id] {
		status := "active"
		if g.status != state.Active {
			status = "revoked"
		}
		out = append(out, api.GrantRef{ID: g.id, Issuer: g.issuer, Status: status})
	}
	return out, x.head
}

// Watch implements api.Index. When blocks were missed the accounts are not
// known, and f gets none.
func (x *Index) Watch(ctx context.Context, f func(api.Head, []key.AccountID)) {
	w := &watcher{f}
	x.watching.Lock()
	x.watchers[w] = struct{}{}
	x.watching.Unlock()
	context.AfterFunc(ctx, func() {
		x.watching.Lock()
		delete(x.watchers, w)
		x.watching.Unlock()
	})
}

func (x *Index) tell(head api.Head, accounts []key.AccountID) {
	x.watching.Lock()
	defer x.watching.Unlock()
	for w := range x.watchers {
		w.f(head, accounts)
	}
}
