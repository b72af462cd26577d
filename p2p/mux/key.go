package mux

import (
	"crypto/ed25519"
	"fmt"
	"io"

	"github.com/libp2p/go-libp2p/core/crypto"
)

// SeedSize is the length of a transport key's seed.
const SeedSize = ed25519.SeedSize

// NewSeed draws a seed for a transport key. The caller keeps it: the peer id
// that others dial depends on it. It is never the command key of a device.
func NewSeed(random io.Reader) ([]byte, error) {
	seed := make([]byte, SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("draw transport key: %w", err)
	}
	return seed, nil
}

// Key is the Ed25519 transport key of a seed.
func Key(seed []byte) (crypto.PrivKey, error) {
	if len(seed) != SeedSize {
		return nil, fmt.Errorf("transport key seed has %d bytes, not %d", len(seed), SeedSize)
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		return nil, fmt.Errorf("transport key: %w", err)
	}
	return key, nil
}
