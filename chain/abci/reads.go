package abci

import "github.com/hybridos-net/hybridos/chain/store"

// reads remembers records of the working tree: the mempool's state, the proposal
// and the block ask for the same ones, each of which costs a walk through the
// tree. It stands between the overlays and the tree. Every write goes through it
// or is followed by forget, so an entry is what the tree would give; a Commit
// changes no value. Values are shared: whoever reads one must not change it. It
// belongs to the App's one caller at a time.
type reads struct {
	tree   *store.Tree
	values map[string][]byte // nil: there is no such record
	dirty  bool              // written since forget or settle
}

func newReads(tree *store.Tree) *reads {
	return &reads{tree: tree, values: make(map[string][]byte)}
}

// Get reads a record as the working tree has it.
func (r *reads) Get(k []byte) ([]byte, error) {
	if v, ok := r.values[string(k)]; ok {
		return v, nil
	}
	v, err := r.tree.Get(k)
	if err != nil {
		return nil, err // never remembered
	}
	r.keep(k, v)
	return v, nil
}

// Set writes a record into the working tree.
func (r *reads) Set(k, v []byte) error {
	r.dirty = true
	delete(r.values, string(k))
	if err := r.tree.Set(k, v); err != nil {
		return err
	}
	r.keep(k, v)
	return nil
}

func (r *reads) keep(k, v []byte) {
	if len(v) > maxReadBytes {
		return
	}
	if len(r.values) >= maxReads {
		clear(r.values)
	}
	r.values[string(k)] = v
}

// held are the records of these keys as far as they are remembered, nil
// otherwise.
func (r *reads) held(keys [][]byte) [][]byte {
	out := make([][]byte, len(keys))
	for i, k := range keys {
		out[i] = r.values[string(k)]
	}
	return out
}

// settle says that what was written is committed.
func (r *reads) settle() { r.dirty = false }

// forget drops everything, because the tree was changed elsewhere.
func (r *reads) forget() {
	clear(r.values)
	r.dirty = false
}
