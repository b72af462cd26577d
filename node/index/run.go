package index

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// ErrNoBlock: the node does not have that block any more, or never had it.
var ErrNoBlock = errors.New("no such block")

// Source gives the blocks that a node keeps.
type Source interface {
	// Base is the height of the oldest, 0 if there is none.
	Base() int64
	// Block gives a block with its outcomes, or an error that wraps ErrNoBlock.
	Block(height int64) (Block, error)
}

// Block is a committed block.
type Block struct {
	Time  time.Time
	Hash  []byte // of the header
	Txs   [][]byte
	Codes []uint32 // of each transaction
}

// executed decodes the transactions.
func (b Block) executed() []abci.Executed {
	out := make([]abci.Executed, len(b.Txs))
	for i, raw := range b.Txs {
		out[i].Code = b.Codes[i]
		if t, err := tx.Decode(raw); err == nil {
			out[i].Tx = t
		}
	}
	return out
}

// Run keeps the rows in step with the chain until ctx ends. It first catches up
// with what a crash left out; if the rows cannot be continued it makes them anew
// from the state, and then adds the blocks that are kept, newest first. A fault
// ends the index but not the node: it is told in the log, lists are refused, and
// the next start makes it anew.
func (x *Index) Run(ctx context.Context, src Source) error {
	for ctx.Err() == nil {
		worked, err := x.step(src)
		if err != nil {
			x.fail(err)
			<-ctx.Done()
			return nil
		}
		if worked {
			continue
		}
		select {
		case <-ctx.Done():
		case <-x.wake:
		}
	}
	return nil
}

// fail stops the index. Rows that a disk has damaged are removed.
func (x *Index) fail(err error) {
	first := false
	x.set(func() {
		if first = x.fault == nil; first {
			x.fault = err
		}
		x.queue, x.queued = nil, 0
	})
	if !first {
		return
	}
	x.log.Error("the index has stopped; the ledger goes on without lists", "err", err)
	if errors.Is(err, kv.Corrupt) {
		if err := kv.Destroy(x.dir, x.cfg.FS); err != nil {
			x.log.Error("the damaged index stays on the disk; remove its directory", "dir", x.dir, "err", err)
		}
	}
}

// step does the next piece of work, and reports whether there was any.
func (x *Index) step(src Source) (worked bool, err error) {
	if err := x.failed(); err != nil { // a reader has met it
		return false, err
	}
	x.mu.Lock()
	at, wiping, target := x.at, x.wiping, x.head.Height
	x.mu.Unlock()
	switch {
	case wiping:
		return true, x.wipe()
	case at.Building != nil:
		return true, x.build(at, src)
	case at.Height < target:
		return true, x.next(at, src)
	case !x.older && at.From > 1:
		return true, x.fill(at, src)
	}
	return false, nil
}

// restart makes the index anew.
func (x *Index) restart(why error) {
	x.log.Warn("the lists cannot be continued and are made anew", "err", why)
	x.set(func() { x.wiping = true })
}

// wipe removes rows, the mark first. When none is left it starts from the state,
// or, on a ledger that begins, from nothing.
func (x *Index) wipe() error {
	b := x.db.NewBatch()
	err := b.Delete([]byte{rowMark})
	it, iterErr := x.db.NewIterator(nil, nil, kv.Forward)
	if err = errors.Join(err, iterErr); err != nil {
		return errors.Join(err, b.Close())
	}
	n := 0
	for ; it.Valid() && n < wipeStep && err == nil; n++ {
		err = b.Delete(it.Key())
		it.Next()
	}
	if err = errors.Join(err, it.Error(), it.Close()); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := b.Commit(kv.NoSync); err != nil || n == wipeStep {
		return err
	}
	m := mark{Height: x.tree.Version(), From: 1}
	if m.Height > 0 {
		if m.Root, err = x.tree.HashAt(m.Height); err != nil {
			return err
		}
		m.Building = []byte{deviceKind}
		x.log.Info("making lists from the state", "height", m.Height)
	}
	x.older, x.done, x.before = false, 0, 0
	x.set(func() { x.at, x.wiping = m, false })
	return nil
}

