package fetch

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// meter bounds the requests of each peer by a token bucket. It remembers a
// bounded number of peers; when full it forgets those whose bucket is full
// again, and refuses strangers if there are none.
type meter struct {
	rate, burst float64
	most        int
	now         func() time.Time

	mu    sync.Mutex
	peers map[peer.ID]*bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newMeter(rate, burst, most int, now func() time.Time) *meter {
	return &meter{rate: float64(rate), burst: float64(burst), most: most, now: now, peers: map[peer.ID]*bucket{}}
}

// allow takes one token of p.
func (m *meter) allow(p peer.ID) bool {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.peers[p]
	if b == nil {
		if len(m.peers) >= m.most && !m.forget(now) {
			return false
		}
		b = &bucket{tokens: m.burst, at: now}
		m.peers[p] = b
	}
	m.refill(b, now)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func (m *meter) refill(b *bucket, now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(m.burst, b.tokens+d.Seconds()*m.rate)
		b.at = now
	}
}

// forget drops the peers who owe nothing; true when there is room again.
func (m *meter) forget(now time.Time) bool {
	for p, b := range m.peers {
		if m.refill(b, now); b.tokens >= m.burst {
			delete(m.peers, p)
		}
	}
	return len(m.peers) < m.most
}
