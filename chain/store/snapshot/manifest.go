package snapshot

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
)

// Format is the one format of snapshots: the chunks of store.Tree.Export under
// a Manifest. It goes up with any change to either.
const Format = 1

// Hash is a SHA-256.
type Hash [sha256.Size]byte

// Manifest is what a snapshot holds. A peer offers it before the chunks, so that
// each of them can be judged by itself when it arrives.
type Manifest struct {
	// Height is the block after which the state is this.
	Height int64
	// Root is the state's root, as header Height+1 tells it.
	Root Hash
	// Chunks are the hashes of the chunks, in their order.
	Chunks []Hash
}

// wire is the encoded form. Keys are fixed; a change needs another Format.
type wire struct {
	Format uint32 `cbor:"1,keyasint"`
	Height uint64 `cbor:"2,keyasint"`
	Root   Hash   `cbor:"3,keyasint"`
	Chunks []byte `cbor:"4,keyasint"` // the hashes one behind the other
}

// BadManifest: bytes that are no manifest.
var BadManifest = errors.New("no snapshot manifest")

// Encode gives the canonical bytes.
func (m Manifest) Encode() []byte {
	w := wire{Format: Format, Height: uint64(m.Height), Root: m.Root}
	for _, h := range m.Chunks {
		w.Chunks = append(w.Chunks, h[:]...)
	}
	return codec.MustMarshal(w)
}

// Decode reads a manifest, strictly.
func Decode(b []byte) (Manifest, error) {
	var w wire
	if err := codec.Unmarshal(b, &w, MaxManifestBytes); err != nil {
		return Manifest{}, fmt.Errorf("%w: %w", BadManifest, err)
	}
	n := len(w.Chunks) / sha256.Size
	switch {
	case w.Format != Format:
		return Manifest{}, fmt.Errorf("%w: format %d", BadManifest, w.Format)
	case w.Height == 0 || w.Height > maxHeight:
		return Manifest{}, fmt.Errorf("%w: height %d", BadManifest, w.Height)
	case n == 0 || n > MaxChunks || len(w.Chunks)%sha256.Size != 0:
		return Manifest{}, fmt.Errorf("%w: %d bytes of hashes", BadManifest, len(w.Chunks))
	}
	m := Manifest{Height: int64(w.Height), Root: w.Root, Chunks: make([]Hash, n)}
	for i := range m.Chunks {
		m.Chunks[i] = Hash(w.Chunks[i*sha256.Size:])
	}
	return m, nil
}

// ID is the hash by which peers know the snapshot: of the manifest's bytes.
func (m Manifest) ID() Hash { return sha256.Sum256(m.Encode()) }

// Check tells whether a chunk is the one at an index.
func (m Manifest) Check(index uint32, chunk []byte) bool {
	return uint64(index) < uint64(len(m.Chunks)) && sha256.Sum256(chunk) == m.Chunks[index]
}
