package genesis

// Caps of the document.
const (
	// MaxBytes is the longest document: MaxVendors of some 2 KiB.
	MaxBytes = 4 << 20
	// MaxValidators bounds commit size; commits carry a signature of each.
	MaxValidators = 128
	// MaxVendors is what a genesis ceremony can review by eye.
	MaxVendors = 1000

	validatorKeySize = 32
	maxVendorKeys    = 16
	maxName          = 64
)
