package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"

	"github.com/cosmos/iavl"

	"github.com/hybridos-net/hybridos/chain/store/kv"
)

// Import fills a tree from the chunks that Export gave, node by node. Nothing
// of it counts before Commit has found the root that was asked for: until then
// the directory is marked, the tree refuses every other use with Unfinished, and
// the next Open begins from an empty tree.
//
// It belongs to one goroutine. After an error only Cancel is left.
type Import struct {
	t       *Tree
	version int64
	root    []byte
	adder   *iavl.Importer
	open    []subtree // whose parent has not come yet, as in iavl
	last    []byte    // key of the leaf that came last
}

// subtree is what an import must know of a finished subtree to judge the next
// node and to give it the key that Export leaves out.
type subtree struct {
	min     []byte // its smallest key
	height  int8
	version int64
}

// importMark stands in the store while an import is under way. iavl's own keys
// begin with other letters.
var importMark = []byte("h/import")

// Import empties the tree, whatever it holds, and begins an import of the given
// version, whose root the caller has from a header that it trusts.
func (t *Tree) Import(version int64, root []byte) (_ *Import, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(); err != nil {
		return nil, err
	}
	if version < 1 || len(root) != sha256.Size {
		return nil, refuse(BadSnapshot, "version %d with a root of %d bytes", version, len(root))
	}
	defer t.catch("import", &err)
	if err := t.db.Set(importMark, binary.BigEndian.AppendUint64(nil, uint64(version)), kv.Sync); err != nil {
		return nil, err
	}
	i := &Import{t: t, version: version, root: bytes.Clone(root)}
	t.importing = i
	if err := t.wipe(); err != nil {
		return nil, err
	}
	if err := t.renew(); err != nil {
		return nil, err
	}
	if i.adder, err = t.tree.Import(version); err != nil {
		return nil, t.fault("import", err)
	}
	return i, nil
}

// Add takes the next chunk. BadSnapshot means that it does not continue a tree.
func (i *Import) Add(chunk []byte) (err error) {
	i.t.mu.Lock()
	defer i.t.mu.Unlock()
	if err := i.usable(); err != nil {
		return err
	}
	defer i.t.catch("import", &err)
	return decodeNodes(chunk, i.add)
}

// add judges one node. Heights, order and versions are part of what the root
// vouches for, but a tree in which they are wrong must not get as far: it would
// be searched with keys that nothing vouches for.
func (i *Import) add(n *iavl.ExportNode) error {
	if n.Version > i.version {
		return refuse(BadSnapshot, "node of version %d in version %d", n.Version, i.version)
	}
	if n.Height == 0 {
		if i.last != nil && bytes.Compare(n.Key, i.last) <= 0 {
			return refuse(BadSnapshot, "keys do not ascend")
		}
		i.last = n.Key
		i.open = append(i.open, subtree{min: n.Key, version: n.Version})
		return i.pass(n)
	}
	if len(i.open) < 2 {
		return refuse(BadSnapshot, "inner node without children")
	}
	left, right := i.open[len(i.open)-2], i.open[len(i.open)-1]
	if n.Height != max(left.height, right.height)+1 || left.height-right.height > 1 || right.height-left.height > 1 {
		return refuse(BadSnapshot, "node of height %d over %d and %d", n.Height, left.height, right.height)
	}
	if n.Version < left.version || n.Version < right.version {
		return refuse(BadSnapshot, "node older than its child")
	}
	n.Key = right.min
	i.open = append(i.open[:len(i.open)-2], subtree{min: left.min, height: n.Height, version: n.Version})
	return i.pass(n)
}

func (i *Import) pass(n *iavl.ExportNode) error {
	err := i.adder.Add(n)
	var disk *kv.Error
	if err == nil || errors.As(err, &disk) {
		return err
	}
	return refuse(BadSnapshot, "%v", err)
}

// Commit ends the import: if the tree has the root that was asked for it is on
// disk and the tree is ready at its version. Otherwise BadSnapshot.
func (i *Import) Commit() (err error) {
	t := i.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := i.usable(); err != nil {
		return err
	}
	if len(i.open) != 1 || i.open[0].height == 0 {
		return refuse(BadSnapshot, "the chunks end in the middle of a tree")
	}
	defer t.catch("import", &err)
	if err := i.adder.Commit(); err != nil {
		return t.fault("import", err)
	}
	if err := i.settleRoot(); err != nil {
		return err
	}
	if err := t.renew(); err != nil {
		return err
	}
	if got := t.tree.Hash(); t.tree.Version() != i.version || !bytes.Equal(got, i.root) {
		return refuse(BadSnapshot, "the root is %x, the header says %x", got, i.root)
	}
	if err := t.db.Delete(importMark, kv.Sync); err != nil {
		return err
	}
	t.importing = nil
	return nil
}

