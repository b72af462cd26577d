package slim

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multiaddr/net"
)

// guests are the connections that others have opened. When there are too many,
// one that nobody vouches for is closed: of the address that has most of them,
// the oldest. So whoever fills the device with connections that do nothing does
// not keep its owner out.
type guests struct {
	most int

	mu   sync.Mutex
	open []*guest // oldest first
	kept map[peer.ID]struct{}
}

type guest struct {
	conn network.Conn
	from string
}

// watch makes the host count its guests.
func (g *guests) watch(n network.Network) {
	n.Notify(&network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { g.come(c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { g.leave(c) },
	})
}

func (g *guests) come(c network.Conn) {
	if c.Stat().Direction != network.DirInbound {
		return
	}
	g.mu.Lock()
	g.open = append(g.open, &guest{conn: c, from: address(c.RemoteMultiaddr())})
	var loser *guest
	if len(g.open) > g.most {
		loser = g.loser()
	}
	g.mu.Unlock()
	if loser != nil {
		_ = loser.conn.CloseWithError(network.ConnResourceLimitExceeded)
	}
}

// loser finds who has to go; if all others are kept, the one that came last.
// The caller holds mu.
func (g *guests) loser() *guest {
	count := map[string]int{}
	for _, o := range g.open {
		count[o.from]++
	}
	var worst *guest
	for _, o := range g.open {
		if _, kept := g.kept[o.conn.RemotePeer()]; !kept && !o.conn.IsClosed() && (worst == nil || count[o.from] > count[worst.from]) {
			worst = o
		}
	}
	return worst
}

func (g *guests) leave(c network.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := true
	for i := 0; i < len(g.open); i++ {
		switch o := g.open[i]; {
		case o.conn == c:
			g.open = append(g.open[:i], g.open[i+1:]...)
			i--
		case o.conn.RemotePeer() == c.RemotePeer():
			last = false
		}
	}
	if last {
		delete(g.kept, c.RemotePeer())
	}
}

// Keep spares a connected peer when connections have to be closed. The caller
// knows it for somebody who may be here: a command of it was authentic. It ends
// with the peer's last connection.
func (h *Host) Keep(p peer.ID) {
	g := h.guests
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.kept[p]; ok {
		return
	}
	for _, o := range g.open {
		if o.conn.RemotePeer() == p {
			g.kept[p] = struct{}{}
			return
		}
	}
}

// address is what a peer cannot have many of at will: its IP address, or that
// of its relay.
func address(a multiaddr.Multiaddr) string {
	ip, err := manet.ToIP(a)
	if err != nil {
		return a.String()
	}
	return ip.String()
}
