package key_test

import (
	"crypto/rand"
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/key/keytest"
)

// A Checker says what Public.Verify says, for every algorithm and every kind of
// bad signature, and does not look at the caller's bytes again.
func TestChecker_AsVerify(t *testing.T) {
	digest := [32]byte{1, 2, 3}
	secp, err := key.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]key.Signer{"secp256k1": secp, "p256": keytest.P256("checker"), "passkey": keytest.Phone("checker")} {
		pub := k.Public()
		c, err := pub.Checker()
		if err != nil {
			t.Fatal(err)
		}
		good := k.Sign(digest)
		flipped := append(key.Signature(nil), good...)
		flipped[len(flipped)-1] ^= 1
		zero := make(key.Signature, len(good))
		for _, sig := range []key.Signature{good, flipped, zero, nil, good[:len(good)-1]} {
			for _, d := range [][32]byte{digest, {9}} {
				want, got := pub.Verify(d, sig), c.Verify(d, sig)
				var a, b *key.Error
				if (want == nil) != (got == nil) || errors.As(want, &a) && (!errors.As(got, &b) || a.Kind != b.Kind) {
					t.Errorf("%s: %v, want %v", name, got, want)
				}
			}
		}
		clear(pub.Bytes)
		if err := c.Verify(digest, good); err != nil {
			t.Errorf("%s: after the caller's key was wiped: %v", name, err)
		}
	}
}

func TestChecker_BadKeys(t *testing.T) {
	for _, pub := range []key.Public{{}, {Alg: key.Secp256k1}, {Alg: key.Secp256k1, Bytes: make([]byte, 33)}, {Alg: key.P256, Bytes: make([]byte, 33)}, {Alg: 99, Bytes: []byte{1}}} {
		_, got := pub.Checker()
		var a, b *key.Error
		if want := pub.Validate(); !errors.As(want, &a) || !errors.As(got, &b) || a.Kind != b.Kind {
			t.Errorf("%v: %v, want %v", pub.Alg, got, want)
		}
	}
}
