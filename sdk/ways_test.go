package sdk_test

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/p2p/host"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/sdk"
)

// everybody is a relay's policy; whom nodes serve is tested in package node.
type everybody struct{}

func (everybody) AllowReserve(peer.ID) bool          { return true }
func (everybody) AllowConnect(peer.ID, peer.ID) bool { return true }

// A device whose only known address is dead is reached through a node of the
// client that is its relay, and its receipt is verified as any other.
func TestDevice_ThroughRelay(t *testing.T) {
	h := newHome(t)
	relay, err := host.Listen(host.Config{Key: p2ptest.Key(t), Relay: everybody{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = relay.Close() })
	dead := "/ip4/127.0.0.1/tcp/1/p2p/" + h.lock.Host.ID().String()
	send := func() (*command.Receipt, error) {
		// A host of its own each time: one does not dial again at once what failed.
		client := newClient(t, h.ledger, nil, h.node.Addr, relay.Addrs()[0].String()+"/p2p/"+relay.ID().String())
		d, err := client.Device(h.lock.Key.Public(), []string{dead})
		if err != nil {
			t.Fatal(err)
		}
		return d.Send(patience(t), h.open(t))
	}
	_, err = send() // it has not asked for a reservation
	want(t, err, sdk.Unreachable)

	p2ptest.Connect(t, h.lock.Host, relay)
	if _, err := h.lock.Host.Reserve(patience(t), relay.ID()); err != nil {
		t.Fatal(err)
	}
	r, err := send()
	if err != nil {
		t.Fatal(err)
	}
	if r.Body.Code != command.OK {
		t.Errorf("code %s", r.Body.Code)
	}
}
