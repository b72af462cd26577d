package codec

// OnePass and Thorough are the two ways of Unmarshal.
var (
	OnePass  = onePass
	Thorough = thorough
)
