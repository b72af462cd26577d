package api

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// client is who is counted as one: an IPv4 address, or the /64 network that one
// subscriber has of IPv6.
type client netip.Prefix

// clientOf reads a remote address. What is no address is all one client.
func clientOf(remote string) client {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return client{}
	}
	a, bits := ap.Addr().Unmap().WithZone(""), 64
	if a.Is4() {
		bits = 32
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return client{}
	}
	return client(p)
}

func (c client) String() string { return netip.Prefix(c).String() }

// class is a kind of request that shares places.
type class struct {
	name      string
	all, each int           // places
	lasts     time.Duration // how long an answer may take to be found; 0: no end
}

// places counts what is under way.
type places struct {
	all, each int // each 0: no bound for one client

	mu    sync.Mutex
	taken int
	by    map[client]int
}

func newPlaces(all, each int) *places {
	return &places{all: all, each: each, by: make(map[client]int)}
}

// take takes a place, or reports that there is none.
func (p *places) take(c client) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.all || p.each > 0 && p.by[c] >= p.each {
		return false
	}
	p.taken++
	p.by[c]++
	return true
}

// leave gives it back.
func (p *places) leave(c client) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.by[c]--; p.by[c] == 0 {
		delete(p.by, c)
	}
}

// buckets are token buckets of clients, in a bounded table.
type buckets struct {
	mu      sync.Mutex
	clients map[client]*list.Element
	order   *list.List // of *bucket; the front was used last
}

type bucket struct {
	client  client
	limiter *rate.Limiter
}

func newBuckets() *buckets {
	return &buckets{clients: make(map[client]*list.Element), order: list.New()}
}

// allow takes a token of the client, or reports that there is none. Where the
// table is full the client that was silent longest is forgotten, which can only
// give it tokens.
func (b *buckets) allow(c client) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.clients[c]
	if !ok {
		if b.order.Len() >= maxClients {
			last := b.order.Back()
			delete(b.clients, b.order.Remove(last).(*bucket).client)
		}
		e = b.order.PushFront(&bucket{c, rate.NewLimiter(phoneRate, phoneBurst)})
		b.clients[c] = e
	}
	b.order.MoveToFront(e)
	return e.Value.(*bucket).limiter.Allow()
}

// listener bounds the connections that are open at once: one that is over a
// bound is closed before anything is read from it.
type listener struct {
	net.Listener
	places *places
}

func bounded(l net.Listener) *listener {
	return &listener{Listener: l, places: newPlaces(maxConns, maxConnsEach)}
}

// Accept gives the next connection that has a place.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := clientOf(c.RemoteAddr().String())
		if l.places.take(from) {
			return &conn{Conn: c, leave: sync.OnceFunc(func() { l.places.leave(from) })}, nil
		}
		_ = c.Close() // nothing was promised to it
	}
}

type conn struct {
	net.Conn
	leave func()
}

// Close gives the place back.
func (c *conn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
