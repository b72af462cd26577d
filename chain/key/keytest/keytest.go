// Package keytest is signers for tests: a soft P-256 key and a soft WebAuthn
// authenticator that can also make each bad assertion.
//
// It guards nothing: everybody knows the secrets. Tests start at P256 and
// NewPasskey.
//
// What must never change: the same name gives the same key and the same
// signatures, since vectors are made with them.
package keytest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"

	"github.com/hybridos-net/hybridos/chain/key"
)

// P256Key signs as key.P256. It is a key.Signer.
type P256Key struct {
	secret *ecdsa.PrivateKey
}

var _ key.Signer = (*P256Key)(nil)

// P256 gives the test key of a name: its secret is SHA-256 of "hybridos test
// key " and the name.
func P256(name string) *P256Key {
	return P256FromSecret(secretOf(name))
}

func secretOf(name string) []byte {
	h := sha256.Sum256([]byte("hybridos test key " + name))
	return h[:]
}

// P256FromSecret gives the key of 32 secret bytes. It panics if they are none.
func P256FromSecret(secret []byte) *P256Key {
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret)
	if err != nil {
		panic("keytest: " + err.Error())
	}
	return &P256Key{secret: k}
}

// Secret gives the 32 secret bytes.
func (k *P256Key) Secret() []byte {
	b, err := k.secret.Bytes()
	if err != nil {
		panic("keytest: " + err.Error())
	}
	return b
}

// Point gives the compressed public point.
func (k *P256Key) Point() []byte {
	b, err := k.secret.PublicKey.Bytes()
	if err != nil {
		panic("keytest: " + err.Error())
	}
	return append([]byte{2 + b[64]&1}, b[1:33]...)
}

// Public gives the public half.
func (k *P256Key) Public() key.Public { return key.Public{Alg: key.P256, Bytes: k.Point()} }

// Sign signs digest deterministically (RFC 6979 with SHA-256) with low s.
func (k *P256Key) Sign(digest [32]byte) key.Signature {
	der, err := k.secret.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		panic("keytest: " + err.Error())
	}
	var v struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &v); err != nil {
		panic("keytest: " + err.Error())
	}
	out := make(key.Signature, key.SignatureSize)
	v.R.FillBytes(out[:32])
	v.S.FillBytes(out[32:])
	if high(out) {
		return NegateS(out)
	}
	return out
}

// NegateS gives the other form of a P-256 signature r||s: n-s for s.
func NegateS(sig key.Signature) key.Signature {
	out := append(key.Signature{}, sig...)
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(out[32:])
	return out
}

func high(sig key.Signature) bool {
	half := new(big.Int).Rsh(elliptic.P256().Params().N, 1)
	return new(big.Int).SetBytes(sig[32:]).Cmp(half) > 0
}
