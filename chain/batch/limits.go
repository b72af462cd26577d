package batch

const (
	// MaxPath is the longest path. A claim with it has less than 1 KiB more.
	MaxPath = 24
	// Max is how many devices a batch may have: 16.7 million, whose tree a
	// vendor's tool can still hold in a gigabyte.
	Max = 1 << MaxPath
)
