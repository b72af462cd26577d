package node

import (
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/p2p/host"
	"github.com/hybridos-net/hybridos/p2p/presence"
)

// relayed is whom the node's relay serves: devices that the ledger knows and
// that have proven over this node's connection who they are, and whoever wants
// to talk to one of those. So the relay is no way between strangers, and what a
// device lets in is still for its gate to judge.
type relayed struct {
	present atomic.Pointer[presence.Server] // nil until the node takes statements: nobody
}

var _ host.RelayPolicy = (*relayed)(nil)

// AllowReserve implements host.RelayPolicy.
func (r *relayed) AllowReserve(p peer.ID) bool {
	s := r.present.Load()
	return s != nil && s.Present(p)
}

// AllowConnect implements host.RelayPolicy.
func (r *relayed) AllowConnect(_, to peer.ID) bool { return r.AllowReserve(to) }
