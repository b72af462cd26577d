package harness

import "time"

const (
	// maxState bounds the state file: 64 devices and as many nodes fit ten times.
	maxState = 1 << 20
	// maxAnswer bounds what a node's HTTP interface may say.
	maxAnswer = 64 << 10
	// maxTail is how much of a log is read for a message about a crash.
	maxTail = 4 << 10
	// tailLines is how much of it is shown.
	tailLines = 12
	// maxSocket is how long the path of a bus socket may be: sun_path of Linux
	// has 108 bytes, that of other systems 104, and hbusd binds path + ".new".
	maxSocket = 90

	// StartTime is how long one process may take to be ready. A machine under
	// load replays blocks slowly.
	StartTime = 60 * time.Second
	// stopTime is how long one may take to end by itself before it is killed.
	stopTime = 15 * time.Second
	// look is the pause between two looks at a file or a process of another
	// invocation.
	look = 10 * time.Millisecond
	// askTime bounds one question to a node's HTTP interface.
	askTime = 3 * time.Second
	// pollTime is the pause between two questions to a node.
	pollTime = 100 * time.Millisecond
	// txLife is how long a registration may wait for a block.
	txLife = 5 * time.Minute
)

// firstProvable is the first height whose header vouches for a state.
const firstProvable = 2
