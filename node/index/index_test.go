package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/store/kvtest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/node/api"
)

// agree demands that an index says what is so.
func (c *chain) agree(name string, x *Index) {
	c.tb.Helper()
	devices, grants, on := c.truth()
	same := func(what string, want, got any) {
		c.tb.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			c.tb.Fatalf("%s: %s after block %d (-want +got):\n%s", name, what, c.tree.Version(), diff)
		}
	}
	owned := true
	vendor := statetest.Key("vendor").Public().AccountID()
	if len(devices) > 0 {
		vendor = devices[0].Vendor
	}
	same("devices of the vendor", filter(devices, func(d api.DeviceRef) bool { return d.Vendor == vendor }),
		all(c.tb, 2, func(p api.Part) (api.Page[api.DeviceRef], error) {
			return x.Devices(api.DeviceQuery{Vendor: &vendor}, p)
		}))
	same("owned devices of the vendor", filter(devices, func(d api.DeviceRef) bool { return d.Vendor == vendor && d.Owner != nil }),
		all(c.tb, 1, func(p api.Part) (api.Page[api.DeviceRef], error) {
			return x.Devices(api.DeviceQuery{Vendor: &vendor, Owned: &owned}, p)
		}))
	for _, p := range people {
		id, to := p.Public().AccountID(), p.Public().ID()
		same("devices", filter(devices, func(d api.DeviceRef) bool { return d.Owner != nil && *d.Owner == id }),
			all(c.tb, 1, func(p api.Part) (api.Page[api.DeviceRef], error) { return x.Devices(api.DeviceQuery{Owner: &id}, p) }))
		same("grants", filter(grants, func(g api.GrantRef) bool { return g.Grantee == to }),
			all(c.tb, 2, func(p api.Part) (api.Page[api.GrantRef], error) { return x.Grants(api.GrantQuery{Grantee: &to}, p) }))
		same("active grants", filter(grants, func(g api.GrantRef) bool { return g.Grantee == to && g.Status == "active" }),
			all(c.tb, 2, func(p api.Part) (api.Page[api.GrantRef], error) {
				return x.Grants(api.GrantQuery{Grantee: &to, Active: true}, p)
			}))
	}
	for _, d := range things {
		id := d.Public().DeviceID()
		for _, active := range []bool{false, true} {
			same("grants on a device", filter(grants, func(g api.GrantRef) bool { return on[g.ID] == id && (!active || g.Status == "active") }),
				all(c.tb, 2, func(p api.Part) (api.Page[api.GrantRef], error) {
					return x.Grants(api.GrantQuery{Device: &id, Active: active}, p)
				}))
		}
	}
	c.agreeHistory(name, x)
}

// agreeHistory compares histories with the log of what was put into blocks.
func (c *chain) agreeHistory(name string, x *Index) {
	c.tb.Helper()
	from := x.State().From
	want := filter(c.listed, func(r api.TxRef) bool { return r.Height >= from })
	list := func(q api.TxQuery, n int) []api.TxRef {
		return all(c.tb, n, func(p api.Part) (api.Page[api.TxRef], error) { return x.Txs(q, p) })
	}
	subjects := []api.Subject{}
	for _, p := range people {
		subjects = append(subjects, api.AccountSubject(p.Public().AccountID()), api.KeySubject(p.Public().ID()))
	}
	for _, d := range things {
		subjects = append(subjects, api.DeviceSubject(d.Public().DeviceID()))
	}
	names := func(r api.TxRef, any ...api.Subject) bool {
		return slices.ContainsFunc(any, func(s api.Subject) bool { return slices.Contains(c.names[r.ID], s) })
	}
	for i, s := range subjects {
		mine := filter(want, func(r api.TxRef) bool { return names(r, s) })
		if diff := cmp.Diff(mine, list(api.TxQuery{Subjects: []api.Subject{s}, Ascending: true}, 3)); diff != "" {
			c.tb.Fatalf("%s: history of %s (-want +got):\n%s", name, s, diff)
		}
		both := []api.Subject{s, subjects[(i+3)%len(subjects)]}
		mine = filter(want, func(r api.TxRef) bool { return names(r, both...) && r.Kind == "transfer" })
		slices.Reverse(mine)
		if diff := cmp.Diff(mine, list(api.TxQuery{Subjects: both, Kind: tx.KindTransfer}, 2)); diff != "" {
			c.tb.Fatalf("%s: history of two (-want +got):\n%s", name, diff)
		}
	}
	slices.Reverse(want)
	if diff := cmp.Diff(want, list(api.TxQuery{}, 4)); diff != "" {
		c.tb.Fatalf("%s: transactions (-want +got):\n%s", name, diff)
	}
	blocks := all(c.tb, 3, func(p api.Part) (api.Page[api.BlockRef], error) { return x.Blocks(true, p) })
	for i, b := range blocks {
		if kept := c.kept.blocks[b.Height]; b.Height != from+int64(i) || int(b.Txs) != len(kept.Txs) || b.Hash != fmt.Sprintf("%x", kept.Hash) {
			c.tb.Fatalf("%s: block %d of %d is %+v", name, i, len(blocks), b)
		}
	}
	if int64(len(blocks)) != c.tree.Version()-from+1 {
		c.tb.Fatalf("%s: %d blocks from %d on, the newest is %d", name, len(blocks), from, c.tree.Version())
	}
}

