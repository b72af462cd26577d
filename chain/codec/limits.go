package codec

// Caps of every decoder. They bound work and memory before a signature has
// been checked.
const (
	// MaxDepth is how deep items may nest. Our deepest message has 6 levels.
	MaxDepth = 8
	// MaxItems is how many elements an array or pairs a map may announce; the
	// library's smallest allowed cap is 16 and no message of ours needs 1024.
	MaxItems = 1024
)
