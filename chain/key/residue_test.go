package key

import (
	"crypto/rand"
	"math/big"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

func number(n limbs) *big.Int {
	out := new(big.Int)
	for i := len(n) - 1; i >= 0; i-- {
		out.Or(out.Lsh(out, 64), new(big.Int).SetUint64(n[i]))
	}
	return out
}

func limbsOf(n *big.Int) (out limbs) {
	rest, mask := new(big.Int).Set(n), new(big.Int).SetUint64(^uint64(0))
	for i := range out {
		out[i] = new(big.Int).And(rest, mask).Uint64()
		rest.Rsh(rest, 64)
	}
	return out
}

// TestJacobi_AsMathBig compares with the standard library, on small numbers, on
// such with long runs of zeros and on random ones.
func TestJacobi_AsMathBig(t *testing.T) {
	if number(fieldPrime).Cmp(secp256k1.S256().P) != 0 {
		t.Fatal("another prime")
	}
	check := func(a, n *big.Int) {
		t.Helper()
		if got, want := jacobi(limbsOf(a), limbsOf(n)), big.Jacobi(a, n); got != want {
			t.Fatalf("(%v/%v) is %d, want %d", a, n, got, want)
		}
	}
	for a := range int64(120) {
		for n := int64(1); n < 120; n += 2 {
			check(big.NewInt(a), big.NewInt(n))
		}
	}
	p := number(fieldPrime)
	for shift := range uint(256) {
		a := new(big.Int).Lsh(big.NewInt(1), shift)
		check(a, p)
		check(new(big.Int).Sub(p, a), p)
		check(p, new(big.Int).SetBit(a, 0, 1))
	}
	for range 3000 {
		a, err1 := rand.Int(rand.Reader, p)
		n, err2 := rand.Int(rand.Reader, p)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		check(a, p)
		check(a, n.SetBit(n, 0, 1))
	}
}

// samePoint demands that the test says what reading the point says.
func samePoint(t *testing.T, b []byte) bool {
	t.Helper()
	_, err := parseSecp256k1(b)
	if got := isSecp256k1Point(b); got != (err == nil) {
		t.Fatalf("%x is a point: %v, reading it: %v", b, got, err)
	}
	return err == nil
}

func TestIsSecp256k1Point_AsReading(t *testing.T) {
	points := 0
	for range 2000 {
		b := make([]byte, secp256k1PublicSize)
		_, _ = rand.Read(b)
		b[0] = 2 + b[0]&1
		if samePoint(t, b) {
			points++
		}
	}
	if points < 800 || points > 1200 {
		t.Errorf("%d of 2000 random numbers are coordinates, want about half", points)
	}
	p := number(fieldPrime)
	for d := int64(-40); d < 40; d++ { // around the prime and around zero
		for _, x := range []*big.Int{new(big.Int).Add(p, big.NewInt(d)), big.NewInt(max(d, 0))} {
			samePoint(t, append([]byte{3}, x.FillBytes(make([]byte, 32))...))
		}
	}
	samePoint(t, append([]byte{2}, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)).FillBytes(make([]byte, 32))...))
	k, err := Generate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := k.Public().Bytes
	for _, b := range [][]byte{nil, good[:32], append(good[:33:33], 0), append([]byte{4}, good[1:]...), append([]byte{0}, good[1:]...)} {
		if samePoint(t, b) {
			t.Errorf("%x is taken", b)
		}
	}
}

func FuzzIsSecp256k1Point(f *testing.F) {
	f.Add(append([]byte{2}, make([]byte, 32)...))
	f.Add(append([]byte{3}, number(fieldPrime).Bytes()...))
	f.Fuzz(func(t *testing.T, b []byte) { samePoint(t, b) })
}

func BenchmarkIsSecp256k1Point(b *testing.B) {
	k, err := Generate(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	raw := k.Public().Bytes
	b.Run("test", func(b *testing.B) {
		for b.Loop() {
			isSecp256k1Point(raw)
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			_, _ = parseSecp256k1(raw)
		}
	})
}
