package index

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/node/api"
)

// chain is a ledger of statetest on a real tree, with its blocks and an index
// that follows.
type chain struct {
	tb     testing.TB
	w      *statetest.World
	tree   *store.Tree
	index  *Index
	block  []*tx.Tx // of the block that is being made
	codes  []uint32
	kept   past
	listed []api.TxRef // what was in the blocks, oldest first
	names  map[tx.ID][]api.Subject
}

// past is the blocks that a node keeps.
type past struct {
	base   int64
	blocks map[int64]Block
}

func (p *past) Base() int64 { return p.base }

func (p *past) Block(h int64) (Block, error) {
	b, ok := p.blocks[h]
	if !ok || h < p.base {
		return Block{}, fmt.Errorf("block %d: %w", h, ErrNoBlock)
	}
	return b, nil
}

func newChain(tb testing.TB, cfg Config, keep int64) *chain {
	tb.Helper()
	tree, err := store.Open(store.Config{Dir: "state", FS: kv.NewMemFS(), KeepVersions: keep})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { tree.Close() })
	c := &chain{tb: tb, w: statetest.NewWorld(), tree: tree, kept: past{blocks: make(map[int64]Block)}, names: make(map[tx.ID][]api.Subject)}
	c.index = c.open(cfg)
	c.settle(c.index)
	return c
}

// open opens an index over the chain's state.
func (c *chain) open(cfg Config) *Index {
	c.tb.Helper()
	cfg.Tree, cfg.Chain = c.tree, c.w.Block.Chain
	if cfg.Dir == "" {
		cfg.Dir = "index"
	}
	if cfg.FS == nil {
		cfg.FS = kv.NewMemFS()
	}
	x, err := Open(cfg)
	if err != nil {
		c.tb.Fatal(err)
	}
	c.tb.Cleanup(func() { x.Close() })
	return x
}

// settle lets an index do all that there is to do.
func (c *chain) settle(x *Index) {
	c.tb.Helper()
	for {
		worked, err := x.step(&c.kept)
		if err != nil {
			c.tb.Fatal(err)
		}
		if !worked {
			return
		}
	}
}

// fresh is an index that is made from the state and the kept blocks.
func (c *chain) fresh() *Index {
	c.tb.Helper()
	x := c.open(Config{})
	c.settle(x)
	return x
}

// put adds a transaction to the block, executed or refused.
func (c *chain) put(x *tx.Tx, names ...api.Subject) bool {
	err := state.Execute(c.w.Tree, c.w.Block, x)
	c.block, c.codes = append(c.block, x), append(c.codes, abci.CodeOf(err))
	id := x.ID(c.w.Block.Chain)
	c.names[id] = append([]api.Subject{api.AccountSubject(x.Body.Account), api.TxSubject(id)}, names...)
	return err == nil
}

func (c *chain) must(x *tx.Tx) {
	c.tb.Helper()
	if !c.put(x) {
		c.tb.Fatalf("%s was refused", x.Body.Kind)
	}
}

// seal makes what was put one block, without telling the index.
func (c *chain) seal() abci.Commit {
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
		if !bytes.Equal(got, want) {
			if err := c.tree.Set([]byte(k), want); err != nil {
				c.tb.Fatal(err)
			}
		}
	}
	out := abci.Commit{Keys: c.tree.Pending()}
	version, _, err := c.tree.Commit()
	if err != nil {
		c.tb.Fatal(err)
	}
	hash := sha256.Sum256([]byte{byte(version)})
	out.Height, out.Time, out.Hash = version, time.Unix(c.w.Block.Time+version, 5).UTC(), hash[:]
	b := Block{Time: out.Time, Hash: out.Hash, Codes: c.codes}
	for i, x := range c.block {
		out.Txs = append(out.Txs, abci.Executed{Tx: x, Code: c.codes[i]})
		b.Txs = append(b.Txs, x.Bytes())
		c.listed = append(c.listed, api.TxRef{
			Height: version, Index: uint32(i), Time: out.Time, ID: x.ID(c.w.Block.Chain), Kind: x.Body.Kind.String(),
			Account: x.Body.Account, Code: c.codes[i], Refusal: abci.KindOf(c.codes[i]),
		})
	}
	c.kept.blocks[version], c.kept.base = b, max(c.kept.base, 1)
	c.block, c.codes = nil, nil
	return out
}

// commit makes a block, and lets the index take it.
func (c *chain) commit() {
	c.tb.Helper()
	c.index.Committed(c.seal())
	c.settle(c.index)
}

// dump gives all rows.
func dump(tb testing.TB, x *Index) map[string]string {
	tb.Helper()
	out := make(map[string]string)
	it, err := x.db.NewIterator(nil, nil, kv.Forward)
	if err != nil {
		tb.Fatal(err)
	}
	defer it.Close()
	for ; it.Valid(); it.Next() {
		out[fmt.Sprintf("%q", it.Key())] = fmt.Sprintf("%x", it.Value())
	}
	if it.Error() != nil {
		tb.Fatal(it.Error())
	}
	return out
}

// all reads a list to its end, n entries at a time.
func all[T any](tb testing.TB, n int, list func(api.Part) (api.Page[T], error)) []T {
	tb.Helper()
	out := []T{}
	for p := (api.Part{Limit: n}); ; {
		page, err := list(p)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, page.Items...)
		if page.Next == nil {
			return out
		}
		p.After = page.Next
	}
}

var (
	people = []*key.Private{statetest.Key("ann"), statetest.Key("bob"), statetest.Key("cid")}
	things = []*key.Private{statetest.Key("lock 0"), statetest.Key("lock 1"), statetest.Key("lock 2"), statetest.Key("lock 3")}
)

// truth is what the lists should say, read from the world in the plainest way.
func (c *chain) truth() (devices []api.DeviceRef, grants []api.GrantRef, on map[tx.ID]key.DeviceID) {
	c.tb.Helper()
	on = make(map[tx.ID]key.DeviceID)
	for _, k := range c.w.Tree.Keys() {
		switch k[0] {
		case 'd':
			d, err := state.GetDevice(c.w.Tree, key.DeviceID([]byte(k[1:])))
			if err != nil {
				c.tb.Fatal(err)
			}
			devices = append(devices, api.DeviceRef{ID: d.Key.DeviceID(), Model: d.Model, Epoch: d.Epoch, Lost: d.Lost, Owner: d.Owner, Vendor: d.Vendor})
		case 'g':
			id := tx.ID([]byte(k[1:]))
			g, err := state.GetGrant(c.w.Tree, id)
			if err != nil {
				c.tb.Fatal(err)
			}
			l, err := state.DecodeLink(id, g)
			if err != nil {
				c.tb.Fatal(err)
			}
			status := map[state.Status]string{state.Active: "active", state.Revoked: "revoked"}[g.Status]
			if l.Grant.Private != nil { // nobody knows whose
				grants = append(grants, api.GrantRef{ID: id, Issuer: g.Issuer, Status: status})
				on[id] = l.Grant.Private.Devices[0].Device
				continue
			}
			p := l.Grant
			grants = append(grants, api.GrantRef{ID: id, Issuer: g.Issuer, Status: status, Grantee: p.Grantee.ID(), NotBefore: p.NotBefore, NotAfter: p.NotAfter})
			on[id] = p.Targets[0].Device
		}
	}
	return devices, grants, on
}

func filter[T any](in []T, keep func(T) bool) []T {
	out := []T{}
	for _, t := range in {
		if keep(t) {
			out = append(out, t)
		}
	}
	return out
}
