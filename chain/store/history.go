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
