package vectors_test

import (
	"testing"

	"github.com/hybridos-net/hybridos/chain/batch"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

// home is an address of the device.
const home = "/ip4/192.0.2.7/tcp/27800/p2p/" + statetest.PeerID

// badAddrs are refused, each for another reason.
var badAddrs = [][2]string{
	{"host", "/ip4/192.0.2.07/tcp/1/p2p/" + statetest.PeerID},
	{"octets", "/ip4/192.0.2/tcp/1/p2p/" + statetest.PeerID},
	{"ip6-capitals", "/ip6/2001:DB8::1/tcp/1/p2p/" + statetest.PeerID},
	{"ip6-long", "/ip6/2001:db8:0:0:0:0:0:1/tcp/1/p2p/" + statetest.PeerID},
	{"ip6-one-zero", "/ip6/1:2:3:4:5:6::7/tcp/1/p2p/" + statetest.PeerID},
	{"ip6-second-run", "/ip6/1:0:0:2:3:4::/tcp/1/p2p/" + statetest.PeerID},
	{"ip6-mapped", "/ip6/::ffff:c000:207/tcp/1/p2p/" + statetest.PeerID},
	{"ip6-groups", "/ip6/1:2:3:4:5:6:7:8:9/tcp/1/p2p/" + statetest.PeerID},
	{"dns-capitals", "/dns4/Door.example/tcp/1/p2p/" + statetest.PeerID},
	{"dns-dash", "/dns4/door-/tcp/1/p2p/" + statetest.PeerID},
	{"transport", "/ip4/192.0.2.7/udp/1/p2p/" + statetest.PeerID},
	{"port", "/ip4/192.0.2.7/tcp/65536/p2p/" + statetest.PeerID},
	{"no-peer", "/ip4/192.0.2.7/tcp/1"},
	{"peer", "/ip4/192.0.2.7/tcp/1/p2p/" + statetest.PeerID[:51] + "0"},
	{"circuit", "/ip4/192.0.2.7/tcp/1/p2p/" + statetest.PeerID + "/p2p-circuit"},
}

func rules() []tx.MethodPolicy {
	return []tx.MethodPolicy{
		{Endpoint: "lock", Method: "open", Class: tx.FreshSealed, Signers: 2},
		{Endpoint: "lock", Method: "state", Class: tx.FreshRead, Signers: 1},
	}
}

func lifetimeTxCases(t *testing.T) (out []vectors.Case) {
	id := device.Public().DeviceID()
	l := statetest.Leaf(device)
	member := func() *tx.BatchMember {
		return &tx.BatchMember{Vendor: vendor.Public().AccountID(), Root: batch.Hash{1}, Index: 2, Key: l.Key, SealKey: l.SealKey, Path: []batch.Hash{{2}, {3}}}
	}
	for _, c := range []struct {
		name string
		p    tx.Payload
	}{
		{"register-batch", &tx.RegisterBatch{Root: batch.Hash{1}, Size: batch.Max, Model: "Lock 2"}},
		{"claim-batch", &tx.Claim{Device: id, Epoch: 1, Batch: member()}},
		{"set-policy", &tx.SetPolicy{Device: id, Epoch: 1, Version: 1, Rules: rules()}},
		{"set-policy-none", &tx.SetPolicy{Device: id, Epoch: 1, Version: 2}},
		{"set-addresses", &tx.SetAddresses{Device: id, Epoch: 1, Addrs: []string{
			home, "/ip6/2001:db8::1/tcp/27800/p2p/" + statetest.PeerID, "/ip6/1:0:0:2::3/tcp/1/p2p/" + statetest.PeerID, "/ip6/::/tcp/1/p2p/" + statetest.PeerID,
			"/dns4/door.example.net/tcp/443/p2p/" + statetest.PeerID, "/ip4/192.0.2.8/tcp/1/p2p/" + statetest.PeerID + "/p2p-circuit/p2p/" + statetest.PeerID,
		}}},
		{"set-addresses-none", &tx.SetAddresses{Device: id, Epoch: 1}},
	} {
		out = append(out, accountTxCase(t, c.name, c.p))
	}
	refuse := func(name, note string, p tx.Payload, want error) {
		out = append(out, refusedTxCase(t, name, note, p, want))
	}
	refuse("batch-no-root", "a root of zeros", &tx.RegisterBatch{Size: 1, Model: "x"}, tx.Malformed)
	refuse("batch-size", "2^24 + 1 devices", &tx.RegisterBatch{Root: batch.Hash{1}, Size: batch.Max + 1, Model: "x"}, tx.Malformed)
	refuse("batch-empty", "no device", &tx.RegisterBatch{Root: batch.Hash{1}, Model: "x"}, tx.Malformed)
	members := func(name, note string, want error, f func(*tx.BatchMember)) {
		m := member()
		f(m)
		refuse("claim-batch-"+name, note, &tx.Claim{Device: id, Epoch: 1, Batch: m}, want)
	}
	members("device", "the leaf of another device", tx.Malformed, func(m *tx.BatchMember) { m.Key = guest.Public() })
	members("index", "index 2^24", tx.Malformed, func(m *tx.BatchMember) { m.Index = batch.Max })
	members("path", "25 hashes", tx.Malformed, func(m *tx.BatchMember) { m.Path = make([]batch.Hash, batch.MaxPath+1) })
	members("seal-key", "an X25519 key of zeros", tx.Malformed, func(m *tx.BatchMember) { m.SealKey = [32]byte{} })
	members("vendor", "a vendor of zeros", tx.Malformed, func(m *tx.BatchMember) { m.Vendor = [20]byte{} })
	members("passkey", "the leaf of a phone", tx.InvokeOnly, func(m *tx.BatchMember) { m.Key = phone.Public() })
	policies := func(name, note string, f func(*tx.SetPolicy)) {
		p := &tx.SetPolicy{Device: id, Epoch: 1, Version: 1, Rules: rules()}
		f(p)
		refuse("policy-"+name, note, p, tx.Malformed)
	}
	policies("version", "version 0", func(p *tx.SetPolicy) { p.Version = 0 })
	policies("class", "class 4", func(p *tx.SetPolicy) { p.Rules[0].Class = 4 })
	policies("signers", "no signer", func(p *tx.SetPolicy) { p.Rules[0].Signers = 0 })
	policies("many-signers", "17 signers", func(p *tx.SetPolicy) { p.Rules[0].Signers = 17 })
	policies("order", "rules out of order", func(p *tx.SetPolicy) { p.Rules[0], p.Rules[1] = p.Rules[1], p.Rules[0] })
	policies("twice", "a rule twice", func(p *tx.SetPolicy) { p.Rules[1] = p.Rules[0] })
	policies("name", "a wildcard", func(p *tx.SetPolicy) { p.Rules[0].Method = "*" })
	for _, a := range badAddrs {
		refuse("address-"+a[0], a[1], &tx.SetAddresses{Device: id, Epoch: 1, Addrs: []string{a[1]}}, tx.Malformed)
	}
	refuse("address-twice", "an address twice", &tx.SetAddresses{Device: id, Epoch: 1, Addrs: []string{home, home}}, tx.Malformed)
	return out
}

// lifetimeHistory makes a batch, claims from it, and sets policy and addresses.
func lifetimeHistory(t *testing.T, w *statetest.World) []vectors.Case {
	b := &book{t: t, w: w, prefix: "batch/"}
	d := homely("hos-lifetime")
	d.Vendors[0].Quota = 4
	b.ledger("batch/genesis", "another ledger, with an empty state before", d)
	run := []string{"batched 0", "batched 1", "batched 2"}
	one, two, three := statetest.Key(run[0]), statetest.Key(run[1]), statetest.Key(run[2])
	b.do("claim/early", "the batch is not registered", w.MemberTx(t, owner, one, w.Member(t, 0, one, two, three)), state.NoBatch)
	b.do("register", "three devices", w.BatchTx(t, one, two, three), nil)
	b.do("register/twice", "the same root", w.BatchTx(t, one, two, three), state.BatchExists)
	b.do("register/quota", "one is left of the quota of 4", w.BatchTx(t, device, guest), state.QuotaExceeded)
	bad := func(name, note string, want error, f func(*tx.BatchMember)) {
		m := w.Member(t, 0, one, two, three)
		f(m)
		b.do("claim/"+name, note, w.MemberTx(t, owner, one, m), want)
	}
	bad("index", "the batch has three", state.BatchIndex, func(m *tx.BatchMember) { m.Index = 3 })
	bad("short", "a hash too few", state.BatchPath, func(m *tx.BatchMember) { m.Path = m.Path[:1] })
	bad("path", "a bit of the path", state.NotInBatch, func(m *tx.BatchMember) { m.Path[1][31] ^= 1 })
	bad("place", "the place of the second", state.NotInBatch, func(m *tx.BatchMember) { m.Index = 1 })
	b.do("claim/bare", "without the proof there is no such device", w.MemberTx(t, owner, one, nil), state.NoDevice)
	b.do("claim/last", "the last one, whose path is shorter", w.MemberTx(t, owner, three, w.Member(t, 2, one, two, three)), nil)
	b.do("claim", "the first device, which gets its record", w.MemberTx(t, owner, one, w.Member(t, 0, one, two, three)), nil)
	b.do("claim/again", "it has a record now", w.MemberTx(t, buyer, one, w.Member(t, 0, one, two, three)), state.DeviceExists)
	b.do("policy", "two keys to open", w.PolicyTx(t, owner, one, rules()...), nil)
	b.do("policy/version", "version 1 again", by(t, w, owner, &tx.SetPolicy{Device: one.Public().DeviceID(), Epoch: 1, Version: 1}), state.BadPolicyVersion)
	b.do("policy/epoch", "another epoch", by(t, w, owner, &tx.SetPolicy{Device: one.Public().DeviceID(), Epoch: 2, Version: 2}), state.StaleEpoch)
	b.do("policy/none", "as made again", w.PolicyTx(t, owner, one), nil)
	b.do("addresses", "where it is", w.AddressesTx(t, owner, one, home), nil)
	b.do("addresses/nowhere", "taken back", w.AddressesTx(t, owner, one), nil)
	b.do("release", "the policy dies with the epoch", w.ReleaseTx(t, owner, one), nil)
	b.do("policy/old-owner", "no more", w.PolicyTx(t, owner, one), state.NotOwner)
	return b.cases
}
