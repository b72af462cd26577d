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
	// FileBlocks is how many headers stand in a file: of the state's height, of
	// the next one, which tells its root, and of the one that tells who validates then.
	FileBlocks = 3
	// MaxHeadBytes is room for a manifest and the headers, each of up to 64 KiB,
	// as chain/light takes them.
	MaxHeadBytes = MaxManifestBytes + FileBlocks*(64<<10) + 1024
	// maxHeight keeps heights positive as int64.
	maxHeight = 1<<62 - 1
)
