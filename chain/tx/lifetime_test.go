package tx_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// peerID is a well-formed peer id.
const peerID = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"

// member makes the claim one of a batch and spoils that.
func member(f func(*tx.BatchMember)) func(*tx.Claim) {
	return func(p *tx.Claim) {
		p.Batch = batchMember()
		f(p.Batch)
	}
}

func batchMember() *tx.BatchMember {
	return &tx.BatchMember{
		Vendor: guest.Public().AccountID(), Root: batch.Hash{1}, Index: 5,
		Key: dev.Public(), SealKey: [32]byte{7}, Path: []batch.Hash{{2}, {3}},
	}
}

func batchNegatives() []negative {
	return []negative{
		spoil("no root", tx.Malformed, func(p *tx.RegisterBatch) { p.Root = batch.Hash{} }),
		spoil("no devices", tx.Malformed, func(p *tx.RegisterBatch) { p.Size = 0 }),
		spoil("too many devices", tx.Malformed, func(p *tx.RegisterBatch) { p.Size = batch.Max + 1 }),
		spoil("no model", tx.Malformed, func(p *tx.RegisterBatch) { p.Model = "" }),
		spoil("control character", tx.Malformed, func(p *tx.RegisterBatch) { p.Model = "a\x1b[2J" }),
	}
}

func policy() *tx.SetPolicy {
	return &tx.SetPolicy{Device: dev.Public().DeviceID(), Epoch: 1, Version: 1, Rules: []tx.MethodPolicy{
		{Endpoint: "lock", Method: "open", Class: tx.FreshAccess, Signers: 2},
		{Endpoint: "lock", Method: "state", Class: tx.FreshRead, Signers: 1},
	}}
}

func policyNegatives() []negative {
	return []negative{
		spoil("no device", tx.Malformed, func(p *tx.SetPolicy) { p.Device = key.DeviceID{} }),
		spoil("no epoch", tx.Malformed, func(p *tx.SetPolicy) { p.Epoch = 0 }),
		spoil("no version", tx.Malformed, func(p *tx.SetPolicy) { p.Version = 0 }),
		spoil("too many rules", tx.Malformed, func(p *tx.SetPolicy) { p.Rules = manyRules(tx.MaxRules + 1) }),
		spoil("wildcard endpoint", tx.Malformed, func(p *tx.SetPolicy) { p.Rules[0].Endpoint = "*" }),
		spoil("no method", tx.Malformed, func(p *tx.SetPolicy) { p.Rules[0].Method = "" }),
		spoil("unknown class", tx.Malformed, func(p *tx.SetPolicy) { p.Rules[0].Class = tx.FreshSealed + 1 }),
		spoil("no signer", tx.Malformed, func(p *tx.SetPolicy) { p.Rules[0].Signers = 0 }),
		spoil("too many signers", tx.Malformed, func(p *tx.SetPolicy) { p.Rules[0].Signers = tx.MaxKeys + 1 }),
		spoil("rule twice", tx.Malformed, func(p *tx.SetPolicy) { p.Rules[1].Method = "open" }),
		spoil("methods out of order", tx.Malformed, func(p *tx.SetPolicy) { p.Rules[1].Method = "lock" }),
		spoil("endpoints out of order", tx.Malformed, func(p *tx.SetPolicy) { p.Rules[1].Endpoint = "lamp" }),
	}
}

func manyRules(n int) (out []tx.MethodPolicy) {
	for i := range n {
		out = append(out, tx.MethodPolicy{Endpoint: "lock", Method: fmt.Sprintf("m%03d", i), Signers: 1})
	}
	return out
}

func addressNegatives() []negative {
	return []negative{
		spoil("no device", tx.Malformed, func(p *tx.SetAddresses) { p.Device = key.DeviceID{} }),
		spoil("no epoch", tx.Malformed, func(p *tx.SetAddresses) { p.Epoch = 0 }),
		spoil("too many", tx.Malformed, func(p *tx.SetAddresses) {
			p.Addrs = nil
			for i := range tx.MaxAddrs + 1 {
				p.Addrs = append(p.Addrs, fmt.Sprintf("/ip4/192.0.2.%d/tcp/1/p2p/%s", i, peerID))
			}
		}),
		spoil("twice", tx.Malformed, func(p *tx.SetAddresses) { p.Addrs = append(p.Addrs, p.Addrs[0]) }),
		spoil("none", tx.Malformed, func(p *tx.SetAddresses) { p.Addrs[0] = "" }),
		spoil("no peer", tx.Malformed, func(p *tx.SetAddresses) { p.Addrs[0] = "/ip4/192.0.2.7/tcp/1" }),
	}
}

