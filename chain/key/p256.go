package key

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"math/big"
)

// p256Half is n/2 of P-256 (SEC 2 section 2.4.2), rounded down: the greatest s
// that is accepted.
var p256Half = new(big.Int).Rsh(elliptic.P256().Params().N, 1)

// p256PublicSize is the length of a compressed point.
const p256PublicSize = 33

func parseP256(b []byte) (*ecdsa.PublicKey, error) {
	if len(b) != p256PublicSize {
		return nil, &Error{Kind: BadKey, Detail: fmt.Sprintf("%d bytes, want %d", len(b), p256PublicSize)}
	}
	x, y := elliptic.UnmarshalCompressed(elliptic.P256(), b)
	if x == nil {
		return nil, &Error{Kind: BadKey, Detail: "not a compressed point of P-256"}
	}
	return &ecdsa.PublicKey{Curve: elliptic.P256(), X: x, Y: y}, nil
}

// verifyP256 adds the low-S rule to the standard library's verification, which
// accepts both s and n-s, and checks the ranges itself so that the kinds do not
// depend on the library.
func verifyP256(pub []byte, digest [32]byte, sig Signature) error {
	r, s, err := parseP256Signature(sig)
	if err != nil {
		return err
	}
	p, err := parseP256(pub)
	if err != nil {
		return err
	}
	if !ecdsa.Verify(p, digest[:], r, s) {
		return &Error{Kind: BadSignature, Detail: "does not match key and digest"}
	}
	return nil
}

// parseP256Signature reads r||s in its one form.
func parseP256Signature(sig []byte) (r, s *big.Int, err error) {
	if len(sig) != SignatureSize {
		return nil, nil, &Error{Kind: BadSignature, Detail: fmt.Sprintf("%d bytes, want %d", len(sig), SignatureSize)}
	}
	n := elliptic.P256().Params().N
	r, s = new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	if r.Cmp(n) >= 0 || s.Cmp(n) >= 0 {
		return nil, nil, &Error{Kind: BadSignature, Detail: "r or s not below the group order"}
	}
	if r.Sign() == 0 || s.Sign() == 0 {
		return nil, nil, &Error{Kind: BadSignature, Detail: "r or s is zero"}
	}
	if s.Cmp(p256Half) > 0 {
		return nil, nil, &Error{Kind: HighS, Detail: "s is in the upper half of the group order"}
	}
	return r, s, nil
}
