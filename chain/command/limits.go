package command

import "github.com/hybridos-net/hybridos/chain/key"

// Caps of the decoders.
const (
	// MaxBytes is the longest command without evidence (design section 6).
	MaxBytes = 4 << 10
	// MaxWithEvidence is the longest command with evidence (design section 6).
	MaxWithEvidence = 64 << 10
	// MaxSigs bounds the signature checks that one message can cause.
	MaxSigs = 8
	// MaxReceipt is the longest receipt; results are capped at MaxResult.
	MaxReceipt = 8 << 10
	// MaxResult is the longest result that fits a receipt with its other fields.
	MaxResult = 4 << 10
	// MaxLife is the longest life of a command to an interactive method, in
	// milliseconds (design section 8).
	MaxLife = 60_000
	// MaxSealedLife is the longest life of a notarised command, in milliseconds:
	// a day for its owners to approve it.
	MaxSealedLife = 24 * 60 * MaxLife

	// maxBody leaves room in the envelope for one signature of any algorithm,
	// key id and heads included, and so for MaxSigs of 64 bytes (90 with theirs)
	// too. Several passkeys need a shorter body; Command.Fits tells.
	maxBody = MaxBytes - (key.MaxSignature + 28) - 16
)
