package api

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/node/box"
)

const (
	// maxTx is the longest body of POST /v1/tx: the longest transaction.
	maxTx = 64 << 10
	// maxCommand is the longest body of POST /v1/commands.
	maxCommand = command.MaxBytes
	// maxMessage is the longest body of a message in a box.
	maxMessage = box.MaxMessage
	// maxHeader bounds request headers; ours need a few hundred bytes.
	maxHeader = 16 << 10
	// maxKey is the longest record key in bytes.
	maxKey = 256
	// maxPEM bounds a certificate file with its chain.
	maxPEM = 1 << 20
	// maxListed bounds a list in an answer, and is the limit where none is asked
	// for; "more" and "next" tell that there are others.
	maxListed = 1000
	// maxPosition is the longest position in a list: the id of a grant.
	maxPosition = 32
	// maxCursor bounds the text of a cursor: version, list and position.
	maxCursor = 64
	// maxFollowed is how many events one write to a follower may have.
	maxFollowed = 256
	// maxWatched bounds the device parameters of /v1/events and the id parameters
	// of /v1/follow; each of the latter costs a walk on the disk for each write.
	maxWatched = 32
	// maxWait is the longest long poll in seconds, below the minute after which
	// networks forget a silent connection.
	maxWait = 25

	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	idleTimeout   = time.Minute
	// submitTimeout is how long POST /v1/tx waits for a block: a few blocks even
	// where a validator is down.
	submitTimeout = 30 * time.Second
	queryTimeout  = 6 * time.Second
	// commandTimeout is how long POST /v1/commands waits for the receipt: a motor
	// turns within it, and a command's life is at most a minute.
	commandTimeout = 25 * time.Second
	// answerTimeout is how long the client may take to read an answer.
	answerTimeout = 10 * time.Second
	// eventTimeout is how long a reader of events may leave the connection full
	// before it is cut off; it then connects again and reads afresh.
	eventTimeout = 10 * time.Second
	// slowTime is how long a follower may take for a write; over it, it is told so
	// and let go, for its place is wanted by others.
	slowTime = 5 * time.Second
	// listWait is how long a list waits for the index to have the newest block, so
	// that who has just been told of a transaction finds what it did.
	listWait = time.Second
	// heartbeat is the pause between comments on a silent stream of events: it
	// shows a dead connection to either side.
	heartbeat = 15 * time.Second
	// stopTimeout is how long requests may take to end when the node stops.
	stopTimeout = 3 * time.Second
)

// The classes of requests. Each has places of its own, in all and for one
// client, so that requests that wait never keep others out. A place costs a
// goroutine and some buffers, about 30 KB. One client may have half as many
// commands under way as a node has to one device, so that nobody can make a
// device busy for everybody else.
var (
	classRead    = class{name: "read", all: 64, each: 16, lasts: queryTimeout}
	classSubmit  = class{name: "submit", all: 64, each: 16, lasts: submitTimeout}
	classCommand = class{name: "command", all: 64, each: 4, lasts: commandTimeout}
	classWait    = class{name: "wait", all: 128, each: 8, lasts: maxWait * time.Second}
	classEvents  = class{name: "events", all: 512, each: 16}
)

const (
	// phoneRate is how many requests of one client are answered in the long run:
	// a page needs a handful for a door, a household has a few pages.
	phoneRate rate.Limit = 50 // a second
	// phoneBurst is how many may come at once: several pages loading.
	phoneBurst = 200
	// maxClients bounds the clients whose rate is remembered, about 200 bytes
	// each; over it the one that was silent longest is forgotten.
	maxClients = 4096
	// maxConns bounds the connections of phones, so that they do not take the
	// files that the ledger needs: the places of all classes and some to spare.
	maxConns = 1024
	// maxConnsEach bounds those of one client: its places and some to spare.
	maxConnsEach = 80
)
