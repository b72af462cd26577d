package home

const (
	// MaxConfig bounds config.toml.
	MaxConfig = 64 << 10
	// MaxPeers bounds each list of peers in it.
	MaxPeers = 256
	// maxName is the longest name of a node.
	maxName = 64
	// maxHosts bounds phone_hosts; one or two are usual.
	maxHosts = 16
	// maxHost is the longest of them: the longest relying party of a passkey.
	maxHost = 128
	// maxInterval bounds snapshot_interval: rarer ones than once in two weeks of
	// heartbeats would be of no use, as their versions are pruned by the next.
	maxInterval = 14 * 24 * 360
)