// moves are random histories; what a transaction names is told by hand.
func (c *chain) moves(r *rapid.T) map[string]func(*rapid.T) {
	t := c.tb
	var grants []tx.ID
	about := map[tx.ID][]api.Subject{}
	pick := func(r *rapid.T, of []*key.Private, name string) *key.Private {
		return rapid.SampledFrom(of).Draw(r, name)
	}
	device := func(k *key.Private) api.Subject { return api.DeviceSubject(k.Public().DeviceID()) }
	owned := func(dev *key.Private) bool {
		d, err := state.GetDevice(c.w.Tree, dev.Public().DeviceID())
		return err == nil && d.Epoch > 0
	}
	return map[string]func(*rapid.T){
		"register": func(r *rapid.T) {
			d := pick(r, things, "thing")
			c.put(c.w.RegisterTx(t, d), device(d), api.KeySubject(d.Public().ID()))
		},
		"claim": func(r *rapid.T) {
			p, d := pick(r, people, "owner"), pick(r, things, "thing")
			x := c.w.ClaimTx(t, p, d)
			names := []api.Subject{device(d)}
			if x.Payload.(*tx.Claim).Root != nil {
				names = append(names, api.KeySubject(p.Public().ID()))
			}
			c.put(x, names...)
		},
		"transfer": func(r *rapid.T) {
			p, d := pick(r, people, "to"), pick(r, things, "thing")
			x := c.w.TransferTx(t, pick(r, people, "from"), p, d)
			names := []api.Subject{device(d), api.AccountSubject(p.Public().AccountID())}
			if x.Payload.(*tx.Transfer).Root != nil {
				names = append(names, api.KeySubject(p.Public().ID()))
			}
			c.put(x, names...)
		},
		"grant": func(r *rapid.T) {
			d, p := pick(r, things, "thing"), pick(r, people, "guest")
			if !owned(d) {
				return
			}
			x := c.w.GrantTx(t, pick(r, people, "owner"), p.Public(), d, "open")
			names := []api.Subject{device(d), api.KeySubject(p.Public().ID())}
			if c.put(x, names...) {
				id := x.ID(c.w.Block.Chain)
				grants, about[id] = append(grants, id), names
			}
		},
		"revoke": func(r *rapid.T) {
			if len(grants) == 0 {
				return
			}
			g := rapid.SampledFrom(grants).Draw(r, "grant")
			x := c.w.RevokeTx(t, pick(r, people, "owner"), g)
			if c.put(x, api.TxSubject(g)) {
				id := x.ID(c.w.Block.Chain)
				c.names[id] = append(c.names[id], about[g]...)
			}
		},
		"lost": func(r *rapid.T) {
			if d := pick(r, things, "thing"); owned(d) {
				c.put(c.w.LostTx(t, pick(r, people, "owner"), d), device(d))
			}
		},
		"release": func(r *rapid.T) {
			if d := pick(r, things, "thing"); owned(d) {
				c.put(c.w.ReleaseTx(t, pick(r, people, "owner"), d), device(d))
			}
		},
	}
}

