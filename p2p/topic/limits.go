package topic

// Caps of what travels under each name, in bytes. Both ends enforce them.
const (
	// MaxCommand is a command with its evidence (design: 64 KiB).
	MaxCommand = 64 << 10
	// MaxReceipt is a device's answer; a receipt is a few hundred bytes, but a
	// read may carry a result as large as a command.
	MaxReceipt = 64 << 10
	// MaxTx is one signed transaction.
	MaxTx = 64 << 10
	// MaxKey is a state key; the longest in use is below 64 bytes.
	MaxKey = 256
	// MaxValue is a record in state; it may keep a whole signed transaction
	// beside its own fields.
	MaxValue = 96 << 10
	// MaxProof is an ics23 proof of one key; an absence proof holds two whole
	// neighbours and two paths.
	MaxProof = 256 << 10
	// MaxLightBlock is a header, its commit and the validator set: about 300
	// bytes per validator, room for over a thousand.
	MaxLightBlock = 512 << 10
	// MaxCheckpoint is a gossiped signed header; it carries the same as a light
	// block, but the mesh multiplies it, so the cap is tighter.
	MaxCheckpoint = 128 << 10
	// MaxEvent is one sealed event on a shard.
	MaxEvent = 16 << 10
	// MaxPresence is a device's statement of where it is: about 250 bytes.
	MaxPresence = 512
)
