package home

// Caps of the files. They bound memory when a file is broken or hostile.
const (
	// MaxFile is the longest JSON file: MaxDevices of some 2 KiB.
	MaxFile = 4 << 20
	// MaxDevices is how many devices one wallet remembers.
	MaxDevices = 1024
	// MaxGrants is how many grants, given and received each, it remembers.
	MaxGrants = 4096
	// MaxPhones is how many phones' labels it remembers.
	MaxPhones = 256
	// MaxNodes is how many nodes it may ask.
	MaxNodes = 32
	// MaxAddrs is how many addresses one device may have.
	MaxAddrs = 8
	// MaxName is the longest name of a device or a grant.
	MaxName = 32
	// MaxInvite is the longest invitation that is kept.
	MaxInvite = 128 << 10

	maxAddr = 512     // one multiaddress
	maxHead = 1 << 20 // a header with its commit and validators
)
