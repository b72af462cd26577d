package lock

const (
	// maxLine is the longest line of an actuation log; ours have some 180 bytes.
	maxLine = 4 << 10
	// maxRemembered is how many commands the bolt remembers; the gate never
	// repeats one, so this is the second line of defence, for commands that live
	// a minute.
	maxRemembered = 4096
)
