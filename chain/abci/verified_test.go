package abci

import (
	"crypto/rand"
	"errors"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
)

func TestVerified_HitsOnlyWhatWasVerified(t *testing.T) {
	v, err := newVerified()
	if err != nil {
		t.Fatal(err)
	}
	k, err := key.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := key.Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := [32]byte{1}
	sig := k.Sign(digest)
	for range 2 {
		if err := v.check(k.Public(), digest, sig); err != nil {
			t.Fatal(err)
		}
	}
	if v.hits.Len() != 1 {
		t.Fatalf("%d entries after one signature", v.hits.Len())
	}
	forged := append(key.Signature(nil), sig...)
	forged[40] ^= 1
	for name, c := range map[string]struct {
		k      key.Public
		digest [32]byte
		sig    key.Signature
	}{
		"another key":       {other.Public(), digest, sig},
		"another digest":    {k.Public(), [32]byte{2}, sig},
		"another signature": {k.Public(), digest, forged},
		"no signature":      {k.Public(), digest, nil},
	} {
		for range 2 {
			if err := v.check(c.k, c.digest, c.sig); !errors.Is(err, key.BadSignature) {
				t.Errorf("%s: got %v, want bad_signature", name, err)
			}
		}
	}
	if v.hits.Len() != 1 {
		t.Fatalf("%d entries: a failure was remembered", v.hits.Len())
	}
}

func BenchmarkVerified(b *testing.B) {
	v, err := newVerified()
	if err != nil {
		b.Fatal(err)
	}
	k, err := key.Generate(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	digest := [32]byte{1}
	sig := k.Sign(digest)
	for b.Loop() {
		if err := v.check(k.Public(), digest, sig); err != nil {
			b.Fatal(err)
		}
	}
}
