package snapshot

import "github.com/hybridos-net/hybridos/chain/store"

const (
	// MaxChunks bounds a snapshot to 8 GiB, some 20 million records: what a
	// hostile peer could fill a disk with before the root shows it.
	MaxChunks = 2048
	// MaxBytes follows.
	MaxBytes = MaxChunks * store.MaxChunkBytes
	// MaxManifestBytes is room for MaxChunks hashes and the rest.
	MaxManifestBytes = MaxChunks*32 + 128
	// MaxKept bounds the snapshots kept: CometBFT offers ten.
	MaxKept = 10
	// maxHeight keeps heights positive as int64.
	maxHeight = 1<<62 - 1
)
