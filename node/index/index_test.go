package index

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/node/api"
)

// chain is a ledger of statetest on a real tree, with an index that follows.
type chain struct {
	tb    testing.TB
	w     *statetest.World
	tree  *store.Tree
	index *Index
}

func newChain(tb testing.TB, cfg Config) *chain {
	tb.Helper()
	tree, err := store.Open(store.Config{Dir: "state", FS: kv.NewMemFS()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { tree.Close() })
	cfg.Tree = tree
	x, err := Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return &chain{tb: tb, w: statetest.NewWorld(), tree: tree, index: x}
}

// commit makes what the world has changed one block.
func (c *chain) commit() abci.Commit {
	c.tb.Helper()
	for _, k := range c.w.Tree.Keys() {
		want, err := c.w.Tree.Get([]byte(k))
		if err != nil {
			c.tb.Fatal(err)
		}
		got, err := c.tree.Get([]byte(k))
		if err != nil {
			c.tb.Fatal(err)
		}
		if bytes.Equal(got, want) {
			continue
		}
		if err := c.tree.Set([]byte(k), want); err != nil {
			c.tb.Fatal(err)
		}
	}
	out := abci.Commit{Keys: c.tree.Pending(), Time: time.Unix(c.w.Block.Time, 0)}
	version, _, err := c.tree.Commit()
	if err != nil {
		c.tb.Fatal(err)
	}
	out.Height = version
	c.index.Committed(out)
	return out
}

// restarted is the index of a node that starts now.
func (c *chain) restarted() *Index {
	c.tb.Helper()
	x, err := Open(Config{Tree: c.tree})
	if err != nil {
		c.tb.Fatal(err)
	}
	return x
}

// truth is what the lists should say, read from the world in the plainest way.
func (c *chain) truth() (devices map[key.AccountID][]api.OwnedDevice, grants map[key.KeyID][]api.GrantRef) {
	c.tb.Helper()
	devices, grants = map[key.AccountID][]api.OwnedDevice{}, map[key.KeyID][]api.GrantRef{}
	for _, k := range c.w.Tree.Keys() {
		switch k[0] {
		case 'd':
			d, err := state.GetDevice(c.w.Tree, key.DeviceID([]byte(k[1:])))
			if err != nil {
				c.tb.Fatal(err)
			}
			if d.Owner != nil {
				devices[*d.Owner] = append(devices[*d.Owner], api.OwnedDevice{ID: d.Key.DeviceID(), Model: d.Model, Epoch: d.Epoch})
			}
		case 'g':
			id := tx.ID([]byte(k[1:]))
			g, err := state.GetGrant(c.w.Tree, id)
			if err != nil {
				c.tb.Fatal(err)
			}
			t, err := tx.Decode(g.Tx)
			if err != nil {
				c.tb.Fatal(err)
			}
			to := t.Payload.(*tx.CreateGrant).Grantee.ID()
			status := map[state.Status]string{state.Active: "active", state.Revoked: "revoked"}[g.Status]
			grants[to] = append(grants[to], api.GrantRef{ID: id, Issuer: g.Issuer, Status: status})
		}
	}
	return devices, grants
}

var people = []*key.Private{statetest.Key("ann"), statetest.Key("bob"), statetest.Key("cid")}
var things = []*key.Private{statetest.Key("lock 0"), statetest.Key("lock 1"), statetest.Key("lock 2"), statetest.Key("lock 3")}

// agree demands that an index says what is so.
func (c *chain) agree(name string, x *Index) {
	c.tb.Helper()
	devices, grants := c.truth()
	for _, p := range people {
		got, head := x.DevicesOf(p.Public().AccountID())
		if diff := cmp.Diff(append([]api.OwnedDevice{}, devices[p.Public().AccountID()]...), got); diff != "" || head.Height != c.tree.Version() {
			c.tb.Fatalf("%s: devices after block %d (-want +got):\n%s", name, head.Height, diff)
		}
		refs, _ := x.GrantsTo(p.Public().ID())
		if diff := cmp.Diff(append([]api.GrantRef{}, grants[p.Public().ID()]...), refs); diff != "" {
			c.tb.Fatalf("%s: grants (-want +got):\n%s", name, diff)
		}
	}
	if len(x.lists.owned) != len(devices) || len(x.lists.given) != len(grants) {
		c.tb.Fatalf("%s: lists of %d owners and %d keys, want %d and %d", name, len(x.lists.owned), len(x.lists.given), len(devices), len(grants))
	}
}

// On random histories, an index that has followed every block, one that starts
// from the state, and one that missed blocks all say what the records say.
func TestIndex_RestartEqualsFollowing(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newChain(t, Config{})
		try := func(x *tx.Tx) bool { return state.Execute(c.w.Tree, c.w.Block, x) == nil }
		var grants []tx.ID
		pick := func(of []*key.Private, name string) *key.Private { return rapid.SampledFrom(of).Draw(r, name) }
		late := c.restarted()
		r.Repeat(map[string]func(*rapid.T){
			"register": func(*rapid.T) { try(c.w.RegisterTx(t, pick(things, "thing"))) },
			"claim":    func(*rapid.T) { try(c.w.ClaimTx(t, pick(people, "owner"), pick(things, "thing"))) },
			"transfer": func(*rapid.T) {
				try(c.w.TransferTx(t, pick(people, "from"), pick(people, "to"), pick(things, "thing")))
			},
			"grant": func(*rapid.T) {
				dev := pick(things, "thing")
				if d, err := state.GetDevice(c.w.Tree, dev.Public().DeviceID()); err != nil || d.Epoch == 0 {
					return
				}
				x := c.w.GrantTx(t, pick(people, "owner"), pick(people, "guest").Public(), dev, "open")
				if try(x) {
					grants = append(grants, x.ID(c.w.Block.Chain))
				}
			},
			"revoke": func(r *rapid.T) {
				if len(grants) > 0 {
					try(c.w.RevokeTx(t, pick(people, "owner"), rapid.SampledFrom(grants).Draw(r, "grant")))
				}
			},
			"block": func(*rapid.T) { c.commit() },
			"wake":  func(*rapid.T) { late.Committed(c.commit()) },
		})
		last := c.commit()
		c.agree("followed", c.index)
		c.agree("restarted", c.restarted())
		if late.Head().Height < last.Height {
			late.Committed(last)
		}
		c.agree("late", late)
	})
}

