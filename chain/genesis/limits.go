package genesis

import "github.com/hybridos-net/hybridos/chain/state"

// Caps of the document.
const (
	// MaxBytes is the longest document: MaxVendors of some 2 KiB.
	MaxBytes = 4 << 20
	// MaxValidators is state.MaxValidators.
	MaxValidators = state.MaxValidators
	// MaxVendors is what a genesis ceremony can review by eye.
	MaxVendors = 1000

	validatorKeySize = 32
	maxVendorKeys    = 16
	maxName          = 64
)