func TestLifetime_Bounds(t *testing.T) {
	m := batchMember()
	m.Path, m.Index = make([]batch.Hash, batch.MaxPath), batch.Max-1
	full := policy()
	full.Rules = manyRules(tx.MaxRules)
	none := policy()
	none.Rules = nil
	for _, p := range []tx.Payload{
		&tx.Claim{Device: dev.Public().DeviceID(), Epoch: 1, Batch: m},
		&tx.RegisterBatch{Root: batch.Hash{1}, Size: batch.Max, Model: "x"},
		&tx.SetAddresses{Device: dev.Public().DeviceID(), Epoch: 1}, full, none,
	} {
		x, err := tx.New(owner.Public().AccountID(), 1, 1, p)
		if err != nil {
			t.Errorf("%s: %v", p.Kind(), err)
			continue
		}
		x.Sign(chain, tx.RoleAccount, owner)
		if _, err := tx.Decode(x.Bytes()); err != nil {
			t.Errorf("%s: %v", p.Kind(), err)
		}
	}
}

func TestSetPolicy_Rule(t *testing.T) {
	p := policy()
	if r, ok := p.Rule("lock", "open"); !ok || r.Signers != 2 {
		t.Errorf("open: %+v, %v", r, ok)
	}
	for _, m := range []string{"", "unlock", "opens"} {
		if _, ok := p.Rule("lock", m); ok {
			t.Errorf("%q has a rule", m)
		}
	}
}

