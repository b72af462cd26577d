package settings

const (
	// maxFile caps the configuration file before it is parsed.
	maxFile = 1 << 20
	// maxNodes caps the full nodes that the bridge may be told of.
	maxNodes = 64
)
