package account

const (
	// maxFile caps the accounts file before it is parsed.
	maxFile = 4 << 20
	// maxAccounts caps the accounts of one bridge.
	maxAccounts = 4096
	// maxName caps a user name.
	maxName = 64
	// maxDevices caps the devices of one account.
	maxDevices = 256
	// maxDeviceID caps the text of one device id.
	maxDeviceID = 128

	// minPassword refuses passwords that fall to any list.
	minPassword = 8
	// maxPassword bounds what is hashed for a stranger.
	maxPassword = 1024

	// maxHashText caps a PHC string.
	maxHashText = 256
	// A hash may ask for memory and time within these bounds only: a file must
	// not be able to exhaust the machine, nor to be as good as plain text.
	minMemoryKiB, maxMemoryKiB = 8 << 10, 256 << 10
	maxPasses                  = 10
	maxLanes                   = 8
	minSalt, maxSalt           = 8, 64
	minSum, maxSum             = 16, 64

	// DefaultConcurrency bounds logins checked at once: each takes 64 MiB.
	DefaultConcurrency = 2
	// DefaultWaiting bounds logins that wait for their turn.
	DefaultWaiting = 64
)
