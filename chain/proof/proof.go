// Package proof checks that a key has a value, or is absent, in the state tree
// that a block header commits to.
//
// It neither makes proofs nor reads a tree (chain/store does), and it does not
// know whether a root is to be trusted (chain/light decides that): it is pure
// and small enough for the device. Callers start at Read, which takes the value
// out of the proof, or at Verify and VerifyAbsent.
//
// What must never change: only single ics23 existence and non-existence proofs
// under the iavl specification are accepted, in their one canonical encoding;
// an existence proof never has an empty value.
package proof

import (
	"bytes"
	"fmt"

	"github.com/cosmos/ics23/go"
)

// Verify checks that the tree with this root holds value under key.
func Verify(root, key, value, proof []byte) error {
	if len(value) == 0 || len(value) > MaxValueBytes {
		return refuse(BadInput, "value has %d bytes, not 1 to %d", len(value), MaxValueBytes)
	}
	found, err := Read(root, key, proof)
	switch {
	case err != nil:
		return err
	case found == nil:
		return refuse(Absent, "the proof shows that the key is absent")
	case !bytes.Equal(found, value):
		return refuse(WrongValue, "the proof shows another value")
	}
	return nil
}

// VerifyAbsent checks that the tree with this root does not hold key.
func VerifyAbsent(root, key, proof []byte) error {
	found, err := Read(root, key, proof)
	if err == nil && found != nil {
		return refuse(Present, "the proof shows that the key has a value")
	}
	return err
}

// Read checks a proof of either sort and returns what it proves: the value
// under key, or nil if the key is absent. The value shares no memory with proof.
func Read(root, key, proof []byte) ([]byte, error) {
	if len(root) != RootBytes {
		return nil, refuse(BadInput, "root has %d bytes, not %d", len(root), RootBytes)
	}
	if len(key) == 0 || len(key) > MaxKeyBytes {
		return nil, refuse(BadInput, "key has %d bytes, not 1 to %d", len(key), MaxKeyBytes)
	}
	decoded, err := decode(proof)
	if err != nil {
		return nil, err
	}
	if exist := decoded.GetExist(); exist != nil {
		return readExist(root, key, decoded)
	}
	return nil, readAbsent(root, key, decoded)
}

func readExist(root, key []byte, decoded *ics23.CommitmentProof) ([]byte, error) {
	exist := decoded.GetExist()
	if !bytes.Equal(exist.Key, key) {
		return nil, refuse(WrongKey, "the proof is of another key")
	}
	if err := checkExist(exist); err != nil {
		return nil, err
	}
	if !ics23.VerifyMembership(ics23.IavlSpec, root, decoded, key, exist.Value) {
		return nil, refuse(WrongRoot, "the proof does not lead to this root")
	}
	return exist.Value, nil
}

func readAbsent(root, key []byte, decoded *ics23.CommitmentProof) error {
	absent := decoded.GetNonexist()
	if !bytes.Equal(absent.Key, key) {
		return refuse(WrongKey, "the proof is of another key")
	}
	if absent.Left == nil && absent.Right == nil {
		return refuse(Malformed, "the proof has no neighbour")
	}
	for _, neighbour := range []*ics23.ExistenceProof{absent.Left, absent.Right} {
		if neighbour == nil {
			continue
		}
		if err := checkExist(neighbour); err != nil {
			return err
		}
	}
	// ics23 walks two neighbours' paths to their fork without looking at the
	// length; paths that never fork would run off the end.
	if absent.Left != nil && absent.Right != nil && !forks(absent.Left.Path, absent.Right.Path) {
		return refuse(Malformed, "the neighbours' paths do not fork")
	}
	if !ics23.VerifyNonMembership(ics23.IavlSpec, root, decoded, key) {
		return refuse(WrongRoot, "the proof does not lead to this root or the neighbours do not enclose the key")
	}
	return nil
}

