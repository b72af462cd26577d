// Package codec is the one encoding of everything that HybridOS signs or
// stores: CBOR in RFC 8949 core deterministic form (section 4.2.1) with integer
// keys, no floats, no tags and no indefinite lengths.
//
// It is not a general CBOR library and it never touches JSON. Callers use
// Marshal and Unmarshal for bytes, and Digest for what a signature covers.
//
// What must never change: the byte form of a value, and the layout under
// Digest. Both are what keys have signed; changing either orphans every right
// that was ever given.
package codec

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Raw is an already encoded CBOR item, kept byte for byte.
type Raw = cbor.RawMessage

var (
	encMode = mustEnc()
	decMode = mustDec()
)

func mustEnc() cbor.EncMode {
	o := cbor.CoreDetEncOptions()
	o.IndefLength = cbor.IndefLengthForbidden
	o.TagsMd = cbor.TagsForbidden
	o.NilContainers = cbor.NilContainerAsEmpty
	m, err := o.EncMode()
	if err != nil {
		panic("codec: encoder options: " + err.Error())
	}
	return m
}

func mustDec() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		UTF8:              cbor.UTF8RejectInvalid,
		MaxNestedLevels:   MaxDepth,
		MaxArrayElements:  MaxItems,
		MaxMapPairs:       MaxItems,
		NaN:               cbor.NaNDecodeForbidden,
		Inf:               cbor.InfDecodeForbidden,
	}.DecMode()
	if err != nil {
		panic("codec: decoder options: " + err.Error())
	}
	return m
}

// Marshal gives the one canonical encoding of v. It fails only on types that
// have no place in a signed message (floats, channels, functions).
func Marshal(v any) ([]byte, error) {
	b, err := encMode.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b, nil
}

// MustMarshal is Marshal for values of our own types, whose encoding cannot
// fail.
func MustMarshal(v any) []byte {
	b, err := Marshal(v)
	if err != nil {
		panic("codec: " + err.Error())
	}
	return b
}

// Unmarshal decodes b into v and refuses everything that is not the canonical
// encoding of v: b longer than limit, unknown or duplicate keys, trailing
// bytes, nesting over MaxDepth, and any form that re-encodes to other bytes
// (the library accepts non-minimal integers and wrong lengths of byte arrays,
// so comparing is the only safe check). What a Raw field holds must be
// canonical too. On error v must not be used.
func Unmarshal(b []byte, v any, limit int) error {
	if len(b) > limit {
		return &Error{Kind: TooLarge, Detail: fmt.Sprintf("%d bytes, at most %d", len(b), limit)}
	}
	if onePass(b, v) {
		return nil
	}
	return thorough(b, v)
}

// thorough is Unmarshal by the library: decode, encode again, compare.
func thorough(b []byte, v any) error {
	if err := decMode.Unmarshal(b, v); err != nil {
		return &Error{Kind: Malformed, Detail: err.Error()}
	}
	again, err := encMode.Marshal(v)
	if err != nil {
		return &Error{Kind: Malformed, Detail: err.Error()}
	}
	if !bytes.Equal(again, b) {
		return &Error{Kind: NotCanonical, Detail: "re-encoding gives other bytes"}
	}
	return checkCanonical(b)
}

// Label separates the domains of signatures and hashes, so that bytes signed
// as one kind of message never verify as another.
type Label string

// The labels of every digest of the system.
const (
	LabelTx       Label = "hybridos/tx/v1"
	LabelCommand  Label = "hybridos/command/v1"
	LabelReceipt  Label = "hybridos/receipt/v1"
	LabelAttest   Label = "hybridos/attest/v1"
	LabelPair     Label = "hybridos/pair/v1"
	LabelLogin    Label = "hybridos/login/v1"
	LabelAccount  Label = "hybridos/account/v1"
	LabelDevice   Label = "hybridos/device/v1"
	LabelKey      Label = "hybridos/key/v1"
	LabelGenesis  Label = "hybridos/genesis/v1"
	LabelSecret   Label = "hybridos/claim-secret/v1"
	LabelReceipts Label = "hybridos/receipt-chain/v1"
	LabelPresence Label = "hybridos/presence/v1"
	// LabelValidator is of the proof that somebody holds a consensus key.
	LabelValidator Label = "hybridos/validator/v1"
	// LabelGrant is of the digest that stands for a private grant.
	LabelGrant Label = "hybridos/grant/v1"
	// LabelGovernor is of the proof that somebody holds a governor's key.
	LabelGovernor Label = "hybridos/governor/v1"
	// LabelAttests is of the hash that joins a device's statement to the one
	// before it in its stream.
	LabelAttests Label = "hybridos/attest-chain/v1"
	// LabelVouch is of an owner's word for a header.
	LabelVouch Label = "hybridos/vouch/v1"
)

// ChainDigest names one ledger: SHA-256(chain id || genesis hash). Everything
// signed for one ledger is void on every other.
type ChainDigest [sha256.Size]byte

// NewChainDigest computes the digest of a ledger from its id and the hash of
// its genesis document.
func NewChainDigest(chainID string, genesisHash [sha256.Size]byte) ChainDigest {
	return sha256.Sum256(append([]byte(chainID), genesisHash[:]...))
}

// Digest is what a signature covers, and the id of the message:
// SHA-256(label || 0x00 || chain digest || body).
func Digest(label Label, chain ChainDigest, body []byte) (out [sha256.Size]byte) {
	h := sha256.New()
	h.Write([]byte(label))
	h.Write([]byte{0})
	h.Write(chain[:])
	h.Write(body)
	h.Sum(out[:0])
	return out
}

// Hash is Digest for values that belong to no ledger, such as the ids of keys:
// SHA-256(label || 0x00 || body).
func Hash(label Label, body []byte) (out [sha256.Size]byte) {
	h := sha256.New()
	h.Write([]byte(label))
	h.Write([]byte{0})
	h.Write(body)
	h.Sum(out[:0])
	return out
}
