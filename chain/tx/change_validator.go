package tx

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"

	"github.com/hybridos-net/hybridos/chain/codec"
)

// ValidatorKey is the Ed25519 key with which a validator signs blocks
// (RFC 8032). It is no key of chain/key: it signs for consensus, never for an
// account.
type ValidatorKey [ed25519.PublicKeySize]byte

// ValidatorAddress names a validator's key as consensus does: the first 20
// bytes of its SHA-256.
type ValidatorAddress [20]byte

// String is the hex form.
func (k ValidatorKey) String() string { return hex.EncodeToString(k[:]) }

// Address is the key's name in consensus.
func (k ValidatorKey) Address() ValidatorAddress {
	h := sha256.Sum256(k[:])
	return ValidatorAddress(h[:20])
}

// Digest is what the key signs to prove that somebody holds it. It is fixed for
// a key and a ledger, so that the operator can make the proof beside the key
// before any proposal is written. Seen twice it gives nothing, since no
// validator's key is ever used again.
func (k ValidatorKey) Digest(chain codec.ChainDigest) [32]byte {
	return codec.Digest(codec.LabelValidator, chain, k[:])
}

// Proves reports whether proof is k's signature over its digest.
func (k ValidatorKey) Proves(chain codec.ChainDigest, proof [ed25519.SignatureSize]byte) bool {
	d := k.Digest(chain)
	return ed25519.Verify(k[:], d[:], proof[:])
}

// String is the hex form.
func (a ValidatorAddress) String() string { return hex.EncodeToString(a[:]) }

// AddValidator lets a node sign blocks.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type AddValidator struct {
	ValidatorName string                      `cbor:"1,keyasint"`
	Key           ValidatorKey                `cbor:"2,keyasint"`
	Proof         [ed25519.SignatureSize]byte `cbor:"3,keyasint"` // over Key.Digest
}

// Name is "add-validator".
func (*AddValidator) Name() string { return "add-validator" }

func (a *AddValidator) validate() error {
	if !validModel(a.ValidatorName) {
		return malformed("a validator's name must be 1 to 64 printable ASCII characters")
	}
	return a.Key.validate()
}

// RemoveValidator takes a validator's power away for good.
//
// Evolution: field 1 is fixed; new ones are optional.
type RemoveValidator struct {
	Key ValidatorKey `cbor:"1,keyasint"`
}

// Name is "remove-validator".
func (*RemoveValidator) Name() string { return "remove-validator" }

func (a *RemoveValidator) validate() error { return a.Key.validate() }

// ReplaceKey gives a validator another consensus key.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type ReplaceKey struct {
	Old   ValidatorKey                `cbor:"1,keyasint"`
	New   ValidatorKey                `cbor:"2,keyasint"`
	Proof [ed25519.SignatureSize]byte `cbor:"3,keyasint"` // over New.Digest
}

// Name is "replace-key".
func (*ReplaceKey) Name() string { return "replace-key" }

func (a *ReplaceKey) validate() error {
	if err := a.Old.validate(); err != nil {
		return err
	}
	if a.Old == a.New {
		return malformed("a key cannot replace itself")
	}
	return a.New.validate()
}

func (k ValidatorKey) validate() error {
	if k == (ValidatorKey{}) {
		return malformed("no validator's key")
	}
	return nil
}