// decode parses the one canonical encoding of a single proof. Batches and
// compressed proofs are refused: nobody here makes them, and decompression
// follows indexes out of the message.
func decode(proof []byte) (*ics23.CommitmentProof, error) {
	if len(proof) == 0 || len(proof) > MaxBytes {
		return nil, refuse(Oversized, "proof has %d bytes, not 1 to %d", len(proof), MaxBytes)
	}
	decoded := new(ics23.CommitmentProof)
	if err := decoded.Unmarshal(proof); err != nil {
		return nil, refuse(Malformed, "%v", err)
	}
	if decoded.GetExist() == nil && decoded.GetNonexist() == nil {
		return nil, refuse(Unsupported, "neither an existence nor a non-existence proof")
	}
	again, err := decoded.Marshal()
	if err != nil || !bytes.Equal(again, proof) {
		return nil, refuse(Malformed, "not the canonical encoding")
	}
	return decoded, nil
}

// checkExist applies the caps and the specification before anything is hashed.
func checkExist(exist *ics23.ExistenceProof) error {
	switch {
	case len(exist.Key) == 0 || len(exist.Key) > MaxKeyBytes:
		return refuse(Malformed, "a key of %d bytes", len(exist.Key))
	case len(exist.Value) == 0 || len(exist.Value) > MaxValueBytes:
		return refuse(Malformed, "a value of %d bytes", len(exist.Value))
	case len(exist.Path) > MaxDepth:
		return refuse(Oversized, "a path of %d steps, over %d", len(exist.Path), MaxDepth)
	}
	if err := exist.CheckAgainstSpec(ics23.IavlSpec); err != nil {
		return refuse(Unsupported, "not an iavl proof: %v", err)
	}
	return nil
}

// forks tells whether two paths, both from leaf to root, part before one ends.
func forks(left, right []*ics23.InnerOp) bool {
	for i := 1; i <= min(len(left), len(right)); i++ {
		l, r := left[len(left)-i], right[len(right)-i]
		if !bytes.Equal(l.Prefix, r.Prefix) || !bytes.Equal(l.Suffix, r.Suffix) {
			return true
		}
	}
	return false
}

// ErrorKind names why a proof was refused; comparable with errors.Is.
type ErrorKind string

// Error makes a kind usable as a target of errors.Is.
func (k ErrorKind) Error() string { return string(k) }

// The kinds of refusal.
const (
	// BadInput: root, key or value that no proof can be about; the caller's
	// mistake, not the prover's.
	BadInput ErrorKind = "bad_input"
	// Oversized: the proof is empty, too long or too deep.
	Oversized ErrorKind = "oversized"
	// Malformed: not the canonical encoding of a proof.
	Malformed ErrorKind = "malformed"
	// Unsupported: a proof of another sort or of another sort of tree.
	Unsupported ErrorKind = "unsupported"
	// WrongKey: a proof about another key than asked.
	WrongKey ErrorKind = "wrong_key"
	// WrongRoot: the proof does not lead to this root.
	WrongRoot ErrorKind = "wrong_root"
	// WrongValue: a sound proof of another value.
	WrongValue ErrorKind = "wrong_value"
	// Absent: a sound proof that the key is absent, where a value was expected.
	Absent ErrorKind = "absent"
	// Present: a sound proof that the key has a value, where none was expected.
	Present ErrorKind = "present"
)

// Kinds lists every kind, for the tests of those who map them.
var Kinds = []ErrorKind{BadInput, Oversized, Malformed, Unsupported, WrongKey, WrongRoot, WrongValue, Absent, Present}

// Error is a refusal with its kind and detail for people.
type Error struct {
	// Kind is the class of the refusal.
	Kind ErrorKind
	// Detail is for people.
	Detail string
}

// Error gives kind and detail.
func (e *Error) Error() string { return "proof: " + string(e.Kind) + ": " + e.Detail }

// Unwrap lets errors.Is find the kind.
func (e *Error) Unwrap() error { return e.Kind }

func refuse(kind ErrorKind, format string, args ...any) error {
	return &Error{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}
