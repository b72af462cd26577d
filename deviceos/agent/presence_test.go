package agent_test

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/p2p/link"
)

// A device whose node knows it takes commands over the connection that it made
// itself; it says where it is again after every loss.
func TestAgent_Presence(t *testing.T) {
	d := newDevice(t)
	events := make(chan bool, 16)
	d.node.here.Watch(t.Context(), func(id key.DeviceID, online bool) {
		if id == d.info.Device {
			events <- online
		}
	})
	// The first event may be one of before the watch began.
	want := func(online bool) {
		t.Helper()
		for limit := time.After(patience); ; {
			select {
			case got := <-events:
				if got == online {
					return
				}
			case <-limit:
				t.Fatalf("not told %v\n%s", online, d.agent.stderr)
			}
		}
	}
	if !d.node.here.Online(d.info.Device) {
		want(true)
	}
	send := func(code command.Code) {
		t.Helper()
		at, ok := d.node.here.Find(d.info.Device)
		if !ok {
			t.Fatal("device is not here")
		}
		l, err := link.Dial(network.WithNoDial(t.Context(), "test"), d.node.host, peer.AddrInfo{ID: at})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		raw := d.command("state", nil)
		answer, err := l.Send(ctx, raw)
		if err != nil {
			t.Fatal(err)
		}
		if r := d.decode(raw, answer); r.Body.Code != code {
			t.Errorf("answer %s, want %s", r.Body.Code, code)
		}
	}
	send(command.Unowned)

	d.agent.kill() // the device restarts
	want(false)
	d.node.asked <- false // and the node does not know it at first
	d.run()
	want(true)
	send(command.Unowned)

	if err := d.node.host.Network().ClosePeer(mustFind(t, d)); err != nil { // the node cuts it off
		t.Fatal(err)
	}
	want(false)
	want(true)
	send(command.Unowned)
	d.agent.stop(t)
	want(false)
}

func mustFind(t *testing.T, d *device) peer.ID {
	t.Helper()
	p, ok := d.node.here.Find(d.info.Device)
	if !ok {
		t.Fatal("device is not here")
	}
	return p
}
