package did

const (
	// maxRanges bounds the media ranges of a request; browsers send eight.
	maxRanges = 32
	// maxParameters bounds the parameters that are looked at: one is known.
	maxParameters = 8
)
