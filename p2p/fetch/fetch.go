// Package fetch asks nodes for light blocks, proofs and the fate of a
// transaction, over the streams /hybridos/fetch/1 and /hybridos/submit/1.
//
// It verifies nothing: a node may lie, and chain/light catches it. It is not a
// cache either. Entry points: NewServer for the node, with a Backend; NewClient
// for everybody else.
//
// What must never change: the integer keys of the messages and the numbers of
// the codes; that one request gets one answer, in order, on its stream; and that
// a submitted transaction is answered only when committed or refused.
package fetch

import (
	"context"
	"errors"

	"github.com/hybridos-net/hybridos/chain/light"
)

// Backend is what a node answers from. Errors that wrap a Code are answered as
// that code, all others as Unavailable. Methods are called concurrently.
type Backend interface {
	// LightBlock is the CometBFT proto LightBlock at the height, 0 the latest.
	LightBlock(ctx context.Context, height int64) ([]byte, error)
	// Prove is the value under key in the state after block height (0 the
	// latest that can be proven) with its proof; an empty Value means absent.
	Prove(ctx context.Context, key []byte, height int64) (Proof, error)
	// Submit hands the transaction in and returns when it is committed or
	// refused, or when ctx ends.
	Submit(ctx context.Context, tx []byte) (Result, error)
}

// Proof is a value with its proof, as the light client takes it; an empty Value
// claims that the key is absent.
type Proof = light.Proof

// Result is the fate of a transaction: Code 0 is accepted, Height the block; a
// refusal before any block has Height 0.
type Result struct {
	Code   uint32
	Log    string
	Height int64
	Hash   []byte
}

// errShape: the answer breaks the rules of its message; the node is dropped.
var errShape = errors.New("answer breaks the rules of its message")
