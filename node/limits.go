package node

import "time"

const (
	// redial is the pause between two looks at the connections to the mesh
	// peers that are to be kept.
	redial = 3 * time.Second
	// dialTimeout bounds one attempt.
	dialTimeout = 10 * time.Second
	// publishTimeout bounds the publication of one checkpoint, well below the
	// time until the next.
	publishTimeout = 5 * time.Second
)