// On random histories, an index that has followed every block, one whose disk
// lost power again and again, one that missed blocks, and one that is made anew
// hold the very same rows, and these say what the records and blocks say.
func TestIndex_RebuiltEqualsFollowed(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		c := newChain(t, Config{}, 0)
		disk := kvtest.New()
		cut := c.open(Config{FS: disk})
		late := c.fresh()
		moves := c.moves(r)
		moves["block"] = func(*rapid.T) {
			next := c.seal()
			for _, x := range []*Index{c.index, cut} {
				x.Committed(next)
				c.settle(x)
			}
		}
		moves["wake"] = func(*rapid.T) {
			next := c.seal()
			c.index.Committed(next)
			late.Committed(next)
			c.settle(c.index)
			c.settle(late)
		}
		moves["power cut"] = func(r *rapid.T) {
			disk = disk.Crash(rapid.Uint64().Draw(r, "seed"))
			cut = c.open(Config{FS: disk})
			if rapid.Bool().Draw(r, "works on") {
				_, _ = cut.step(&c.kept)
			}
		}
		r.Repeat(moves)
		last := c.seal()
		made := c.fresh()
		for name, x := range map[string]*Index{"followed": c.index, "cut": cut, "late": late, "made anew": made} {
			x.Committed(last)
			c.settle(x)
			if diff := cmp.Diff(dump(t, made), dump(t, x)); diff != "" {
				r.Fatalf("%s (-made anew +it):\n%s", name, diff)
			}
		}
		c.agree("all", made)
	})
}

