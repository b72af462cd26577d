package vault

const (
	// SecretSize is the length of the claim secret in bytes: beyond guessing,
	// short enough for a pairing code.
	SecretSize = 16
	// maxKeyFile is the longest key file that is read.
	maxKeyFile = 256

	// maxKey is the longest key of a record; ours have at most 33 bytes.
	maxKey = 256
	// maxValue is the longest record: a light block of 128 validators or a claim.
	maxValue = 256 << 10
	// maxGroup is the longest run of writes that share a sync.
	maxGroup = 4 << 20
	// growBy is how far the file is filled with zeros ahead.
	growBy = 128 << 10
	// minRewrite is the length under which a file is never rewritten.
	minRewrite = 1 << 20
)
