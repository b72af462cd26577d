package key

import (
	"encoding/binary"
	"math/bits"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// isSecp256k1Point reports whether b is a compressed point: whether x³+7 is a
// square modulo the field's prime. That it has a root can be told for a part of
// what computing the root costs, and a validator asks it of each key in each
// transaction. Where it says no, reading the point says why. It is for public
// keys only: its time depends on them.
func isSecp256k1Point(b []byte) bool {
	if len(b) != secp256k1PublicSize || b[0] != secp256k1.PubKeyFormatCompressedEven && b[0] != secp256k1.PubKeyFormatCompressedOdd {
		return false
	}
	var x, y2 secp256k1.FieldVal
	if x.SetByteSlice(b[1:]) { // not below the prime
		return false
	}
	raw := y2.SquareVal(&x).Mul(&x).AddInt(7).Normalize().Bytes()
	var n limbs
	for i := range n {
		n[i] = binary.BigEndian.Uint64(raw[24-8*i:])
	}
	return jacobi(n, fieldPrime) == 1
}

// limbs is a number of 256 bits, the lowest limb first.
type limbs [4]uint64

// fieldPrime is 2^256 - 2^32 - 977 (SEC 2 section 2.4.1).
var fieldPrime = limbs{0xfffffffefffffc2f, ^uint64(0), ^uint64(0), ^uint64(0)}

// jacobi is the Jacobi symbol (a/n) for odd n, which for a prime n tells whether
// a is a square modulo n (1), no square (-1) or zero. It is the binary algorithm
// (Cohen, A Course in Computational Algebraic Number Theory, algorithm 1.4.12).
func jacobi(a, n limbs) int {
	sign := 1
	for a != (limbs{}) {
		for a[0] == 0 { // 64 halvings, of which pairs change nothing
			a = limbs{a[1], a[2], a[3]}
		}
		if z := uint(bits.TrailingZeros64(a[0])); z > 0 {
			a = a.halved(z)
			if eighth := n[0] & 7; z&1 == 1 && (eighth == 3 || eighth == 5) { // (2/n)
				sign = -sign
			}
		}
		rest, under := a.minus(n)
		if under == 1 { // a < n: by reciprocity (n/a)
			if a[0]&n[0]&3 == 3 {
				sign = -sign
			}
			a, n = n, a
			rest, _ = a.minus(n)
		}
		a = rest
	}
	if n != (limbs{1}) {
		return 0
	}
	return sign
}

// halved is a / 2^z for 0 < z < 64.
func (a limbs) halved(z uint) limbs {
	return limbs{a[0]>>z | a[1]<<(64-z), a[1]>>z | a[2]<<(64-z), a[2]>>z | a[3]<<(64-z), a[3] >> z}
}

// minus is a - b modulo 2^256; under is 1 if a < b.
func (a limbs) minus(b limbs) (d limbs, under uint64) {
	d[0], under = bits.Sub64(a[0], b[0], 0)
	d[1], under = bits.Sub64(a[1], b[1], under)
	d[2], under = bits.Sub64(a[2], b[2], under)
	d[3], under = bits.Sub64(a[3], b[3], under)
	return d, under
}
