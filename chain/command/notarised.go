package command

import (
	"bytes"
	"maps"

	"github.com/hybridos-net/hybridos/chain/codec"
)

// ExtNotarised is the critical extension of a command that must not run unless
// the ledger has sealed it: the value true. Such a command may live as long as
// MaxSealedLife, since its owners need time to approve it, and takes no number
// of a lane, since a seal is for one command and the device remembers the
// command for as long as it lives.
const ExtNotarised = 8

// isTrue is true in the one encoding.
var isTrue = codec.MustMarshal(true)

// Notarise makes the command one that runs only when it is sealed.
func (b *Body) Notarise() {
	ext := maps.Clone(b.Ext) // a copied Body shares its map
	if ext == nil {
		ext = make(map[uint64]codec.Raw)
	}
	ext[ExtNotarised] = isTrue
	b.Ext = ext
}

// Notarised reports whether the command runs only when it is sealed.
func (b *Body) Notarised() bool { return b.Ext[ExtNotarised] != nil }

// MaxLife is how long the command may live, in milliseconds.
func (b *Body) MaxLife() uint64 {
	if b.Notarised() {
		return MaxSealedLife
	}
	return MaxLife
}

func (b *Body) checkNotarised() error {
	if raw, ok := b.Ext[ExtNotarised]; ok && !bytes.Equal(raw, isTrue) {
		return refuse(Malformed, "extension %d is not true", ExtNotarised)
	}
	return nil
}
