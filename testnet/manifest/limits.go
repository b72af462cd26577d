package manifest

// Caps of a manifest. A test network runs on one machine: they keep a typing
// error from filling it with processes.
const (
	// MaxBytes is the longest manifest.
	MaxBytes = 64 << 10
	// MaxValidators, MaxFullNodes and MaxDevices bound the processes: a node takes
	// some 60 MB, a device has three processes.
	MaxValidators = 32
	MaxFullNodes  = 32
	MaxDevices    = 64
	// MaxName is the longest name of a network.
	MaxName = 32
)
