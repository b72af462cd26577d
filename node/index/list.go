package index

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/node/api"
)

// view is the rows as they were after one block.
type view struct {
	*kv.Snapshot
	mark mark
}

// read gives f a view and closes it.
func (x *Index) read(f func(v view) error) error {
	x.life.RLock()
	defer x.life.RUnlock()
	switch {
	case x.closed:
		return fmt.Errorf("%w: the node is stopping", api.ErrNoIndex)
	case x.failed() != nil:
		return fmt.Errorf("%w: %w", api.ErrNoIndex, x.failed())
	}
	err := x.readSnapshot(f)
	if err != nil && !errors.Is(err, api.ErrIndexing) {
		x.fail(err)
		x.nudge()
		return fmt.Errorf("%w: %w", api.ErrNoIndex, err)
	}
	return err
}

func (x *Index) readSnapshot(f func(v view) error) (err error) {
	s, err := x.db.NewSnapshot()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	m, err := stored[mark](s, []byte{rowMark})
	if err != nil {
		return err
	}
	x.mu.Lock()
	now, ready := x.at, x.ready()
	x.mu.Unlock()
	switch {
	case !ready, m == nil && now.Height > 0, m != nil && m.Building != nil:
		return fmt.Errorf("%w from the state of block %d", api.ErrIndexing, now.Height)
	case m == nil: // the ledger begins
		m = &mark{From: 1}
	}
	return f(view{s, *m})
}

// scan is a walk over the rows that begin with a prefix.
type scan struct {
	prefix []byte
	part   api.Part
	back   kv.Direction
	floor  []byte // what follows the prefix begins here at the earliest; nil: anywhere
}

// bounds are where the walk begins and ends.
func (s scan) bounds() (start, end []byte) {
	start, end = row(s.prefix[0], s.prefix[1:], s.floor), after(s.prefix)
	switch {
	case s.part.After == nil:
	case s.back == kv.Backward:
		end = row(s.prefix[0], s.prefix[1:], s.part.After)
	default:
		start = row(s.prefix[0], s.prefix[1:], s.part.After, []byte{0})
	}
	return start, end
}

// after is the first key that does not begin with prefix.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// walk collects entries of a list. pick makes one of a row, and says whether it
// passes the filter. After maxScan rows the part ends, however short it is.
func walk[T any](v view, s scan, pick func(rest, value []byte) (T, bool, error)) (out []T, next []byte, err error) {
	start, end := s.bounds()
	if bytes.Compare(start, end) >= 0 {
		return nil, nil, nil
	}
	it, err := v.NewIterator(start, end, s.back)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, it.Error(), it.Close()) }()
	for n := 0; it.Valid(); n++ {
		if n >= maxScan || len(out) >= s.part.Limit {
			return out, next, nil
		}
		next = bytes.Clone(it.Key()[len(s.prefix):])
		t, ok, err := pick(next, it.Value())
		if err != nil {
			return nil, nil, err
		}
		if ok {
			out = append(out, t)
		}
		it.Next()
	}
	return out, nil, nil
}

// page walks, and adds what block the answer is of.
func page[T any](x *Index, s scan, pick func(view) func(rest, value []byte) (T, bool, error)) (p api.Page[T], err error) {
	err = x.read(func(v view) error {
		p.Head, p.From = v.mark.head(), v.mark.From
		if s.prefix[0] == rowBlock || s.prefix[0] == rowTx {
			s.floor = height(v.mark.From)
		}
		p.Items, p.Next, err = walk(v, s, pick(v))
		return err
	})
	return p, err
}

// Devices implements api.Lists.
func (x *Index) Devices(q api.DeviceQuery, p api.Part) (api.Page[api.DeviceRef], error) {
	s := scan{part: p}
	switch {
	case q.Owner != nil:
		s.prefix = row(rowOwned, q.Owner[:])
	case q.Vendor != nil:
		s.prefix = row(rowMade, q.Vendor[:])
	default:
		return api.Page[api.DeviceRef]{}, errors.New("index: devices of whom")
	}
	return page(x, s, func(v view) func(rest, _ []byte) (api.DeviceRef, bool, error) {
		return func(rest, _ []byte) (r api.DeviceRef, ok bool, err error) {
			d, err := stored[device](v, row(rowDevice, rest))
			if err == nil && d == nil {
				err = fmt.Errorf("device %x stands in a list only", rest)
			}
			if err != nil {
				return r, false, err
			}
			r = api.DeviceRef{ID: key.DeviceID(rest), Model: d.Model, Epoch: d.Epoch, Lost: d.Lost, Owner: d.Owner, Vendor: d.Vendor}
			return r, q.Owned == nil || *q.Owned == (d.Owner != nil), nil
		}
	})
}