func TestParseFreshness(t *testing.T) {
	for f := tx.FreshRead; f <= tx.FreshSealed; f++ {
		if got, err := tx.ParseFreshness(f.String()); err != nil || got != f {
			t.Errorf("%s: %v, %v", f, got, err)
		}
	}
	for _, bad := range []string{"", "R4", "r2", "2", "R"} {
		if _, err := tx.ParseFreshness(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestBatchMember_Leads(t *testing.T) {
	leaves := []batch.Hash{batchMember().Leaf().Hash(), {1}, {2}}
	tree, err := batch.NewTree(leaves)
	if err != nil {
		t.Fatal(err)
	}
	m := batchMember()
	m.Root, m.Index = tree.Root(), 0
	if m.Path, err = tree.Path(0); err != nil || !m.Leads(3) {
		t.Fatalf("a member is refused: %v", err)
	}
	for name, spoil := range map[string]func(*tx.BatchMember){
		"root": func(m *tx.BatchMember) { m.Root[0] ^= 1 }, "index": func(m *tx.BatchMember) { m.Index = 1 },
		"key": func(m *tx.BatchMember) { m.Key = guest.Public() }, "seal key": func(m *tx.BatchMember) { m.SealKey[0] ^= 1 },
		"path": func(m *tx.BatchMember) { m.Path = m.Path[1:] },
	} {
		bad := *m
		if spoil(&bad); bad.Leads(3) {
			t.Errorf("another %s leads to the root", name)
		}
	}
	if m.Leads(2) || m.Leads(0) {
		t.Error("another size leads to the root")
	}
}

func TestBatchMember_Line(t *testing.T) {
	m := batchMember()
	m.Path, m.Index = make([]batch.Hash, batch.MaxPath), batch.Max-1
	line := m.Line()
	got, err := tx.ParseBatchMember(line)
	if err != nil || got.Line() != line {
		t.Fatalf("%d characters: %+v, %v", len(line), got, err)
	}
	id, text, _ := strings.Cut(line, " ")
	other := guest.Public().DeviceID().String()
	zero := batchMember()
	zero.Root = batch.Hash{}
	for _, bad := range []string{"", id, text, other + " " + text, id + " " + text[1:], id + " " + text + "=", id + "  " + text, line + "\n",
		strings.Repeat("A", tx.MaxMemberLine+1), zero.Line()} {
		if _, err := tx.ParseBatchMember(bad); err == nil {
			t.Errorf("%.80q accepted", bad)
		}
	}
}

// FuzzParseBatchMember: a line that is accepted has one form.
func FuzzParseBatchMember(f *testing.F) {
	f.Add(batchMember().Line())
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := tx.ParseBatchMember(s); err == nil && m.Line() != s {
			t.Fatalf("%q and %q are the same proof", s, m.Line())
		}
	})
}

// addrs are addresses and what is wrong with them; the vectors hold the same.
var addrs = []struct {
	text string
	ok   bool
}{
	{"/ip4/192.0.2.7/tcp/27800/p2p/" + peerID, true},
	{"/ip4/0.0.0.0/tcp/1/p2p/" + peerID, true},
	{"/ip6/2001:db8::1/tcp/65535/p2p/" + peerID, true},
	{"/ip6/::/tcp/1/p2p/" + peerID, true},
	{"/ip6/::1/tcp/1/p2p/" + peerID, true},
	{"/ip6/fe80::/tcp/1/p2p/" + peerID, true},
	{"/ip6/1:0:2:3:4:5:6:7/tcp/1/p2p/" + peerID, true},
	{"/ip6/1:0:0:2::3/tcp/1/p2p/" + peerID, true},
	{"/ip6/1::2:0:0:3:4/tcp/1/p2p/" + peerID, true},
	{"/dns4/door.example.net/tcp/443/p2p/" + peerID, true},
	{"/dns6/a-1/tcp/443/p2p/" + peerID, true},
	{"/ip4/192.0.2.7/tcp/1/p2p/" + peerID + "/p2p-circuit/p2p/" + peerID, true},
	{"/ip4/192.0.2.07/tcp/1/p2p/" + peerID, false},
	{"/ip4/192.0.2/tcp/1/p2p/" + peerID, false},
	{"/ip4/192.0.2.7.1/tcp/1/p2p/" + peerID, false},
	{"/ip4/192.0.2.256/tcp/1/p2p/" + peerID, false},
	{"/ip4/+1.0.2.7/tcp/1/p2p/" + peerID, false},
	{"/ip6/2001:DB8::1/tcp/1/p2p/" + peerID, false},
	{"/ip6/2001:0db8::1/tcp/1/p2p/" + peerID, false},
	{"/ip6/2001:db8:0:0:0:0:0:1/tcp/1/p2p/" + peerID, false},
	{"/ip6/1:2:3:4:5:6::7/tcp/1/p2p/" + peerID, false},
	{"/ip6/1::2::3/tcp/1/p2p/" + peerID, false},
	{"/ip6/1:::2/tcp/1/p2p/" + peerID, false},
	{"/ip6/1:2:3:4:5:6:7:8:9/tcp/1/p2p/" + peerID, false},
	{"/ip6/1:2:3/tcp/1/p2p/" + peerID, false},
	{"/ip6/::ffff:c000:207/tcp/1/p2p/" + peerID, false},
	{"/ip6/::ffff:192.0.2.7/tcp/1/p2p/" + peerID, false},
	{"/ip6/fe80::1%eth0/tcp/1/p2p/" + peerID, false},
	{"/ip6//tcp/1/p2p/" + peerID, false},
	{"/dns4/Door.example/tcp/1/p2p/" + peerID, false},
	{"/dns4/-a/tcp/1/p2p/" + peerID, false},
	{"/dns4/a..b/tcp/1/p2p/" + peerID, false},
	{"/dns4/" + strings.Repeat("a", 64) + "/tcp/1/p2p/" + peerID, false},
	{"/dns/a/tcp/1/p2p/" + peerID, false},
	{"/ip4/192.0.2.7/udp/1/p2p/" + peerID, false},
	{"/ip4/192.0.2.7/tcp/0/p2p/" + peerID, false},
	{"/ip4/192.0.2.7/tcp/01/p2p/" + peerID, false},
	{"/ip4/192.0.2.7/tcp/65536/p2p/" + peerID, false},
	{"/ip4/192.0.2.7/tcp/1/p2p/" + peerID[1:], false},
	{"/ip4/192.0.2.7/tcp/1/p2p/" + peerID[:51] + "0", false},
	{"/ip4/192.0.2.7/tcp/1/p2p/" + peerID + "/", false},
	{"/ip4/192.0.2.7/tcp/1/p2p/" + peerID + "/p2p/" + peerID, false},
	{"/ip4/192.0.2.7/tcp/1/p2p/" + peerID + "/p2p-circuit", false},
	{"/ip4/192.0.2.7/tcp/1/ws/p2p/" + peerID, false},
	{"ip4/192.0.2.7/tcp/1/p2p/" + peerID, false},
	{"/dns4/" + strings.Repeat("a.", 93) + "a/tcp/1/p2p/" + peerID, true},
	{"/dns4/" + strings.Repeat("a.", 94) + "ab/tcp/1/p2p/" + peerID, false},
}

func TestValidAddr(t *testing.T) {
	for _, a := range addrs {
		if got := tx.ValidAddr(a.text); got != a.ok {
			t.Errorf("%d %q: %v", len(a.text), a.text, got)
		}
	}
}

// FuzzValidAddr: what is accepted has only letters that cannot steer a log or a
// terminal.
func FuzzValidAddr(f *testing.F) {
	for _, a := range addrs {
		f.Add(a.text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !tx.ValidAddr(s) {
			return
		}
		if len(s) > tx.MaxAddr || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("accepted %q", s)
		}
	})
}
