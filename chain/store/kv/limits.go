package kv

import "time"

const (
	// DefaultCacheBytes is the block cache. Small, because a validator opens
	// five stores and the device agent has 32 MB for everything.
	DefaultCacheBytes = 4 << 20
	// DefaultMemTableBytes is the size of one memtable; two may exist at once.
	DefaultMemTableBytes = 1 << 20
	// MinMemTableBytes is what pebble needs to hold a batch beside its index.
	MinMemTableBytes = 256 << 10
	// DefaultOpenFiles bounds the table files held open.
	DefaultOpenFiles = 128
	// openGrace is how long a store in which a fault was found may still take to
	// open: it may not hang on the fault.
	openGrace = 2 * time.Second
	// MaxKeyBytes refuses keys that would make an index block grow without
	// bound; CometBFT's longest keys (transaction index) stay far below it.
	MaxKeyBytes = 32 << 10
	// MaxLayoutName bounds the name in a layout record.
	MaxLayoutName = 64
	// bloomBits per key: one false positive in a hundred point reads.
	bloomBits = 10
)