func TestIndex_TellsWhoseRightsChanged(t *testing.T) {
	c := newChain(t, Config{})
	ann, bob, cid := people[0], people[1], people[2]
	var got []string
	c.index.Watch(t.Context(), func(h api.Head, accounts []key.AccountID) {
		if now := c.index.Head(); now != h {
			t.Errorf("told of %v while the lists are of %v", h, now)
		}
		got = []string{fmt.Sprint(h.Height)}
		for _, a := range accounts {
			got = append(got, a.String())
		}
		slices.Sort(got[1:])
	})
	step := func(name string, x func() *tx.Tx, want ...*key.Private) {
		t.Helper()
		if x != nil {
			c.w.Do(t, x())
		}
		c.commit()
		ids := []string{fmt.Sprint(c.tree.Version())}
		for _, k := range want {
			ids = append(ids, k.Public().AccountID().String())
		}
		slices.Sort(ids[1:])
		if diff := cmp.Diff(ids, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var g tx.ID
	step("register", func() *tx.Tx { return c.w.RegisterTx(t, things[0]) })
	step("claim", func() *tx.Tx { return c.w.ClaimTx(t, ann, things[0]) }, ann)
	step("nothing", nil)
	step("grant", func() *tx.Tx {
		x := c.w.GrantTx(t, ann, cid.Public(), things[0], "open")
		g = x.ID(c.w.Block.Chain)
		return x
	}, ann, cid)
	step("revoke", func() *tx.Tx { return c.w.RevokeTx(t, ann, g) }, ann, cid)
	step("transfer", func() *tx.Tx { return c.w.TransferTx(t, ann, bob, things[0]) }, ann, bob)
	step("rotate", func() *tx.Tx { return c.w.RotateTx(t, bob, bob, bob, cid) }, bob)
}

func TestIndex_WatchEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &Index{watchers: make(map[*watcher]struct{})}
		calls := 0
		ctx, cancel := context.WithCancel(t.Context())
		x.Watch(ctx, func(api.Head, []key.AccountID) { calls++ })
		x.tell(api.Head{}, nil)
		cancel()
		synctest.Wait()
		x.tell(api.Head{}, nil)
		if calls != 1 || len(x.watchers) != 0 {
			t.Errorf("%d calls, %d watchers", calls, len(x.watchers))
		}
	})
}

