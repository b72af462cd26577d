package vault

const (
	// cacheBytes: the agent reads few records and has 32 MB for everything.
	cacheBytes = 1 << 20
	// openFiles: a store of some megabytes never has more tables.
	openFiles = 32
	// SecretSize is the length of the claim secret in bytes: beyond guessing,
	// short enough for a pairing code.
	SecretSize = 16
	// maxKeyFile is the longest key file that is read.
	maxKeyFile = 256
)