// Grants implements api.Lists.
func (x *Index) Grants(q api.GrantQuery, p api.Part) (api.Page[api.GrantRef], error) {
	s := scan{part: p}
	switch {
	case q.Grantee != nil && q.Active:
		s.prefix = row(rowGivenActive, q.Grantee[:])
	case q.Grantee != nil:
		s.prefix = row(rowGiven, q.Grantee[:])
	case q.Device != nil && q.Active:
		s.prefix = row(rowOnDeviceLive, q.Device[:])
	case q.Device != nil:
		s.prefix = row(rowOnDevice, q.Device[:])
	default:
		return api.Page[api.GrantRef]{}, errors.New("index: grants to whom")
	}
	return page(x, s, func(v view) func(rest, _ []byte) (api.GrantRef, bool, error) {
		return func(rest, _ []byte) (r api.GrantRef, ok bool, err error) {
			g, err := stored[grant](v, row(rowGrant, rest))
			if err == nil && g == nil {
				err = fmt.Errorf("grant %x stands in a list only", rest)
			}
			if err != nil {
				return r, false, err
			}
			r = api.GrantRef{ID: tx.ID(rest), Issuer: g.Issuer, Status: "active", Grantee: g.Grantee, NotBefore: g.NotBefore, NotAfter: g.NotAfter}
			if g.Status != state.Active {
				r.Status = "revoked"
			}
			return r, true, nil
		}
	})
}

// Blocks implements api.Lists.
func (x *Index) Blocks(ascending bool, p api.Part) (api.Page[api.BlockRef], error) {
	s := scan{prefix: []byte{rowBlock}, part: p, back: backward(!ascending)}
	return page(x, s, func(view) func(rest, value []byte) (api.BlockRef, bool, error) {
		return func(rest, value []byte) (api.BlockRef, bool, error) {
			b, err := parseBlock(rest, value)
			return b, true, err
		}
	})
}

func backward(b bool) kv.Direction {
	if b {
		return kv.Backward
	}
	return kv.Forward
}

// Txs implements api.Lists.
func (x *Index) Txs(q api.TxQuery, p api.Part) (api.Page[api.TxRef], error) {
	if len(q.Subjects) > 0 {
		return x.named(q, p)
	}
	s := scan{prefix: []byte{rowTx}, part: p, back: backward(!q.Ascending)}
	return page(x, s, func(v view) func(rest, value []byte) (api.TxRef, bool, error) {
		return func(rest, value []byte) (api.TxRef, bool, error) { return v.describe(rest, value, q.Kind) }
	})
}

// describe is a transaction, if it is of the kind.
func (v view) describe(pos, value []byte, kind tx.Kind) (r api.TxRef, ok bool, err error) {
	e, err := parseEntry(value)
	if err != nil || kind != 0 && e.kind != kind {
		return r, false, err
	}
	raw, err := v.Get(row(rowBlock, pos[:heightSize]))
	if err != nil {
		return r, false, err
	}
	b, err := parseBlock(pos[:heightSize], raw)
	if err != nil {
		return r, false, err
	}
	r = api.TxRef{
		Height: b.Height, Index: indexOf(pos), Time: b.Time, ID: e.id, Kind: e.kind.String(), Account: e.account,
		Code: e.code, Refusal: abci.KindOf(e.code),
	}
	return r, true, nil
}

// named lists the transactions that name any of some subjects, each once.
func (x *Index) named(q api.TxQuery, p api.Part) (out api.Page[api.TxRef], err error) {
	err = x.read(func(v view) (err error) {
		out.Head, out.From = v.mark.head(), v.mark.From
		m, err := v.merge(q, p)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.close()) }()
		for n := 0; ; n++ {
			pos, err := m.next()
			if err != nil || pos == nil {
				out.Next = nil
				return err
			}
			if n >= maxScan || len(out.Items) >= p.Limit {
				return nil
			}
			out.Next = pos
			value, err := v.Get(row(rowTx, pos))
			if err != nil {
				return err
			}
			r, ok, err := v.describe(pos, value, q.Kind)
			if err != nil {
				return err
			}
			if ok {
				out.Items = append(out.Items, r)
			}
		}
	})
	return out, err
}

// merge walks over the histories of several subjects at once.
type merge struct {
	back  kv.Direction
	walks []*kv.Iterator
}

func (v view) merge(q api.TxQuery, p api.Part) (m *merge, err error) {
	m = &merge{back: backward(!q.Ascending)}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	for _, s := range q.Subjects {
		start, end := scan{prefix: row(rowNamed, []byte(s)), part: p, back: m.back, floor: height(v.mark.From)}.bounds()
		if bytes.Compare(start, end) >= 0 {
			continue
		}
		it, err := v.NewIterator(start, end, m.back)
		if err != nil {
			return m, err
		}
		m.walks = append(m.walks, it)
	}
	return m, nil
}

// next gives the next position, nil at the end.
func (m *merge) next() (best []byte, err error) {
	at := func(it *kv.Iterator) []byte { return it.Key()[len(it.Key())-positionSize:] }
	for _, it := range m.walks {
		if err := it.Error(); err != nil {
			return nil, err
		}
		if !it.Valid() {
			continue
		}
		if c := bytes.Compare(at(it), best); best == nil || c < 0 && m.back == kv.Forward || c > 0 && m.back == kv.Backward {
			best = bytes.Clone(at(it))
		}
	}
	for _, it := range m.walks {
		if it.Valid() && bytes.Equal(at(it), best) {
			it.Next()
		}
	}
	return best, nil
}

func (m *merge) close() (err error) {
	for _, it := range m.walks {
		err = errors.Join(err, it.Close())
	}
	return err
}
