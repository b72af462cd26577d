package index

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/node/api"
)

// The first bytes of the records that matter here.
var (
	deviceKind    = state.DeviceKey(key.DeviceID{})[0]
	grantKind     = state.GrantKey(tx.ID{})[0]
	keyChangeKind = state.KeyChangeKey(key.AccountID{}, 0)[0]
)

// batch is what is written together: rows, and the mark that goes with them.
type batch struct {
	x       *Index
	rows    *kv.Batch
	grants  map[tx.ID]*grant           // of this batch
	touched map[key.AccountID]struct{} // accounts whose rights have changed
	err     error                      // the first
}

func (x *Index) newBatch() *batch {
	return &batch{x: x, rows: x.db.NewBatch(), grants: make(map[tx.ID]*grant), touched: make(map[key.AccountID]struct{})}
}

func (b *batch) set(k, v []byte) {
	if b.err == nil {
		b.err = b.rows.Set(k, v)
	}
}

func (b *batch) delete(k []byte) {
	if b.err == nil {
		b.err = b.rows.Delete(k)
	}
}

// commit writes all with the mark. It does not wait for the disk: after a power
// cut the index is some blocks older, and whole.
func (b *batch) commit(m mark) error {
	b.set([]byte{rowMark}, codec.MustMarshal(m))
	if b.err != nil {
		return errors.Join(b.err, b.rows.Close())
	}
	return b.rows.Commit(kv.NoSync)
}

// accounts are those whose rights have changed, in order.
func (b *batch) accounts() []key.AccountID {
	return slices.SortedFunc(maps.Keys(b.touched), func(a, c key.AccountID) int { return bytes.Compare(a[:], c[:]) })
}

func (b *batch) touch(ids ...key.AccountID) {
	for _, id := range ids {
		b.touched[id] = struct{}{}
	}
}

// record brings the rows up to one record, nil if it was deleted. A record that
// cannot be read is told in the log and taken for none: nothing that opens a door
// depends on the lists.
func (b *batch) record(k, v []byte) {
	if b.err != nil {
		return
	}
	switch id := k[1:]; {
	case k[0] == deviceKind && len(id) == len(key.DeviceID{}):
		b.device(key.DeviceID(id), v)
	case k[0] == grantKind && len(id) == len(tx.ID{}):
		b.grant(tx.ID(id), v)
	case k[0] == keyChangeKind && len(id) > len(key.AccountID{}):
		b.touch(key.AccountID(id[:len(key.AccountID{})]))
	}
}

func (b *batch) device(id key.DeviceID, raw []byte) {
	next := readable(b.x, id, raw, readDevice)
	old, err := stored[device](b.x.db, row(rowDevice, id[:]))
	if err != nil {
		b.err = err
		return
	}
	if next.equal(old) {
		return
	}
	if old != nil {
		if next == nil || next.Vendor != old.Vendor {
			b.delete(row(rowMade, old.Vendor[:], id[:]))
		}
		if old.Owner != nil {
			b.touch(*old.Owner)
			b.delete(row(rowOwned, old.Owner[:], id[:]))
		}
	}
	if next == nil {
		b.delete(row(rowDevice, id[:]))
		return
	}
	b.set(row(rowDevice, id[:]), codec.MustMarshal(next))
	b.set(row(rowMade, next.Vendor[:], id[:]), none)
	if next.Owner != nil {
		b.touch(*next.Owner)
		b.set(row(rowOwned, next.Owner[:], id[:]), none)
	}
}

func (b *batch) grant(id tx.ID, raw []byte) {
	next := readable(b.x, id, raw, readGrant)
	old, err := stored[grant](b.x.db, row(rowGrant, id[:]))
	if err != nil {
		b.err = err
		return
	}
	switch {
	case next == nil && old == nil:
		return
	case next == nil:
		b.list(id, old, false)
		b.delete(row(rowGrant, id[:]))
		b.touchGrant(old)
		return
	case old != nil && old.Status == next.Status: // nothing else of it changes
		return
	}
	b.grants[id] = next
	b.list(id, next, true)
	b.set(row(rowGrant, id[:]), codec.MustMarshal(next))
	b.touchGrant(next)
}

// touchGrant tells issuer and grantee. A grantee has no account on the ledger; it
// waits for news under the id that its commands carry.
func (b *batch) touchGrant(g *grant) {
	b.touch(g.Issuer)
	if !g.private() {
		b.touch(g.Holder)
	}
}

// list puts a grant into its lists, or takes it out.
func (b *batch) list(id tx.ID, g *grant, in bool) {
	put := func(k []byte, in bool) {
		if in {
			b.set(k, none)
			return
		}
		b.delete(k)
	}
	active := in && g.Status == state.Active
	if !g.private() {
		put(row(rowGiven, g.Grantee[:], id[:]), in)
		put(row(rowGivenActive, g.Grantee[:], id[:]), active)
	}
	for _, d := range g.Devices {
		put(row(rowOnDevice, d[:], id[:]), in)
		put(row(rowOnDeviceLive, d[:], id[:]), active)
	}
}

// readable is the row of a record, nil if there is none.
func readable[ID, T any](x *Index, id ID, raw []byte, read func(ID, []byte) (*T, error)) *T {
	if raw == nil {
		return nil
	}
	out, err := read(id, raw)
	if err != nil {
		x.log.Error("record left out of the lists", "id", fmt.Sprint(id), "err", err)
		return nil
	}
	return out
}

// reader is a store or a snapshot of it.
type reader interface {
	Get(key []byte) ([]byte, error)
}

func stored[T any](from reader, k []byte) (*T, error) {
	raw, err := from.Get(k)
	if err != nil {
		return nil, err
	}
	return decode[T](raw)
}

// block adds a block and its transactions.
func (b *batch) block(h int64, at time.Time, hash []byte, txs []abci.Executed) {
	b.set(row(rowBlock, height(h)), blockRow(at, len(txs), hash))
	for i, x := range txs {
		pos := position(h, uint32(i))
		if x.Tx == nil { // it is counted, and names nobody
			b.set(row(rowTx, pos), entry{code: x.Code}.bytes())
			continue
		}
		e := entry{id: x.Tx.ID(b.x.cfg.Chain), kind: x.Tx.Body.Kind, code: x.Code, account: x.Tx.Body.Account}
		b.set(row(rowTx, pos), e.bytes())
		named := names(subjects(b.x.cfg.Chain, x.Tx))
		if err := named.follow(x, api.TxSubject(e.id), b.find); err != nil && b.err == nil {
			b.err = err
		}
		for _, s := range named {
			b.set(row(rowNamed, []byte(s), pos), none)
		}
	}
}

// find gives a grant, of this batch or from before; nil if there is none.
func (b *batch) find(id tx.ID) (*grant, error) {
	if g := b.grants[id]; g != nil {
		return g, nil
	}
	return stored[grant](b.x.db, row(rowGrant, id[:]))
}
