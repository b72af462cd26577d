package store

import (
	"bytes"

	"github.com/cosmos/iavl"
)

// Pair is a key with its value.
type Pair struct{ Key, Value []byte }

// PageAt gives up to n pairs of a committed version whose keys begin with prefix
// and come after the given one (nil: from the first), in ascending order. Fewer
// than n means that there are no more. Commits wait for one page only, so that
// a program may read the whole state beside a running ledger.
func (t *Tree) PageAt(version int64, prefix, after []byte, n int) (out []Pair, err error) {
	start := prefix
	if after != nil {
		if !bytes.HasPrefix(after, prefix) {
			return nil, refuse(BadKey, "key %x does not begin with %x", after, prefix)
		}
		start = append(bytes.Clone(after), 0)
	}
	if err := checkKey(prefix); err != nil {
		return nil, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	defer t.catch("scan", &err)
	past, err := t.at(version)
	if err != nil {
		return nil, err
	}
	i, _, err := past.GetWithIndex(start)
	if err != nil {
		return nil, t.fault("scan", err)
	}
	for ; len(out) < n; i++ {
		key, value, err := past.GetByIndex(i)
		if err != nil {
			return nil, t.fault("scan", err)
		}
		if !bytes.HasPrefix(key, prefix) { // at the latest the high fence
			break
		}
		out = append(out, Pair{bytes.Clone(key), bytes.Clone(value)})
	}
	return out, nil
}

// ChangesAt lists the keys whose records differ between a committed version and
// the one before it, in ascending order; for version 1 all keys. Both versions
// must be there (NoVersion). It costs what the version changed, not what the
// tree holds.
func (t *Tree) ChangesAt(version int64) (keys [][]byte, err error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	defer t.catch("compare versions", &err)
	past, err := t.at(version)
	if err != nil {
		return nil, err
	}
	if version > 1 {
		if _, err := t.at(version - 1); err != nil {
			return nil, err
		}
	}
	take := func(_ int64, set *iavl.ChangeSet) error {
		for _, p := range set.Pairs {
			if p.Key[0] != lowFence && p.Key[0] != highFence {
				keys = append(keys, bytes.Clone(p.Key))
			}
		}
		return nil
	}
	if err := past.TraverseStateChanges(version, version, take); err != nil {
		return nil, t.fault("compare versions", err)
	}
	return keys, nil
}
