package mqttbridge

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/mqttbridge/broker"
	"github.com/hybridos-net/hybridos/mqttbridge/topicmap"
)

// desk takes what clients publish: it lets only fresh, well-formed commands
// through to the workers and reports every other one.
type desk struct {
	entities map[string]*entity // by command topic
	seen     *memory
	now      func() time.Time
	report   func(*entity, topicmap.Result)
}

// take handles one message. It does not block.
func (d *desk) take(m broker.Message) {
	e, ok := d.entities[m.Topic]
	if !ok {
		return // the birth topic: consumed, as all discovery is retained
	}
	method, known := e.Mapping.Method(m.Payload)
	switch {
	case m.Retain:
		d.report(e, topicmap.Refusal(method, topicmap.CodeRetained))
	case !known:
		d.report(e, topicmap.Refusal("", topicmap.CodePayload))
	case d.seen.repeats(m):
		d.report(e, topicmap.Refusal(method, topicmap.CodeDuplicate))
	default:
		select {
		case e.queue <- job{method: method, since: d.now()}:
		default:
			d.report(e, topicmap.Refusal(method, topicmap.CodeBusy))
		}
	}
}

// memory remembers acknowledged packets for a while: a client that lost the
// acknowledgement sends the same packet again with DUP set, and a door must not
// open twice for it. It outlives the connection, as the session name does.
type memory struct {
	now func() time.Time

	mu    sync.Mutex
	seen  map[[32]byte]time.Time
	order [][32]byte // oldest first; may hold keys that were renewed since
}

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, seen: map[[32]byte]time.Time{}}
}

// repeats says whether m is a redelivery of a packet that was seen, and
// remembers it if not. QoS 0 has no redelivery.
func (s *memory) repeats(m broker.Message) bool {
	if m.PacketID == 0 {
		return false
	}
	key := packetKey(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.forget(now)
	_, known := s.seen[key]
	if m.Dup && known {
		return true
	}
	if !known {
		s.order = append(s.order, key)
	}
	s.seen[key] = now
	return false
}

// forget drops what is older than the window, and the oldest over the cap.
func (s *memory) forget(now time.Time) {
	for len(s.order) > 0 {
		oldest := s.order[0]
		stale := now.Sub(s.seen[oldest]) > memoryWindow
		if !stale && len(s.order) < maxMemory {
			return
		}
		s.order = s.order[1:]
		delete(s.seen, oldest)
	}
}

func packetKey(m broker.Message) [32]byte {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(m.Client), []byte(m.Topic), m.Payload} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write(part)
	}
	h.Write(binary.BigEndian.AppendUint16(nil, m.PacketID))
	return [32]byte(h.Sum(nil))
}
