package abci

const (
	// Version is the application version in the first headers; it goes up by one
	// with each upgrade, at its height (state.Upgrades.Rules).
	Version = 1
	// MaxBlockBytes bounds a block: some 60 of the longest transactions, or
	// thousands of usual ones, still gossiped within a second.
	MaxBlockBytes = 4 << 20
	// MaxEvidenceBytes bounds the evidence of double signing in a block.
	MaxEvidenceBytes = 64 << 10
	// MaxEvidenceBlocks is the age in blocks up to which evidence counts: two
	// weeks of heartbeats every 10 s, the trusting period of light clients.
	MaxEvidenceBlocks = 14 * 24 * 360
	// maxVerified is how many valid signatures are remembered, 32 bytes each and
	// what the list around them takes: more than the mempool holds.
	maxVerified = 1 << 16
	// maxKeys is how many public keys are kept ready, some 250 bytes each.
	maxKeys = 1 << 13
	// maxDecoded and maxDecodedBytes bound one of the two generations of decoded
	// transactions: a full block and what usually waits behind it. A decoded
	// transaction takes about four times its bytes.
	maxDecoded      = 10_000
	maxDecodedBytes = MaxBlockBytes
	// maxReads and maxReadBytes bound the remembered records: as many as a full
	// block touches, and none of the few long ones.
	maxReads     = 1 << 14
	maxReadBytes = 2 << 10
	// aheadTxs is for how many transactions signatures are verified ahead: enough
	// to keep all processors busy, and all that a proposal can waste after its
	// first refused transaction.
	aheadTxs = 256
	// maxWorkers bounds how many processors verify signatures ahead.
	maxWorkers = 16
	// maxLog bounds the text that a refusal carries back.
	maxLog = 512
)
