package light

import "github.com/hybridos-net/hybridos/chain/genesis"

// Caps of the verifier.
const (
	// MaxBlockBytes is the longest light block: MaxValidators with some 300
	// bytes each in set and commit, and a header.
	MaxBlockBytes = 64 << 10
	// MaxValidators bounds the signature checks that one header can cause.
	MaxValidators = genesis.MaxValidators

	// MaxEvidence is the longest evidence: with a command of 4 KiB it makes 64 KiB
	// (design section 6).
	MaxEvidence = 60 << 10
	// MaxSteps bounds the headers of evidence, and so the signatures that it can
	// cause to be checked.
	MaxSteps = 32
	// MaxProofs bounds the proofs of evidence.
	MaxProofs = 64

	// evidenceRoom is kept for heads and a vouch, itemRoom for the heads of one
	// header or proof.
	evidenceRoom = 3 << 10
	itemRoom     = 16

	// maxPower keeps every sum below 2^63: 3 * MaxValidators * maxPower.
	maxPower = 1 << 40
	// maxAverage bounds the bytes that are kept for a head: this many for each
	// record. A record is some hundred bytes; strangers could bring long ones.
	maxAverage = 4 << 10
	// maxBisection is how many headers may wait to be reached; 2^40 heights.
	maxBisection = 40
)
