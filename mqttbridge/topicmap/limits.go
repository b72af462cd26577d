package topicmap

const (
	// maxName caps the name of a device: it is shown in other people's screens.
	maxName = 64
	// maxState caps the result of a state method before it is parsed.
	maxState = 1024
)
