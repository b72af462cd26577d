package statetest

import (
	"bytes"
	"maps"
	"slices"

	"github.com/hybridos-net/hybridos/chain/state"
)

// Tree is a ledger state in memory. The zero value is empty and ready. Not
// safe for concurrent use.
type Tree struct {
	// Err, if set, is what every Get and Set returns.
	Err error

	records map[string][]byte
}

var _ state.Tree = (*Tree)(nil)

// Get gives a copy of a record, or nil.
func (t *Tree) Get(k []byte) ([]byte, error) {
	if t.Err != nil {
		return nil, t.Err
	}
	return bytes.Clone(t.records[string(k)]), nil
}

// Set stores a copy of v.
func (t *Tree) Set(k, v []byte) error {
	if t.Err != nil {
		return t.Err
	}
	if t.records == nil {
		t.records = make(map[string][]byte)
	}
	t.records[string(k)] = append([]byte{}, v...)
	return nil
}

// Delete removes a record. No rule of the ledger does this; liars may.
func (t *Tree) Delete(k []byte) { delete(t.records, string(k)) }

// Clone gives an independent copy, for instance to lie in.
func (t *Tree) Clone() *Tree { return &Tree{records: maps.Clone(t.records)} }

// Keys lists the keys of all records in order.
func (t *Tree) Keys() []string { return slices.Sorted(maps.Keys(t.records)) }

// Equal reports whether both hold the same records.
func (t *Tree) Equal(u *Tree) bool { return maps.EqualFunc(t.records, u.records, bytes.Equal) }
