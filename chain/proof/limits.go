package proof

const (
	// RootBytes is the length of a root: SHA-256.
	RootBytes = 32
	// MaxKeyBytes bounds keys of the tree; our longest is a prefix and three ids.
	MaxKeyBytes = 256
	// MaxValueBytes bounds values of the tree: a record that keeps a whole
	// signed transaction (64 KiB) beside its own fields.
	MaxValueBytes = 96 << 10
	// MaxDepth bounds the path. The tree is balanced, so 64 steps are enough
	// for 2^44 records.
	MaxDepth = 64
	// MaxBytes bounds an encoded proof: an absence proof holds two whole
	// neighbours (two values) and two paths of at most about 96 bytes a step.
	MaxBytes = 2*MaxValueBytes + 2*MaxDepth*96 + 4<<10
)
