package wire

import (
	"time"

	"github.com/hybridos-net/hybridos/hbus/msg"
)

const (
	// SoftQueue is how many bytes may wait for a peer before events are
	// dropped and calls to it refused: enough for two of the largest frames.
	SoftQueue = 2 * (msg.MaxFrame + msg.HeaderSize)
	// HardQueue is how many bytes may wait in all. Replies go up to here; a
	// peer that leaves more unread is disconnected.
	HardQueue = 4 * SoftQueue
	// reserve is kept under HardQueue for the small refusal that takes the
	// place of a reply that does not fit.
	reserve = 64 << 10
	// minRead is the read buffer of an idle connection: most messages fit,
	// and a thousand idle peers cost little.
	minRead = 2 << 10
	// keepBuffer is the largest buffer that is kept for the next message.
	keepBuffer = 32 << 10
	// flushRounds is how often one Flush writes what others queued meanwhile
	// before it leaves the rest to a goroutine: the flusher has its own peer
	// to read from.
	flushRounds = 4
	// BodyTimeout is how long a peer may take for the rest of a frame it has
	// begun.
	BodyTimeout = 30 * time.Second
)