// settleRoot moves a root that is older than the version to where pruning would
// have left it. Under nonce 1 iavl would take its version for one that is kept.
func (i *Import) settleRoot() error {
	made := i.open[0].version
	if made == i.version {
		return nil
	}
	from, to := nodeKey(made, 1), nodeKey(made, 0)
	value, err := i.t.db.Get(from)
	if err != nil {
		return err
	}
	if value == nil {
		return refuse(Damaged, "import: the root is not there")
	}
	b := i.t.db.NewBatch()
	defer b.Close()
	if err := errors.Join(b.Set(to, value), b.Delete(from)); err != nil {
		return err
	}
	return b.Commit(kv.Sync)
}

// nodeKey is where iavl keeps a node; see docs/spec/state-tree.md.
func nodeKey(version int64, nonce uint32) []byte {
	k := binary.BigEndian.AppendUint64([]byte{'s'}, uint64(version))
	return binary.BigEndian.AppendUint32(k, nonce)
}

// Cancel gives the import up and leaves an empty tree. After Commit it does
// nothing.
func (i *Import) Cancel() (err error) {
	t := i.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.importing != i || t.closed {
		return nil
	}
	defer t.catch("cancel an import", &err)
	if i.adder != nil {
		i.adder.Close()
	}
	if err := t.wipe(); err != nil {
		return err
	}
	if err := t.db.Delete(importMark, kv.Sync); err != nil {
		return err
	}
	t.importing = nil
	if err := t.renew(); err != nil {
		return err
	}
	return t.fence()
}

func (i *Import) usable() error {
	switch {
	case i.t.closed:
		return refuse(Closed, "the tree is closed")
	case i.t.importing != i:
		return refuse(Unfinished, "the import has ended")
	}
	return i.t.db.Err()
}

// recoverImport empties a tree whose import was interrupted. It runs before anything
// else reads the store.
func (t *Tree) recoverImport() error {
	mark, err := t.db.Get(importMark)
	if err != nil || mark == nil {
		return err
	}
	t.cfg.Logger.Warn("an import of the state was interrupted: beginning again from nothing", "dir", t.cfg.Dir)
	if err := t.wipe(); err != nil {
		return err
	}
	return t.db.Delete(importMark, kv.Sync)
}

// wipe removes everything but the mark, without waiting for the disk: the
// removal of the mark comes after it.
func (t *Tree) wipe() error {
	it, err := t.db.NewIterator([]byte{1}, nil, kv.Forward)
	if err != nil {
		return err
	}
	defer it.Close()
	b := t.db.NewBatch()
	defer func() { b.Close() }()
	for n := 1; it.Valid(); n++ {
		if !bytes.Equal(it.Key(), importMark) {
			if err := b.Delete(it.Key()); err != nil {
				return err
			}
		}
		if n%wipeStep == 0 {
			if err := b.Commit(kv.NoSync); err != nil {
				return err
			}
			b = t.db.NewBatch()
		}
		it.Next()
	}
	if err := it.Error(); err != nil {
		return err
	}
	return b.Commit(kv.NoSync)
}

// renew reads the tree anew from the store, forgetting all that is cached; mu
// is held.
func (t *Tree) renew() error {
	if err := t.tree.Close(); err != nil {
		return t.fault("close", err)
	}
	t.tree = newIAVL(t.disk, t.cfg)
	t.first = 0
	clear(t.dirty)
	if _, err := t.tree.Load(); err != nil {
		return t.fault("load the last version", err)
	}
	return nil
}

// decodeNodes reads a chunk. It is strict: there is one encoding of each node.
func decodeNodes(b []byte, f func(*iavl.ExportNode) error) error {
	if len(b) == 0 || len(b) > MaxChunkBytes {
		return refuse(BadSnapshot, "chunk of %d bytes, not 1 to %d", len(b), MaxChunkBytes)
	}
	for len(b) > 0 {
		n := &iavl.ExportNode{Height: int8(b[0])}
		if b[0] > maxHeight {
			return refuse(BadSnapshot, "node of height %d", b[0])
		}
		var version uint64
		var err error
		if version, b, err = uvarint(b[1:], math.MaxInt64); err != nil {
			return err
		}
		if n.Version = int64(version); version == 0 {
			return refuse(BadSnapshot, "node of version 0")
		}
		if n.Height == 0 {
			if n.Key, b, err = piece(b, MaxKeyBytes); err != nil {
				return err
			}
			if n.Value, b, err = piece(b, MaxValueBytes); err != nil {
				return err
			}
		}
		if err := f(n); err != nil {
			return err
		}
	}
	return nil
}

// piece reads a byte string of 1 to limit bytes.
func piece(b []byte, limit uint64) (out, rest []byte, err error) {
	n, b, err := uvarint(b, limit)
	if err != nil {
		return nil, nil, err
	}
	if n == 0 || n > uint64(len(b)) {
		return nil, nil, refuse(BadSnapshot, "string of %d bytes, %d are left", n, len(b))
	}
	return bytes.Clone(b[:n]), b[n:], nil
}

// uvarint reads a number in its shortest form.
func uvarint(b []byte, limit uint64) (v uint64, rest []byte, err error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > 1 && b[n-1] == 0 {
		return 0, nil, refuse(BadSnapshot, "number cut off, too large or not in its shortest form")
	}
	if v > limit {
		return 0, nil, refuse(BadSnapshot, "number %d over %d", v, limit)
	}
	return v, b[n:], nil
}
