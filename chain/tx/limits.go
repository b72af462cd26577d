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
	// MaxWindows is how many windows a week a grant may have: two on each day, or
	// one that goes over midnight on each.
	MaxWindows = 14
	// MaxUses is the greatest number of uses that a grant may count.
	MaxUses = 1_000_000
	// MaxRate is the greatest count of a rate: a device keeps the time of each of
	// these commands on its disk.
	MaxRate = 64
	// MaxPeriod is the longest period of a rate, in seconds: 31 days.
	MaxPeriod = 31 * 24 * 60 * 60
	// MaxDepth is how often a grant may be given on, one after the other: a device
	// checks a record and a signature for each.
	MaxDepth = 4
	// MaxPrivate is the longest body of a private grant: it travels within a
	// command.
	MaxPrivate = 2 << 10
	// MaxDelay is the longest time, in seconds, that guardians may be made to
	// wait: 90 days. A longer one would lock an owner out rather than warn him.
	MaxDelay = 90 * 24 * 60 * 60
	// MaxName is the longest endpoint, method or model name.
	MaxName = 64
	// MaxRules is how many methods a policy may name: more than any device has.
	MaxRules = 64
	// MaxAddrs is how many addresses a device may have, as in a pairing code.
	MaxAddrs = 8
	// MaxAddr is the longest address: a host name of 100 and two peer ids.
	MaxAddr = 256
	// MaxMemberLine is the longest line of a proof that a device is in a batch:
	// MaxPath hashes and the fields around them in base64, and an id.
	MaxMemberLine = 2048

	minutesOfDay = 24 * 60
	// MaxArtefact is the largest file of a release, in bytes: 16 GiB, what a
	// device may be asked to store.
	MaxArtefact = 16 << 30
	// MaxURLs is how many addresses a release may name, and MaxURL how long one
	// may be: they are hints, and the record stays small.
	MaxURLs = 4
	MaxURL  = 256
	// MaxPermissions is how many endpoints an app may call.
	MaxPermissions = 32
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

	// proofSize is the length of a governor's proof.
	proofSize = 64

	// maxBody leaves room in the envelope for MaxSigs signatures of 64 bytes (92
	// with role, key id and heads). Longer ones stand under RotateKeys and
	// StartRecovery only, as proofs of MaxKeys keys, and its body with as many keys of the longest form
	// is short enough for those too (TestNew_LongestRotation).
	maxBody = MaxBytes - MaxSigs*92 - 16
)
