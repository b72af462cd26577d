package attest

const (
	// MaxInline is the longest payload that a statement carries itself; a longer
	// one travels beside it and is bound by hash and length.
	MaxInline = 4 << 10
	// MaxBytes is the longest statement: MaxInline, about 300 bytes of other
	// fields, and room for extensions.
	MaxBytes = 8 << 10
	// MaxPayload is the longest payload that a statement may vouch for: some
	// seconds of video. Whoever fetches one knows how much may come.
	MaxPayload = 16 << 20
	// window is how many of the last numbers of a stream a verifier remembers
	// the hashes of, to tell what is late from what came before.
	window = 64
	// maxState is the longest saved state: window hashes of 44 bytes, and the
	// fields around.
	maxState = 4 << 10
)
