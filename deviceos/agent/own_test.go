package agent_test

import (
	"context"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/audit"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/agent"
	"github.com/hybridos-net/hybridos/p2p/p2ptest"
	"github.com/hybridos-net/hybridos/p2p/receipts"
)

// own is a command of the owner's to the device itself.
func (d *device) own(method string, params []byte) *command.Command {
	d.t.Helper()
	d.nonce++
	now := uint64(time.Now().UnixMilli())
	c, err := command.New(command.Body{
		Chain: command.Prefix(d.node.Doc.Chain()), Device: d.info.Device, Endpoint: "device", Epoch: d.epoch, Principal: d.owner.Public().AccountID(),
		Key: d.owner.Public().ID(), Salt: 1, Nonce: d.nonce, IssuedAt: now, Expires: now + 60_000, Method: method, Params: params, Seen: d.seen,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	c.Sign(d.node.Doc.Chain(), d.owner)
	return c
}

// TestAgent_Trail: the owner fetches what the device has answered; whoever shows
// the same command on a connection of its own gets the receipt and nothing else.
func TestAgent_Trail(t *testing.T) {
	d := newDevice(t)
	d.pair()
	run, err := agent.ReadRun(d.home)
	if err != nil {
		t.Fatal(err)
	}
	to, err := peer.AddrInfoFromString(run.Listen[0])
	if err != nil {
		t.Fatal(err)
	}
	owner, thief := p2ptest.Slim(t), p2ptest.Slim(t)
	d.want(d.command("open", nil), command.Rejected, command.NoMethod) // no lock app runs
	d.want(d.own("receipts", []byte("rubbish")).Bytes(), command.Rejected, command.Malformed)
	d.want(d.own("melt", nil).Bytes(), command.Rejected, command.NoMethod)
	fetch := func(h host.Host, raw []byte) [][]byte {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		receipt, entries, err := receipts.Fetch(ctx, h, *to, raw)
		if err != nil {
			t.Fatal(err)
		}
		d.decode(raw, receipt)
		return entries
	}
	ask := d.own("receipts", receipts.Request{From: 1, Peer: []byte(owner.ID())}.Bytes()).Bytes()
	if got := fetch(thief, ask); len(got) != 0 {
		t.Fatalf("%d entries for somebody else", len(got))
	}
	entries := fetch(owner, ask)
	h, err := audit.Read(d.node, d.node.Doc.Chain(), d.info.Device, entries)
	if err != nil {
		t.Fatal(err)
	}
	c := audit.NewChecker(d.node.Doc.Chain(), d.info.Key, h)
	for _, e := range entries {
		if row := c.Next(e); len(row.Flags) > 0 {
			t.Errorf("%v", row.Flags)
		}
	}
	if n, _ := c.Last(); n != 3 || len(entries) != 3 {
		t.Errorf("%d entries up to %d", len(entries), n)
	}
	if got := fetch(owner, d.command("open", nil)); len(got) != 0 {
		t.Errorf("%d entries for a command to the lock", len(got))
	}
	d.anchors(c)
}

// anchors lets the device sign where its chain stands, and nowhere else.
func (d *device) anchors(c *audit.Checker) {
	t := d.t
	n, hash := c.Last()
	for name, k := range map[string]struct {
		payload tx.Payload
		code    command.Code
	}{
		"its chain":      {&tx.AnchorReceipts{Device: d.info.Device, Epoch: 1, From: 1, To: n, Head: hash}, command.OK},
		"another hash":   {&tx.AnchorReceipts{Device: d.info.Device, Epoch: 1, From: 1, To: n, Head: [32]byte{1}}, command.Failed},
		"not yet":        {&tx.AnchorReceipts{Device: d.info.Device, Epoch: 1, From: 1, To: n + 99, Head: hash}, command.Failed},
		"another device": {&tx.AnchorReceipts{Device: [20]byte{1}, Epoch: 1, From: 1, To: n, Head: hash}, command.Failed},
		"something else": {&tx.ReportLost{Device: d.info.Device, Epoch: 1}, command.Failed},
	} {
		x, err := tx.New(d.owner.Public().AccountID(), 1, 1<<40, k.payload)
		if err != nil {
			t.Fatal(err)
		}
		x.Sign(d.node.Doc.Chain(), tx.RoleAccount, d.owner)
		r := d.send(d.own("anchor", x.Bytes()).Bytes())
		if r.Body.Code != k.code {
			t.Errorf("%s: %s", name, r.Body.Code)
		}
		if k.code == command.OK && d.info.Key.Verify(x.Digest(d.node.Doc.Chain()), r.Body.Result) != nil {
			t.Errorf("%s: not signed", name)
		}
	}
}
