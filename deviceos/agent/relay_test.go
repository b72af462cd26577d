package agent_test

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/multiformats/go-multiaddr"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/p2p/link"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
)

// An owner who knows no address of the device reaches it through its node, also
// after the node has cut it off.
func TestAgent_Relay(t *testing.T) {
	d := newDevice(t)
	back := make(chan struct{}, 16)
	d.node.here.Watch(t.Context(), func(_ key.DeviceID, online bool) {
		if online {
			back <- struct{}{}
		}
	})
	await := func() peer.ID {
		t.Helper()
		for {
			if at, ok := d.node.here.Find(d.info.Device); ok {
				return at
			}
			select {
			case <-back:
			case <-time.After(patience):
				t.Fatalf("not here\n%s", d.agent.stderr)
			}
		}
	}
	n := d.node.host
	way := n.Addrs()[0].Encapsulate(multiaddr.StringCast("/p2p/" + n.ID().String() + "/p2p-circuit"))
	send := func(at peer.ID) {
		t.Helper()
		owner := p2ptest.Full(t)
		ctx, cancel := context.WithTimeout(network.WithAllowLimitedConn(t.Context(), "test"), patience)
		defer cancel()
		raw := d.command("state", nil)
		for { // until the device has its reservation, which the test is not told of
			owner.Network().(*swarm.Swarm).Backoff().Clear(at)
			l, err := link.Dial(ctx, owner, peer.AddrInfo{ID: at, Addrs: []multiaddr.Multiaddr{way}})
			if err != nil {
				if ctx.Err() != nil {
					t.Fatalf("through the relay: %v\n%s", err, d.agent.stderr)
				}
				continue
			}
			defer l.Close()
			answer, err := l.Send(ctx, raw)
			if err != nil {
				t.Fatal(err)
			}
			if r := d.decode(raw, answer); r.Body.Code != command.Unowned {
				t.Errorf("answer %s", r.Body.Code)
			}
			break
		}
		for _, c := range owner.Network().ConnsToPeer(at) {
			if !c.Stat().Limited {
				t.Error("there is another way than the relay")
			}
		}
	}
	at := await()
	send(at)
	for len(back) > 0 {
		<-back
	}
	if err := n.Network().ClosePeer(at); err != nil {
		t.Fatal(err)
	}
	<-back
	send(await())
}
