package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// announcer tells each configured node which device this is, so that the node
// can hand on what phones send. A node forgets it with the connection.
type announcer struct {
	net   network.Network
	say   sayer // to one node, which is connected
	log   *slog.Logger
	nodes map[peer.ID]*audience
}

// sayer tells one node and gives the pause after which it has to be told again,
// with 0 for never on this connection.
type sayer func(context.Context, peer.ID) (again time.Duration, err error)

// audience is one node that is to be told.
type audience struct {
	changed chan struct{} // cap 1: its connections are others than before
	again   chan struct{} // cap 1: it may take now what it refused
}

func newAnnouncer(n network.Network, nodes []peer.AddrInfo, log *slog.Logger, say sayer) *announcer {
	a := &announcer{net: n, say: say, log: log, nodes: make(map[peer.ID]*audience, len(nodes))}
	for _, n := range nodes {
		a.nodes[n.ID] = &audience{changed: make(chan struct{}, 1), again: make(chan struct{}, 1)}
	}
	return a
}

// run announces until ctx ends.
func (a *announcer) run(ctx context.Context) error {
	turn := func(_ network.Network, c network.Conn) {
		if n := a.nodes[c.RemotePeer()]; n != nil {
			poke(n.changed)
		}
	}
	// The end of one of two connections may be that of the one the node knew.
	bundle := &network.NotifyBundle{ConnectedF: turn, DisconnectedF: turn}
	a.net.Notify(bundle)
	defer a.net.StopNotify(bundle)
	var wg sync.WaitGroup
	for id, n := range a.nodes {
		poke(n.changed)
		wg.Go(func() { a.keepTold(ctx, id, n) })
	}
	wg.Wait()
	return nil
}

// owned says that the device has an owner now: nodes that did not take it are
// told again at once.
func (a *announcer) owned() {
	for _, n := range a.nodes {
		poke(n.again)
	}
}

// keepTold tells one node after each change of its connections, and again with
// growing pauses until it has taken it.
func (a *announcer) keepTold(ctx context.Context, id peer.ID, n *audience) {
	told, pause := false, announceFirst
	timer := time.NewTimer(0)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.changed:
			told, pause = false, announceFirst
		case <-n.again:
			pause = announceFirst
		case <-timer.C:
			told = false
		}
		timer.Stop()
		if told || a.net.Connectedness(id) != network.Connected {
			continue
		}
		again, err := a.say(ctx, id)
		if told = err == nil; told {
			a.log.Debug("node knows this device", "node", id)
			if again > 0 {
				timer.Reset(again)
			}
			continue
		}
		a.log.Debug("node does not know this device", "node", id, "error", err)
		timer.Reset(pause)
		pause = min(2*pause, announceMost)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
