package batch

import (
	"errors"
	"fmt"
)

// ErrSize says that a tree has no leaves, or more than Max.
var ErrSize = fmt.Errorf("a batch has 1 to %d devices", uint64(Max))

// errIndex is a broken promise of a caller of Path.
var errIndex = errors.New("the batch has no such leaf")

// Tree keeps every node, to make paths: 64 bytes a device, 64 MB for a million.
// Immutable, and so safe for concurrent use.
type Tree struct {
	levels [][]Hash // leaves first, the root last
}

// NewTree builds the tree over leaves, which it keeps.
func NewTree(leaves []Hash) (*Tree, error) {
	if len(leaves) == 0 || len(leaves) > Max {
		return nil, fmt.Errorf("%w, not %d", ErrSize, len(leaves))
	}
	t := &Tree{levels: [][]Hash{leaves}}
	for level := leaves; len(level) > 1; {
		next := make([]Hash, 0, (len(level)+1)/2)
		for i := 0; i+1 < len(level); i += 2 {
			next = append(next, parent(level[i], level[i+1]))
		}
		if len(level)%2 == 1 {
			next = append(next, level[len(level)-1]) // without a sibling it stands for itself
		}
		t.levels = append(t.levels, next)
		level = next
	}
	return t, nil
}

// Root is the hash at the top.
func (t *Tree) Root() Hash { return t.levels[len(t.levels)-1][0] }

// Size is the number of leaves.
func (t *Tree) Size() uint64 { return uint64(len(t.levels[0])) }

// Path gives the hashes that lead from a leaf to the root, from the bottom.
func (t *Tree) Path(index uint64) ([]Hash, error) {
	if index >= t.Size() {
		return nil, errIndex
	}
	path := make([]Hash, 0, PathLen(index, t.Size()))
	for _, level := range t.levels[:len(t.levels)-1] {
		if s := index ^ 1; s < uint64(len(level)) {
			path = append(path, level[s])
		}
		index >>= 1
	}
	return path, nil
}
