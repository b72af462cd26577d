package slim

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/host/resource-manager"

	"github.com/hybridos-net/hybridos/p2p/mux"
)

// UserAgent is what identify tells peers; it carries no version on purpose: a
// device should not advertise which holes it has.
const UserAgent = "hybridos-slim"

// Fixed limits.
const (
	// maxStreamsPerConn is under the per-peer limit's reach for one connection.
	maxStreamsPerConn = 32
	// negotiateTimeout bounds agreeing on a stream's protocol.
	negotiateTimeout = 10 * time.Second
	// acceptTimeout bounds the handshake of an incoming connection.
	acceptTimeout = 10 * time.Second
	// reserveTimeout bounds one question to a relay.
	reserveTimeout = 10 * time.Second
	// dialTimeout bounds one outgoing connection.
	dialTimeout = 10 * time.Second
)

// Limits bounds what peers can make the device hold. Zero means the default.
type Limits struct {
	// Conns bounds all connections; default 24: a few nodes, the owner's
	// wallets, neighbours on the LAN. Two thirds of them may be opened by others;
	// when there are more, one that nobody vouches for is closed (Host.Keep).
	Conns int
	// ConnsPerPeer bounds those of one peer; default 4: simultaneous dials.
	ConnsPerPeer int
	// Streams bounds all streams; default 96. Each may hold one mux.Window of
	// unread bytes, so this also bounds memory: 24 MiB, reached only if every
	// peer fills every stream at once.
	Streams int
	// StreamsPerPeer bounds those of one peer; default 24.
	StreamsPerPeer int
}

// orDefault fills the zero fields.
func (l Limits) orDefault() Limits {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&l.Conns, 24)
	def(&l.ConnsPerPeer, 4)
	def(&l.Streams, 96)
	def(&l.StreamsPerPeer, 24)
	return l
}

// guests is how many connections others may have opened.
func (l Limits) guests() int { return max(1, l.orDefault().Conns*2/3) }

// manager makes the resource manager that enforces the limits. Half of the
// connections and a quarter of the streams may be unauthenticated or not yet
// agreed on a protocol. What others open leaves room for what the device opens
// itself, or they could cut it off from the ledger.
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
	system := scope(l.Conns, l.Streams)
	// Between their share and this a newcomer stands until another has gone.
	system.ConnsInbound = rcmgr.LimitVal(min(l.Conns, l.guests()+max(1, l.Conns/6)))
	system.StreamsInbound = rcmgr.LimitVal(max(1, l.Streams*3/4))
	cfg := rcmgr.PartialLimitConfig{
		System:      system,
		Transient:   scope(max(1, l.Conns/2), max(8, l.Streams/4)),
		PeerDefault: scope(l.ConnsPerPeer, l.StreamsPerPeer),
	}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(cfg.Build(rcmgr.InfiniteLimits)), rcmgr.WithMetricsDisabled())
}
