package tx

// Caps of the decoder.
const (
	// MaxBytes is the longest envelope (design section 6).
	MaxBytes = 64 << 10
	// MaxSigs bounds signature checks per transaction: two accounts of MaxKeys
	// each, and a device.
	MaxSigs = 2*MaxKeys + 1
	// MaxKeys is how many keys an account or vendor may have.
	MaxKeys = 16
	// MaxTargets is how many devices one grant may name.
	MaxTargets = 32
	// MaxMethods is how many methods one target may name.
	MaxMethods = 32
	// MaxDelay is the longest time, in seconds, that guardians may be made to
	// wait: 90 days. A longer one would lock an owner out rather than warn him.
	MaxDelay = 90 * 24 * 60 * 60
	// MaxName is the longest endpoint, method or model name.
	MaxName = 64
	// MinQuotaBase lets every account do a claim and a few things more in a
	// period.
	MinQuotaBase = 4
	// MaxQuotaUnits bounds what an account or a device may be allowed.
	MaxQuotaUnits = 1_000_000
	// MinQuotaPeriod and MaxQuotaPeriod bound the period of quotas, in seconds: a
	// minute, and 30 days.
	MinQuotaPeriod = 60
	MaxQuotaPeriod = 30 * 24 * 60 * 60
	// MaxHeight is the highest height at which an upgrade may be.
	MaxHeight = 1 << 53
	// MaxPlatforms is for how many platforms an upgrade may name a program.
	MaxPlatforms = 8
	// MaxURL is the longest address of an upgrade.
	MaxURL = 256

	// proofSize is the length of a governor's proof.
	proofSize = 64

	// maxBody leaves room in the envelope for MaxSigs signatures of 64 bytes (92
	// with role, key id and heads). Longer ones stand under RotateKeys and
	// StartRecovery only, as proofs of MaxKeys keys, and its body with as many keys of the longest form
	// is short enough for those too (TestNew_LongestRotation).
	maxBody = MaxBytes - MaxSigs*92 - 16
)