// A node that has pruned its blocks, or began with a snapshot, lists them from
// the oldest that it has, and everything of the state.
func TestIndex_HistoryAsFarAsBlocks(t *testing.T) {
	c := newChain(t, Config{}, 0)
	ann, bob := people[0], people[1]
	c.must(c.w.RegisterTx(t, things[0]))
	c.must(c.w.ClaimTx(t, ann, things[0]))
	c.commit()
	for range 3 {
		c.must(c.w.TransferTx(t, ann, bob, things[0]))
		ann, bob = bob, ann
		c.commit()
	}
	c.kept.base = 3
	made := c.fresh()
	if s := made.State(); s != (api.IndexState{Height: 4, From: 3, Ready: true, Filled: true}) {
		t.Errorf("state %+v", s)
	}
	list := func(x *Index) []api.TxRef {
		return all(t, 10, func(p api.Part) (api.Page[api.TxRef], error) { return x.Txs(api.TxQuery{Ascending: true}, p) })
	}
	if diff := cmp.Diff(c.listed[3:], list(made)); diff != "" {
		t.Errorf("made anew (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(c.listed, list(c.index)); diff != "" {
		t.Errorf("followed (-want +got):\n%s", diff)
	}
	// Blocks that it never had: older rows are there, and are not told.
	c.seal()
	delete(c.kept.blocks, 5)
	c.kept.base = 6
	last := c.seal()
	c.index.Committed(last)
	c.settle(c.index)
	if s := c.index.State(); s != (api.IndexState{Height: 6, From: 6, Ready: true, Filled: true}) {
		t.Errorf("after a gap: state %+v", s)
	}
	if got := list(c.index); len(got) != 0 {
		t.Errorf("after a gap: %v", got)
	}
	owner := people[1].Public().AccountID()
	p, err := c.index.Devices(api.DeviceQuery{Owner: &owner}, api.Part{Limit: 9})
	if err != nil || len(p.Items) != 1 || p.Head.Height != 6 || p.From != 6 {
		t.Errorf("after a gap: %+v, %v", p, err)
	}
}

// Rows of blocks that were rolled back, of another ledger, or of versions that
// are gone are made anew; so is a directory of another layout.
func TestIndex_MadeAnew(t *testing.T) {
	grown := func(keep int64) (*chain, kv.FS) {
		fs := kv.NewMemFS()
		c := newChain(t, Config{FS: fs}, keep)
		for i := range 3 {
			c.must(c.w.RegisterTx(t, things[i]))
			c.must(c.w.ClaimTx(t, people[i], things[i]))
			c.commit()
		}
		if err := c.index.Close(); err != nil {
			t.Fatal(err)
		}
		return c, fs
	}
	again := func(c *chain, fs kv.FS) {
		t.Helper()
		x := c.open(Config{FS: fs})
		if _, err := x.Blocks(false, api.Part{Limit: 1}); !errors.Is(err, api.ErrIndexing) || x.State().Ready {
			t.Errorf("answers from rows of another state: %v, %+v", err, x.State())
		}
		c.settle(x)
		if diff := cmp.Diff(dump(t, c.fresh()), dump(t, x)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	t.Run("rolled back", func(t *testing.T) {
		c, fs := grown(0)
		if err := c.tree.Revert(2); err != nil {
			t.Fatal(err)
		}
		delete(c.kept.blocks, 3)
		again(c, fs)
	})
	t.Run("another ledger", func(t *testing.T) {
		_, fs := grown(0)
		other := newChain(t, Config{}, 0)
		for range 3 {
			other.commit()
		}
		again(other, fs)
	})
	t.Run("versions are gone", func(t *testing.T) {
		c, fs := grown(3)
		for range 9 {
			c.seal()
		}
		again(c, fs)
	})
	t.Run("fell behind the versions", func(t *testing.T) {
		c := newChain(t, Config{}, 3)
		var last abci.Commit
		for i := range 4 {
			c.must(c.w.RegisterTx(t, things[i]))
			last = c.seal()
			c.seal()
			last = c.seal()
		}
		c.index.Committed(last)
		c.settle(c.index)
		if diff := cmp.Diff(dump(t, c.fresh()), dump(t, c.index)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("another layout", func(t *testing.T) {
		fs := kv.NewMemFS()
		db, err := kv.Open("index/a", kv.Options{FS: fs, Layout: layout, LayoutVersion: layoutVersion + 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Set([]byte("x"), []byte("y"), kv.Sync), db.Close()); err != nil {
			t.Fatal(err)
		}
		c := newChain(t, Config{FS: fs}, 0)
		c.commit()
		if got := dump(t, c.index); len(got) != 2 { // mark and block
			t.Errorf("rows %v", got)
		}
	})
}

// A state of many records is taken in steps, and a power cut between them costs
// one step.
func TestIndex_BuildGoesOnAfterPowerCut(t *testing.T) {
	c := newChain(t, Config{}, 0)
	const n = 3*buildStep + 7
	owner := people[0].Public().AccountID()
	for i := range n {
		raw := codec.MustMarshal(state.Device{Key: people[0].Public(), Model: "Lock 1", Epoch: 1, Owner: &owner})
		if err := c.tree.Set(state.DeviceKey(key.DeviceID{byte(i), byte(i >> 8), 1}), raw); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := c.tree.Commit(); err != nil {
		t.Fatal(err)
	}
	want := dump(t, c.fresh())
	if len(want) != 3*n+1 {
		t.Fatalf("%d rows", len(want))
	}
	disk := kvtest.New()
	cuts, steps := 0, 0
	for seed := uint64(1); ; seed++ {
		x := c.open(Config{FS: disk})
		if x.at.Building != nil && len(x.at.Building) > 1 {
			cuts++ // it goes on in the middle
		}
		for range 2 + seed%3 {
			worked, err := x.step(&c.kept)
			if err != nil {
				t.Fatal(err)
			}
			if steps++; !worked {
				if diff := cmp.Diff(want, dump(t, x)); diff != "" {
					t.Error(diff)
				}
				if cuts == 0 || steps > 200 {
					t.Errorf("%d cuts in the middle, %d steps", cuts, steps)
				}
				return
			}
		}
		// What is not synced is lost in part, as the seed wants.
		disk = disk.Crash(seed)
	}
}

// The chain is never held up: blocks that find no room are taken from the disk.
func TestIndex_QueueIsBounded(t *testing.T) {
	c := newChain(t, Config{}, 0)
	c.must(c.w.RegisterTx(t, things[0]))
	for i := range 3*maxQueue + 5 {
		if i == maxQueue+2 {
			c.must(c.w.ClaimTx(t, people[0], things[0]))
		}
		c.index.Committed(c.seal())
		if n := len(c.index.queue); n > maxQueue {
			t.Fatalf("%d blocks wait", n)
		}
	}
	c.settle(c.index)
	c.index.Committed(abci.Commit{Height: c.tree.Version() + 1, Txs: make([]abci.Executed, maxQueueTxs+1)})
	if c.index.queue != nil || c.index.queued != 0 {
		t.Errorf("%d blocks with %d transactions wait", len(c.index.queue), c.index.queued)
	}
	if diff := cmp.Diff(dump(t, c.fresh()), dump(t, c.index)); diff != "" {
		t.Error(diff)
	}
}

// A list that is read part by part while blocks come gives each entry that is
// there all the while exactly once, in order.
func TestIndex_PagesBesideBlocks(t *testing.T) {
	c := newChain(t, Config{}, 0)
	ann := people[0]
	c.must(c.w.RegisterTx(t, things[0]))
	c.must(c.w.ClaimTx(t, ann, things[0]))
	c.commit()
	var given []tx.ID
	grant := func() {
		x := c.w.GrantTx(t, ann, people[1].Public(), things[0], "open")
		c.must(x)
		given = append(given, x.ID(c.w.Block.Chain))
	}
	for range 40 {
		grant()
	}
	c.commit()
	before, to := slices.Clone(given), people[1].Public().ID()
	seen := map[tx.ID]int{}
	var last tx.ID
	for _, g := range all(t, 3, func(p api.Part) (api.Page[api.GrantRef], error) {
		grant()
		c.must(c.w.RevokeTx(t, ann, given[len(given)-2]))
		c.commit()
		return c.index.Grants(api.GrantQuery{Grantee: &to}, p)
	}) {
		if bytes.Compare(g.ID[:], last[:]) <= 0 {
			t.Fatalf("%s after %s", g.ID, last)
		}
		last = g.ID
		seen[g.ID]++
	}
	for _, id := range before {
		if seen[id] != 1 {
			t.Errorf("a grant came %d times", seen[id])
		}
	}
	then := slices.Clone(c.listed)
	got := all(t, 7, func(p api.Part) (api.Page[api.TxRef], error) {
		grant()
		c.commit()
		return c.index.Txs(api.TxQuery{Subjects: []api.Subject{api.AccountSubject(ann.Public().AccountID())}}, p)
	})
	slices.Reverse(got)
	got = filter(got, func(r api.TxRef) bool { return r.Height <= then[len(then)-1].Height })
	if diff := cmp.Diff(filter(then, func(r api.TxRef) bool { return r.Account == ann.Public().AccountID() }), got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

// A filter that nothing passes gives short parts, not long waits.
func TestIndex_ScansAreBounded(t *testing.T) {
	c := newChain(t, Config{}, 0)
	vendor, no := key.AccountID{7}, false
	owner := key.AccountID{8}
	const n = maxScan + maxScan/2
	b := c.index.newBatch()
	for i := range n {
		id := key.DeviceID{byte(i >> 16), byte(i >> 8), byte(i)}
		b.device(id, codec.MustMarshal(state.Device{Key: people[0].Public(), Vendor: vendor, Owner: &owner}))
	}
	if err := b.commit(mark{From: 1}); err != nil {
		t.Fatal(err)
	}
	parts := 0
	got := all(t, 10, func(p api.Part) (api.Page[api.DeviceRef], error) {
		parts++
		return c.index.Devices(api.DeviceQuery{Vendor: &vendor, Owned: &no}, p)
	})
	if len(got) != 0 || parts != 2 {
		t.Errorf("%d devices in %d parts", len(got), parts)
	}
}

func TestIndex_TellsWhoseRightsChanged(t *testing.T) {
	c := newChain(t, Config{}, 0)
	ann, bob, cid := people[0], people[1], people[2]
	var heads, got []string
	c.index.Watch(t.Context(), func(h api.Head, accounts []key.AccountID) {
		if accounts == nil {
			heads = append(heads, fmt.Sprint(h.Height))
			return
		}
		if s := c.index.State(); s.Height != h.Height {
			t.Errorf("told of %v while the lists are of %v", h, s)
		}
		got = []string{fmt.Sprint(h.Height)}
		for _, a := range accounts {
			got = append(got, a.String())
		}
		slices.Sort(got[1:])
	})
	step := func(name string, x *tx.Tx, want ...*key.Private) {
		t.Helper()
		if x != nil {
			c.must(x)
		}
		heads, got = nil, nil
		c.commit()
		ids := []string{fmt.Sprint(c.tree.Version())}
		for _, k := range want {
			ids = append(ids, k.Public().AccountID().String())
		}
		slices.Sort(ids[1:])
		if len(want) == 0 {
			ids = nil
		}
		if diff := cmp.Diff(ids, got); diff != "" || len(heads) == 0 || heads[0] != fmt.Sprint(c.tree.Version()) {
			t.Errorf("%s: heads %v (-want +got):\n%s", name, heads, diff)
		}
	}
	step("register", c.w.RegisterTx(t, things[0]))
	step("claim", c.w.ClaimTx(t, ann, things[0]), ann)
	step("nothing", nil)
	x := c.w.GrantTx(t, ann, cid.Public(), things[0], "open")
	step("grant", x, ann, cid)
	step("revoke", c.w.RevokeTx(t, ann, x.ID(c.w.Block.Chain)), ann, cid)
	step("transfer", c.w.TransferTx(t, ann, bob, things[0]), ann, bob)
	step("lost", c.w.LostTx(t, bob, things[0]), bob)
	step("rotate", c.w.RotateTx(t, bob, bob, bob, cid), bob)
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
	c := newChain(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, 0)
	ann := people[0]
	for _, d := range things[:2] {
		c.put(c.w.RegisterTx(t, d), api.DeviceSubject(d.Public().DeviceID()), api.KeySubject(d.Public().ID()))
	}
	c.put(c.w.ClaimTx(t, ann, things[0]), api.DeviceSubject(things[0].Public().DeviceID()), api.KeySubject(ann.Public().ID()))
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
	c.agree("followed", c.index)
	if n := strings.Count(log.String(), "record left out of the lists"); n != 4 {
		t.Errorf("%d records told in the log:\n%s", n, log.String())
	}
	if diff := cmp.Diff(dump(t, c.fresh()), dump(t, c.index)); diff != "" {
		t.Error(diff)
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
	c.settle(c.index)
	if p, err := c.index.Devices(api.DeviceQuery{Owner: &owner}, api.Part{Limit: 9}); err != nil || len(p.Items) != 0 {
		t.Errorf("deleted: %v, %v", p, err)
	}
}

// Readers see whole blocks only, also while rows are made anew.
func TestIndex_ReadersBesideBlocks(t *testing.T) {
	c := newChain(t, Config{}, 0)
	ann, bob := people[0], people[1]
	c.must(c.w.RegisterTx(t, things[0]))
	c.must(c.w.ClaimTx(t, ann, things[0]))
	c.commit()
	first := c.tree.Version()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range 3 {
		running.Go(func() {
			for ctx.Err() == nil {
				for i, p := range []*key.Private{ann, bob} {
					id := p.Public().AccountID()
					got, err := c.index.Devices(api.DeviceQuery{Owner: &id}, api.Part{Limit: 5})
					if err != nil {
						t.Error(err)
						return
					}
					if mine := (got.Head.Height-first)%2 == int64(i); mine != (len(got.Items) == 1) {
						t.Errorf("block %d: person %d has %d devices", got.Head.Height, i, len(got.Items))
						return
					}
				}
			}
		})
	}
	running.Go(func() {
		if err := c.index.Run(ctx, &past{}); err != nil {
			t.Error(err)
		}
	})
	from, to := ann, bob
	for range 30 {
		c.w.Block.Time += int64(state.DefaultQuota().Period) / state.MaxMoves // as often as a device may
		c.must(c.w.TransferTx(t, from, to, things[0]))
		next := c.seal()
		c.index.Committed(next)
		c.index.Await(ctx, next.Height)
		from, to = to, from
	}
	cancel()
	running.Wait()
	if s := c.index.State(); s.Height != first+30 || s.From != 1 {
		t.Errorf("state %+v", s)
	}
}

// owner makes the first person the owner of the first device.
func (c *chain) owner() {
	c.must(c.w.RegisterTx(c.tb, things[0]))
	c.must(c.w.ClaimTx(c.tb, people[0], things[0]))
}

// give makes a grant to the second person.
func (c *chain) give() tx.ID {
	x := c.w.GrantTx(c.tb, people[0], people[1].Public(), things[0], "open")
	c.must(x)
	return x.ID(c.w.Block.Chain)
}

// On a fault of the disk the index stops, says so, and holds nothing up.
func TestIndex_FullDisk(t *testing.T) {
	disk := kvtest.New()
	c := newChain(t, Config{FS: disk}, 0)
	c.owner()
	c.commit()
	disk.Fill("")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.index.Run(ctx, &c.kept) }()
	for c.index.failed() == nil {
		c.give()
		next := c.seal()
		c.index.Committed(next)
		c.index.Await(ctx, next.Height)
	}
	if _, err := c.index.Blocks(false, api.Part{Limit: 1}); !errors.Is(err, api.ErrNoIndex) || !errors.Is(err, kv.Full) {
		t.Errorf("lists: %v", err)
	}
	if s := c.index.State(); !s.Failed || s.Ready {
		t.Errorf("state %+v", s)
	}
	c.index.Await(ctx, 1<<40) // does not wait for ever
	cancel()
	if err := errors.Join(<-done, c.index.Close()); err != nil {
		t.Error(err)
	}
}

// Rotten rows are never told; the next start makes them anew.
func TestIndex_RottenRows(t *testing.T) {
	disk := kvtest.New()
	c := newChain(t, Config{FS: disk}, 0)
	c.owner()
	for range 200 {
		c.give()
	}
	c.commit()
	want := dump(t, c.index)
	if err := errors.Join(c.index.db.Compact(nil, nil), c.index.Close()); err != nil {
		t.Fatal(err)
	}
	if disk.Rot(t, "index/a", ".sst") == 0 {
		t.Fatal("no table to rot")
	}
	x := c.open(Config{FS: disk})
	_, err := x.Txs(api.TxQuery{}, api.Part{Limit: 1000})
	if !errors.Is(err, api.ErrNoIndex) && !errors.Is(err, api.ErrIndexing) {
		t.Errorf("lists: %v", err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
	y := c.open(Config{FS: disk.Crash(1)})
	c.settle(y)
	if diff := cmp.Diff(want, dump(t, y)); diff != "" {
		t.Error(diff)
	}
}

func TestOpen_Refuses(t *testing.T) {
	c := newChain(t, Config{}, 0)
	for name, cfg := range map[string]Config{"no tree": {Dir: "d"}, "no directory": {Tree: c.tree}} {
		if _, err := Open(cfg); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// Every kind of transaction names who acts and itself, and what stands in it.
func TestSubjects_EveryIDInAPayload(t *testing.T) {
	chain := codec.ChainDigest{1}
	pub := people[0].Public()
	for _, c := range []struct {
		payload tx.Payload
		want    []api.Subject
	}{
		{&tx.RegisterDevice{Key: pub, SealKey: [32]byte{1}, Model: "m"}, []api.Subject{api.KeySubject(pub.ID()), api.DeviceSubject(pub.DeviceID())}},
		{&tx.RotateKeys{Version: 1, Threshold: 1, Keys: []tx.AccountKey{{Key: pub, Rights: tx.RightAdmin}}}, []api.Subject{api.KeySubject(pub.ID())}},
		{&tx.RevokeGrant{Grant: tx.ID{4}}, []api.Subject{api.TxSubject(tx.ID{4})}},
		{&tx.SetGuardians{Version: 1, Guardians: &tx.Guardians{Keys: []key.Public{pub}, Threshold: 1, Delay: 60}}, []api.Subject{api.KeySubject(pub.ID())}},
	} {
		x, err := tx.New(key.AccountID{9}, 1, 1, c.payload)
		if err != nil {
			t.Fatal(err)
		}
		want := append([]api.Subject{api.AccountSubject(key.AccountID{9}), api.TxSubject(x.ID(chain))}, c.want...)
		if diff := cmp.Diff(want, subjects(chain, x)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.payload.Kind(), diff)
		}
	}
}