// Damaged records are left out and told; all others are there.
func TestIndex_DamagedRecords(t *testing.T) {
	var log bytes.Buffer
	c := newChain(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ann := people[0]
	c.w.Do(t, c.w.RegisterTx(t, things[0]))
	c.w.Do(t, c.w.RegisterTx(t, things[1]))
	c.w.Do(t, c.w.ClaimTx(t, ann, things[0]))
	owner := ann.Public().AccountID()
	for i, bad := range [][]byte{
		state.DeviceKey(key.DeviceID{1}), state.GrantKey(tx.ID{1}), []byte("d"), []byte("dshort"), []byte("g"), []byte("k"),
	} {
		if err := c.tree.Set(bad, []byte{byte(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	claim, err := state.GetOwnerChange(c.w.Tree, things[0].Public().DeviceID(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for id, raw := range map[tx.ID][]byte{{2}: []byte("x"), {3}: claim} {
		if err := c.tree.Set(state.GrantKey(id), codec.MustMarshal(state.Grant{Issuer: owner, Status: state.Active, Tx: raw})); err != nil {
			t.Fatal(err)
		}
	}
	c.commit()
	for name, x := range map[string]*Index{"followed": c.index, "restarted": c.restarted()} {
		if got, _ := x.DevicesOf(owner); len(got) != 1 || got[0].ID != things[0].Public().DeviceID() {
			t.Errorf("%s: %v", name, got)
		}
		if len(x.lists.given) != 0 || len(x.lists.devices) != 1 {
			t.Errorf("%s: %d lists of grants, %d devices", name, len(x.lists.given), len(x.lists.devices))
		}
	}
	if n := strings.Count(log.String(), "record left out of the lists"); n != 4 {
		t.Errorf("%d records told in the log:\n%s", n, log.String())
	}
	// A deleted device has no owner.
	if err := c.tree.Delete(state.DeviceKey(things[0].Public().DeviceID())); err != nil {
		t.Fatal(err)
	}
	keys := c.tree.Pending()
	if _, _, err := c.tree.Commit(); err != nil {
		t.Fatal(err)
	}
	c.index.Committed(abci.Commit{Height: 2, Keys: keys})
	if got, _ := c.index.DevicesOf(owner); len(got) != 0 {
		t.Errorf("deleted: %v", got)
	}
}

// Readers see whole blocks only.
func TestIndex_ReadersBesideBlocks(t *testing.T) {
	c := newChain(t, Config{})
	ann, bob := people[0], people[1]
	c.w.Do(t, c.w.RegisterTx(t, things[0]))
	c.w.Do(t, c.w.ClaimTx(t, ann, things[0]))
	c.commit()
	first := c.tree.Version()
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for i, p := range []*key.Private{ann, bob} {
					got, head := c.index.DevicesOf(p.Public().AccountID())
					if mine := (head.Height-first)%2 == int64(i); mine != (len(got) == 1) {
						t.Errorf("block %d: person %d has %d devices", head.Height, i, len(got))
						return
					}
				}
			}
		})
	}
	from, to := ann, bob
	for range 30 {
		c.w.Block.Time += int64(state.DefaultQuota().Period) / state.MaxMoves // as often as a device may
		c.w.Do(t, c.w.TransferTx(t, from, to, things[0]))
		c.commit()
		from, to = to, from
	}
	close(stop)
	readers.Wait()
}

func TestOpen_Refuses(t *testing.T) {
	if _, err := Open(Config{}); err == nil {
		t.Error("no tree was accepted")
	}
}

// BenchmarkIndex_Memory measures what a device of an account with four of them,
// and a grant, take.
func BenchmarkIndex_Memory(b *testing.B) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const n = 100_000
	for b.Loop() {
		before := heap()
		l := newLists()
		for i := range n {
			owner := key.AccountID{byte(i >> 2), byte(i >> 10), byte(i >> 18)}
			raw := codec.MustMarshal(state.Device{Key: people[0].Public(), Model: "Lock 1", Epoch: 1, Owner: &owner})
			if err := l.takeDevice(key.DeviceID{byte(i), byte(i >> 8), byte(i >> 16)}, raw, nil); err != nil {
				b.Fatal(err)
			}
		}
		devices := heap() - before
		for i := range n {
			to := key.KeyID{byte(i >> 1), byte(i >> 9), byte(i >> 17)}
			l.given[to] = append(l.given[to], grant{id: tx.ID{byte(i)}, status: state.Active})
		}
		b.ReportMetric(float64(devices)/n, "B/device")
		b.ReportMetric(float64(heap()-before-devices)/n, "B/grant")
		runtime.KeepAlive(l)
	}
}
