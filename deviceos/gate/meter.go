package gate

import (
	"sync"
	"time"

	"github.com/hybridos-net/hybridos/chain/key"
)

// meter bounds what the unproven can make the device do: a signature check or
// a signed refusal costs a token. Peers that have sent an authentic command
// have a bucket of their own, so that a flood by strangers does not shut the
// owner out; all strangers share one. Every stranger has but a part of it, and
// when it is empty the first command of each is paid from another: an owner's
// program is a stranger each time it starts, and must get through while others
// flood.
type meter struct {
	limits Limits

	mu        sync.Mutex
	strangers pool
	lookups   pool
	refusals  bucket // signed refusals to those who are over their limit
	peers     map[string]*bucket
	keys      map[key.KeyID]*bucket
}

// refusalRate is how many over-limit refusals a second are signed.
const refusalRate = 10

func newMeter(l Limits) *meter {
	return &meter{
		limits: l, peers: make(map[string]*bucket), keys: make(map[key.KeyID]*bucket),
		strangers: pool{each: make(map[string]*bucket)}, lookups: pool{each: make(map[string]*bucket)},
	}
}

// pool is what strangers share.
type pool struct {
	all, first bucket
	each       map[string]*bucket
}

// take takes a token for a stranger.
func (p *pool) take(peer string, rate float64, now time.Time) bool {
	b := entryOf(p.each, peer, maxPeers)
	first := b.at.IsZero()
	if !b.take(max(rate/strangerShare, min(rate, 1)), now) {
		return false
	}
	return p.all.take(rate, now) || first && p.first.take(rate, now)
}

// spend takes a token for one signature; trusted tells whose bucket it was.
func (m *meter) spend(peer string, now time.Time) (trusted, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.peers[peer]; b != nil {
		return true, b.take(m.limits.PerPeer, now)
	}
	return false, m.strangers.take(peer, m.limits.Strangers, now)
}

// refusal takes a token for telling somebody that there are no more.
func (m *meter) refusal(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refusals.take(refusalRate, now)
}

// lookup takes a stranger's token for one question to the ledger.
func (m *meter) lookup(peer string, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lookups.take(peer, m.limits.Lookups, now)
}

// key takes a token for one command by an authentic key.
func (m *meter) key(id key.KeyID, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return entryOf(m.keys, id, maxKeys).take(m.limits.PerKey, now)
}

// trust gives a peer its own bucket.
func (m *meter) trust(peer string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := entryOf(m.peers, peer, maxPeers)
	if b.at.IsZero() {
		b.take(m.limits.PerPeer, now)
	}
}

// trusts tells whether a peer has a bucket of its own.
func (m *meter) trusts(peer string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peers[peer] != nil
}

// entryOf finds or makes a bucket; a full table loses the one that was used
// longest ago, which has filled up the most.
func entryOf[K comparable](table map[K]*bucket, k K, limit int) *bucket {
	if b := table[k]; b != nil {
		return b
	}
	if len(table) >= limit {
		var oldest K
		var at *bucket
		for name, b := range table {
			if at == nil || b.at.Before(at.at) {
				oldest, at = name, b
			}
		}
		delete(table, oldest)
	}
	b := new(bucket)
	table[k] = b
	return b
}

// bucket is a token bucket that starts full and holds two seconds' worth.
type bucket struct {
	spent float64
	at    time.Time
}

func (b *bucket) take(rate float64, now time.Time) bool {
	if d := now.Sub(b.at); d > 0 {
		b.spent = max(b.spent-rate*d.Seconds(), 0)
		b.at = now
	}
	if b.spent+1 > 2*rate {
		return false
	}
	b.spent++
	return true
}
