// Package batch is the Merkle tree of a vendor's production run: one root on
// the ledger stands for up to Max devices, and a path of hashes proves that a
// device is one of them.
//
// It is not the ledger's own state tree (chain/proof), and it signs and stores
// nothing. Vendors' tools use NewTree for paths, or Root for the root alone;
// chain/state uses RootOf with PathLen.
//
// What must never change: the bytes of a leaf and the hashing of RFC 6962
// section 2.1. Roots on the ledger were made with them.
package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"math/bits"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
)

// Hash is a node of the tree.
type Hash [sha256.Size]byte

// String is the hex form.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether h is unset.
func (h Hash) IsZero() bool { return h == Hash{} }

// Leaf is what a batch says about one device: the fields of a registration
// that differ from device to device. The model is the batch's.
//
// Evolution: fields 1 and 2 are fixed; there will be no others, since a leaf is
// hashed whole.
type Leaf struct {
	Key     key.Public `cbor:"1,keyasint"`
	SealKey [32]byte   `cbor:"2,keyasint"` // X25519 public key (RFC 7748)
}

// The first byte of what is hashed tells leaves from nodes, so that no node can
// be passed off as a device (RFC 6962 section 2.1).
const (
	leafPrefix = 0x00
	nodePrefix = 0x01
)

// Hash is the leaf's place in the tree.
func (l Leaf) Hash() Hash {
	return sha256.Sum256(append([]byte{leafPrefix}, codec.MustMarshal(l)...))
}

func parent(left, right Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = nodePrefix
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// PathLen is how many hashes the path of a leaf has in a tree of size leaves:
// one for each level at which the node above the leaf has a sibling. It is -1
// for an index that the tree does not have.
func PathLen(index, size uint64) int {
	if index >= size {
		return -1
	}
	n := 0
	for last := size - 1; last > 0; index, last = index>>1, last>>1 {
		if index&1 == 1 || index < last {
			n++
		}
	}
	return n
}

// RootOf gives the root to which a leaf and its path lead (RFC 9162 section
// 2.1.3.2). The path must have PathLen(index, size) hashes; anything else gives
// false. Whether the root is the right one is for the caller to compare.
func RootOf(leaf Hash, index, size uint64, path []Hash) (Hash, bool) {
	if size > Max || len(path) != PathLen(index, size) {
		return Hash{}, false
	}
	r := leaf
	for last := size - 1; last > 0; index, last = index>>1, last>>1 {
		switch {
		case index&1 == 1:
			r, path = parent(path[0], r), path[1:]
		case index < last:
			r, path = parent(r, path[0]), path[1:]
		}
	}
	return r, true
}

// Root collects leaves one by one and keeps no more than one hash for each
// level. The zero value is ready. Not safe for concurrent use.
type Root struct {
	size  uint64
	peaks []Hash // of the full subtrees so far, the largest first
}

// Add appends a leaf; false when the tree is full.
func (r *Root) Add(leaf Hash) bool {
	if r.size >= Max {
		return false
	}
	r.size++
	for range bits.TrailingZeros64(r.size) {
		last := len(r.peaks) - 1
		leaf, r.peaks = parent(r.peaks[last], leaf), r.peaks[:last]
	}
	r.peaks = append(r.peaks, leaf)
	return true
}

// Size is how many leaves were added.
func (r *Root) Size() uint64 { return r.size }

// Hash is the root of the leaves so far; zero for none.
func (r *Root) Hash() Hash {
	if r.size == 0 {
		return Hash{}
	}
	last := len(r.peaks) - 1
	h := r.peaks[last]
	for i := last - 1; i >= 0; i-- {
		h = parent(r.peaks[i], h)
	}
	return h
}
