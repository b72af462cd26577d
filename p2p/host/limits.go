package host

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"

	"github.com/hybridos-net/hybridos/p2p/mux"
)

// UserAgent is what identify tells peers.
const UserAgent = "hybridos"

// grace is how long a new connection is safe from trimming.
const grace = 30 * time.Second

// Limits bounds what peers can make the host hold. Zero means the default.
type Limits struct {
	// Conns bounds all connections; default 1024. Trimming begins at three
	// quarters and goes down to a half.
	Conns int
	// ConnsPerPeer bounds those of one peer; default 8.
	ConnsPerPeer int
	// Streams bounds all streams; default 4096, a window of 256 KiB each.
	Streams int
	// StreamsPerPeer bounds those of one peer; default 64.
	StreamsPerPeer int
	// Reservations bounds the peers reachable through this relay; default 256.
	Reservations int
	// Circuits bounds the relayed connections of one peer; default 8.
	Circuits int
	// CircuitTime ends a relayed connection; default 30 minutes.
	CircuitTime time.Duration
	// CircuitBytes ends a relayed connection after so many bytes in one
	// direction; default 4 MiB, thousands of commands with evidence.
	CircuitBytes int64
}

// orDefault fills the zero fields.
func (l Limits) orDefault() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Conns, 1024)
	def(&l.ConnsPerPeer, 8)
	def(&l.Streams, 4096)
	def(&l.StreamsPerPeer, 64)
	def(&l.Reservations, 256)
	def(&l.Circuits, 8)
	if l.CircuitTime <= 0 {
		l.CircuitTime = 30 * time.Minute
	}
	if l.CircuitBytes <= 0 {
		l.CircuitBytes = 4 << 20
	}
	return l
}

// manager makes the resource manager that enforces the limits.
func (l Limits) manager() (network.ResourceManager, error) {
	l = l.orDefault()
	scope := func(conns, streams int) rcmgr.ResourceLimits {
		return rcmgr.ResourceLimits{
			Conns: rcmgr.LimitVal(conns), ConnsInbound: rcmgr.LimitVal(conns), ConnsOutbound: rcmgr.LimitVal(conns),
			FD:      rcmgr.LimitVal(2 * conns),
			Streams: rcmgr.LimitVal(streams), StreamsInbound: rcmgr.LimitVal(streams), StreamsOutbound: rcmgr.LimitVal(streams),
			Memory: rcmgr.LimitVal64(streams * mux.Window),
		}
	}
	cfg := rcmgr.PartialLimitConfig{
		System:      scope(l.Conns, l.Streams),
		Transient:   scope(max(1, l.Conns/4), max(16, l.Streams/4)),
		PeerDefault: scope(l.ConnsPerPeer, l.StreamsPerPeer),
	}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(cfg.Build(rcmgr.InfiniteLimits)), rcmgr.WithMetricsDisabled())
}

// relay is the limits of the relay service.
func (l Limits) relay() relay.Resources {
	l = l.orDefault()
	r := relay.DefaultResources()
	r.Limit = &relay.RelayLimit{Duration: l.CircuitTime, Data: l.CircuitBytes}
	r.MaxReservations = l.Reservations
	r.MaxCircuits = l.Circuits
	r.MaxReservationsPerIP = l.Reservations // houses behind one carrier's address
	r.MaxReservationsPerASN = l.Reservations
	return r
}
