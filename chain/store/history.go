package store

import (
	"bytes"
	"errors"

	"github.com/cosmos/iavl"
)

// GetAt returns a copy of the value under key in a committed version, nil if
// absent. A version that is pruned or not committed yet is refused (NoVersion).
func (t *Tree) GetAt(version int64, key []byte) (value []byte, err error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	defer t.catch("read", &err)
	past, err := t.at(version)
	if err != nil {
		return nil, err
	}
	value, err = past.Get(key)
	if err != nil {
		return nil, t.fault("read", err)
	}
	return bytes.Clone(value), nil
}

// ProveAt is GetAt with a proof for chain/proof against the root of that
// version: of the value, or of the absence if the value is nil.
func (t *Tree) ProveAt(version int64, key []byte) (value, proof []byte, err error) {
	if err := checkKey(key); err != nil {
		return nil, nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	defer t.catch("prove", &err)
	past, err := t.at(version)
	if err != nil {
		return nil, nil, err
	}
	made, err := past.GetProof(key)
	if err != nil {
		return nil, nil, t.fault("prove", err)
	}
	proof, err = made.Marshal()
	if err != nil {
		return nil, nil, t.fault("prove", err)
	}
	return bytes.Clone(made.GetExist().GetValue()), proof, nil
}

// ScanAt calls f with every key that begins with prefix, in ascending order, and
// its value in a committed version, and stops at the first error of f. Both
// slices are f's to keep. Commits wait until it ends: it is for the start of a
// program, not for every block.
func (t *Tree) ScanAt(version int64, prefix []byte, f func(key, value []byte) error) (err error) {
	if err := checkKey(prefix); err != nil {
		return err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	defer t.catch("scan", &err)
	past, err := t.at(version)
	if err != nil {
		return err
	}
	// By index, not with iavl's iterator: that one ends early, without a word,
	// where a node cannot be read.
	i, _, err := past.GetWithIndex(prefix)
	if err != nil {
		return t.fault("scan", err)
	}
	for ; ; i++ {
		key, value, err := past.GetByIndex(i)
		if err != nil {
			return t.fault("scan", err)
		}
		if !bytes.HasPrefix(key, prefix) { // at the latest the high fence
			return nil
		}
		if err := f(bytes.Clone(key), bytes.Clone(value)); err != nil {
			return err
		}
	}
}

// HashAt is the root of a committed version.
func (t *Tree) HashAt(version int64) (root []byte, err error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	defer t.catch("read", &err)
	past, err := t.at(version)
	if err != nil {
		return nil, err
	}
	return bytes.Clone(past.Hash()), nil
}

// at finds a committed version; mu is held for reading, which keeps Commit from
// pruning it while it is read.
func (t *Tree) at(version int64) (*iavl.ImmutableTree, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	if version < 1 || version > t.tree.Version() {
		return nil, refuse(NoVersion, "version %d was never committed; the last is %d", version, t.tree.Version())
	}
	past, err := t.tree.GetImmutable(version)
	if errors.Is(err, iavl.ErrVersionDoesNotExist) {
		return nil, refuse(NoVersion, "version %d was pruned", version)
	}
	if err != nil {
		return nil, t.fault("load a version", err)
	}
	return past, nil
}
