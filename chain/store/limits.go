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
)
