package mqttbridge

import "time"

// Defaults of Config.
const (
	// DefaultCommandTimeout bounds one command, from signing to receipt.
	DefaultCommandTimeout = 15 * time.Second
	// DefaultCommandMaxAge is how long a command may wait behind others: a door
	// that opens a minute after the button was pressed opens for somebody else.
	DefaultCommandMaxAge = 5 * time.Second
	// DefaultPollInterval is the time between two reads of a device's state.
	DefaultPollInterval = 30 * time.Second
)

const (
	// maxQueue caps the commands that wait for one device.
	maxQueue = 8
	// maxDevices caps the devices of one bridge.
	maxDevices = 1024
	// memoryWindow is how long a packet is remembered, to tell a redelivery.
	memoryWindow = 2 * time.Minute
	// maxMemory caps how many packets are remembered.
	maxMemory = 8192
)