// build takes some records of the state into the rows.
func (x *Index) build(at mark, src Source) error {
	kind := at.Building[:1]
	after := at.Building
	if len(after) == 1 {
		after = nil
	}
	records, err := x.tree.PageAt(at.Height, kind, after, buildStep)
	if errors.Is(err, store.NoVersion) { // it took longer than versions are kept
		x.restart(err)
		return nil
	}
	if err != nil {
		return err
	}
	b := x.newBatch()
	for _, r := range records {
		b.record(r.Key, r.Value)
		at.Building = r.Key
	}
	switch {
	case len(records) == buildStep:
	case kind[0] == deviceKind:
		at.Building = []byte{grantKind}
	default:
		at.Building, at.From = nil, at.Height+1
		if block, err := src.Block(at.Height); err == nil {
			at.Time = block.Time.UnixNano()
		}
	}
	if err := b.commit(at); err != nil {
		return err
	}
	x.before += int64(len(records))
	x.progress("making lists from the state", int64(len(records)), "records", x.before)
	x.set(func() { x.at = at })
	if at.Building == nil {
		x.log.Info("lists are there", "height", at.Height, "records", x.before)
		x.tell(at.head(), nil)
	}
	return nil
}

// progress writes a line from time to time.
func (x *Index) progress(doing string, n int64, args ...any) {
	if x.done += n; x.done >= progressStep {
		x.done = 0
		x.log.Info(doing, args...)
	}
}

// next takes the next block.
func (x *Index) next(at mark, src Source) error {
	c, known, err := x.take(at.Height+1, src)
	if errors.Is(err, store.NoVersion) {
		x.restart(err)
		return nil
	}
	if err != nil {
		return err
	}
	b := x.newBatch()
	for i, k := range c.Keys {
		if k[0] != deviceKind && k[0] != grantKind && k[0] != keyChangeKind {
			continue
		}
		v, err := x.value(c, i)
		if errors.Is(err, store.NoVersion) {
			x.restart(err)
			return b.rows.Close()
		}
		if err != nil {
			return errors.Join(err, b.rows.Close())
		}
		b.record(k, v)
	}
	at.Height, at.Time = c.Height, 0
	if known {
		b.block(c.Height, c.Time, c.Hash, c.Txs)
		at.Time = c.Time.UnixNano()
	} else {
		at.From, x.older = c.Height+1, true // older rows stay, and are not told
	}
	if at.Root, err = x.tree.HashAt(c.Height); err != nil {
		return errors.Join(err, b.rows.Close())
	}
	if err := b.commit(at); err != nil {
		return err
	}
	x.progress("catching up", 1, "height", at.Height)
	x.set(func() { x.at = at })
	x.tell(at.head(), b.accounts())
	return nil
}

// value is what a block left under the i-th of its keys, nil if it is deleted.
func (x *Index) value(c abci.Commit, i int) ([]byte, error) {
	if i < len(c.Values) && c.Values[i] != nil {
		return c.Values[i], nil
	}
	return x.tree.GetAt(c.Height, c.Keys[i])
}

// take gives a block: from the queue, or, after a crash or where the queue was
// full, from the disk. known is false if its transactions are not there.
func (x *Index) take(h int64, src Source) (c abci.Commit, known bool, err error) {
	x.mu.Lock()
	for len(x.queue) > 0 && x.queue[0].Height <= h {
		c = x.queue[0]
		x.queue, x.queued = x.queue[1:], x.queued-len(c.Txs)
	}
	if len(x.queue) == 0 {
		x.queue = nil
	}
	x.mu.Unlock()
	if c.Height == h {
		return c, true, nil
	}
	c = abci.Commit{Height: h}
	if c.Keys, err = x.tree.ChangesAt(h); err != nil {
		return c, false, err
	}
	block, err := src.Block(h)
	if errors.Is(err, ErrNoBlock) {
		return c, false, nil
	}
	if err != nil {
		return c, false, fmt.Errorf("read block %d: %w", h, err)
	}
	c.Time, c.Hash, c.Txs = block.Time, block.Hash, block.executed()
	return c, true, nil
}

// fill takes older blocks, newest first, so that the transactions from at.From
// on are always all there.
func (x *Index) fill(at mark, src Source) error {
	base := src.Base()
	b := x.newBatch()
	for n, txs := 0, 0; n < fillBlocks && txs < fillTxs; n++ {
		h := at.From - 1
		if h < max(base, 1) || base == 0 {
			x.older = true
			break
		}
		block, err := src.Block(h)
		if errors.Is(err, ErrNoBlock) {
			x.older = true
			break
		}
		if err != nil {
			return errors.Join(fmt.Errorf("read block %d: %w", h, err), b.rows.Close())
		}
		b.block(h, block.Time, block.Hash, block.executed())
		at.From, txs = h, txs+len(block.Txs)
		x.progress("adding older blocks", 1, "height", h)
	}
	if err := b.commit(at); err != nil {
		return err
	}
	x.set(func() { x.at = at })
	if x.older || at.From <= 1 {
		x.log.Info("blocks are listed as far back as they are kept", "from", at.From)
	}
	return nil
}
