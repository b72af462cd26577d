package frame

const (
	// maxLength is the longest accepted length prefix: five bytes hold 32 bits,
	// far over any cap in use.
	maxLength = 5
	// readAhead is the buffer of a Reader; most messages fit it whole.
	readAhead = 2048
	// firstAlloc is what a length alone can make a Reader allocate. More only
	// comes as bytes really arrive.
	firstAlloc = 16 << 10
)
