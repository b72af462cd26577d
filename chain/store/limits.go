package store

import (
	"github.com/hybridos-net/hybridos/chain/proof"
)

const (
	// MaxKeyBytes is what a light client accepts; a longer key could never be
	// proven.
	MaxKeyBytes = proof.MaxKeyBytes
	// MaxValueBytes likewise.
	MaxValueBytes = proof.MaxValueBytes
	// DefaultNodeCache is the number of tree nodes kept decoded, about 300
	// bytes each: the upper levels and what the last blocks touched.
	DefaultNodeCache = 100_000
	// DefaultKeepVersions is two weeks of heartbeats every 10 s, the trusting
	// period of light clients, which may ask for any height inside it.
	DefaultKeepVersions = 14 * 24 * 360
	// pruneStep bounds the versions removed by one Commit, so that a lowered
	// KeepVersions is caught up with over many blocks instead of stalling one.
	pruneStep = 16
	// MaxChunkBytes bounds a chunk of an export. CometBFT carries up to 16 MB;
	// with 4 MiB a lost one is soon fetched again.
	MaxChunkBytes = 4 << 20
	// frozenCache is the number of decoded nodes kept by a tree that is read
	// once from end to end.
	frozenCache = 1000
	// maxHeight is that of a balanced tree of 2^64 leaves, with room.
	maxHeight = 96
	// wipeStep is how many keys one batch removes.
	wipeStep = 10_000
)
