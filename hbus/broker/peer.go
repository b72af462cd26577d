package broker

import "github.com/hybridos-net/hybridos/hbus/msg"

// Class says how much room a message may take in a peer's queue.
type Class int

const (
	// Reply answers the peer; it may use the whole queue.
	Reply Class = iota
	// Request is a call to a provider; a full queue refuses it.
	Request
	// Event is dropped when the queue is full, and counted: the peer learns
	// how many it lost.
	Event
	// Control must go out; a peer that has no room even for that is closed.
	Control
)

// Peer is the outgoing half of a connection, made by a face. No method may
// wait for the other side.
type Peer interface {
	// Queue takes m for sending and tells whether it will be sent. It must
	// be done with m when it returns.
	Queue(m msg.Message, class Class) bool
	// Flush sends what was queued.
	Flush()
}

// Batch collects the peers that got something, so that many messages leave in
// one write. The zero value is ready; it belongs to one goroutine.
type Batch struct {
	peers []Peer
}

// recent is how many entries add looks back for the same peer; a double flush
// costs little, a search through thousands of subscribers does not.
const recent = 4

func (t *Batch) add(p Peer) {
	for i := len(t.peers) - 1; i >= 0 && i >= len(t.peers)-recent; i-- {
		if t.peers[i] == p {
			return
		}
	}
	t.peers = append(t.peers, p)
}

// Flush flushes every peer once and empties the batch.
func (t *Batch) Flush() {
	for i, p := range t.peers {
		p.Flush()
		t.peers[i] = nil
	}
	t.peers = t.peers[:0]
}
