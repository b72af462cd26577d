package keystore

// Caps of the file format. They bound what a hostile file can cost before the
// passphrase has been checked.
const (
	// MaxFile is the longest key file: MaxKeys of some 100 bytes, twice, and the
	// rest of the header.
	MaxFile = 16 << 10
	// MaxKeys is how many keys one file may hold: the present one and those that
	// were rotated out or are on their way in.
	MaxKeys = 32
	// MaxPassphrase is the longest passphrase in bytes.
	MaxPassphrase = 1024

	// The floor of the cost is the second recommended option of RFC 9106 section
	// 4; a file below it was not made by this wallet. The cap keeps a hostile
	// file from eating the machine's memory or hours of its time.
	minTime, maxTime       = 3, 16
	minMemory, maxMemory   = 64 << 10, 1 << 20 // KiB: 64 MiB and 1 GiB
	minThreads, maxThreads = 1, 16
)
