package vectors_test

import (
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

// narrowGrant uses every field that narrows a grant.
func narrowGrant() *tx.CreateGrant {
	return &tx.CreateGrant{
		Grantee: guest.Public(), NotBefore: start, NotAfter: start + 3600,
		Targets: []tx.Target{{Device: device.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"close", "open"}}},
		Windows: []tx.Window{{Day: 1, From: 480, To: 1080}, {Day: 1, From: 1320, To: 1440}, {Day: 2, From: 0, To: 360}},
		Zone:    "Europe/Berlin", Uses: 3, Rate: &tx.Rate{Count: 5, Period: 3600}, Depth: 2,
	}
}

// privateGrant is a grant of which the ledger gets to know a digest.
func privateGrant(t *testing.T, chain codec.ChainDigest) (*tx.CreateGrant, []byte) {
	t.Helper()
	g := narrowGrant()
	g.Depth = 0
	p, body, err := tx.Seal(chain, [32]byte{5}, g)
	if err != nil {
		t.Fatal(err)
	}
	return p, body
}

func grantTxCases(t *testing.T) (out []vectors.Case) {
	private, _ := privateGrant(t, chain())
	parent, child := tx.ID{1}, tx.ID{2}
	for _, c := range []struct {
		name string
		p    tx.Payload
	}{
		{"create-grant-narrow", narrowGrant()},
		{"create-grant-private", private},
		{"delegate-grant", &tx.DelegateGrant{Parent: parent, Grant: narrowGrant()}},
		{"delegate-grant-end", &tx.DelegateGrant{Parent: parent, Revoke: &child}},
	} {
		out = append(out, accountTxCase(t, c.name, c.p))
	}
	bad := func(name, note string, want error, f func(*tx.CreateGrant)) {
		g := narrowGrant()
		f(g)
		out = append(out, refusedTxCase(t, "grant-"+name, note, g, want))
	}
	bad("windows-empty", "no windows in a zone", tx.Malformed, func(g *tx.CreateGrant) { g.Windows = nil })
	bad("windows-no-zone", "windows in no zone", tx.Malformed, func(g *tx.CreateGrant) { g.Zone = "" })
	bad("windows-day", "day 8", tx.Malformed, func(g *tx.CreateGrant) { g.Windows[2].Day = 8 })
	bad("windows-midnight", "a window over midnight", tx.Malformed, func(g *tx.CreateGrant) { g.Windows[1].To = 360 })
	bad("windows-late", "a window beyond the day", tx.Malformed, func(g *tx.CreateGrant) { g.Windows[1].To = 1441 })
	bad("windows-order", "windows out of order", tx.Malformed, func(g *tx.CreateGrant) { g.Windows[0].Day = 3 })
	bad("windows-touch", "windows that touch", tx.Malformed, func(g *tx.CreateGrant) { g.Windows[1].From = 1080 })
	bad("windows-many", "15 windows", tx.Malformed, func(g *tx.CreateGrant) {
		g.Windows = nil
		for i := range 15 {
			g.Windows = append(g.Windows, tx.Window{Day: 1, From: uint16(20 * i), To: uint16(20*i + 9)})
		}
	})
	bad("zone-path", "a zone that is a path", tx.Malformed, func(g *tx.CreateGrant) { g.Zone = "../passwd" })
	bad("zone-local", "the machine's own zone", tx.Malformed, func(g *tx.CreateGrant) { g.Zone = "Local" })
	bad("uses", "more uses than may be", tx.Malformed, func(g *tx.CreateGrant) { g.Uses = tx.MaxUses + 1 })
	bad("uses-devices", "uses over two devices", tx.Malformed, func(g *tx.CreateGrant) {
		g.Targets = append(g.Targets, tx.Target{Device: guest.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}})
	})
	bad("rate-zero", "a rate of nothing", tx.Malformed, func(g *tx.CreateGrant) { g.Rate.Count = 0 })
	bad("rate-high", "65 in a period", tx.Malformed, func(g *tx.CreateGrant) { g.Rate.Count = 65 })
	bad("rate-period", "a period of 32 days", tx.Malformed, func(g *tx.CreateGrant) { g.Rate.Period = 32 * 86400 })
	bad("depth", "depth 5", tx.Malformed, func(g *tx.CreateGrant) { g.Depth = 5 })
	bad("depth-passkey", "a phone gives on", tx.InvokeOnly, func(g *tx.CreateGrant) { g.Grantee = phone.Public() })
	bad("private-more", "a private grant with its grantee", tx.Malformed, func(g *tx.CreateGrant) { g.Private = private.Private })
	seal := func(name, note string, f func(*tx.Private)) {
		p := *private.Private
		f(&p)
		out = append(out, refusedTxCase(t, "grant-private-"+name, note, &tx.CreateGrant{Private: &p}, tx.Malformed))
	}
	seal("digest", "a digest of zeros", func(p *tx.Private) { p.Digest = [32]byte{} })
	seal("devices", "no devices", func(p *tx.Private) { p.Devices = nil })
	seal("twice", "a device twice", func(p *tx.Private) { p.Devices = append(p.Devices, p.Devices[0]) })
	seal("epoch", "epoch 0", func(p *tx.Private) { p.Devices = []tx.DeviceEpoch{{Device: device.Public().DeviceID()}} })
	deep := narrowGrant()
	deep.Depth = 4
	return append(out,
		refusedTxCase(t, "delegate-parent", "no parent", &tx.DelegateGrant{Grant: narrowGrant()}, tx.Malformed),
		refusedTxCase(t, "delegate-neither", "nothing is given on or ended", &tx.DelegateGrant{Parent: parent}, tx.Malformed),
		refusedTxCase(t, "delegate-both", "both at once", &tx.DelegateGrant{Parent: parent, Grant: narrowGrant(), Revoke: &child}, tx.Malformed),
		refusedTxCase(t, "delegate-itself", "ends its own parent", &tx.DelegateGrant{Parent: parent, Revoke: &parent}, tx.Malformed),
		refusedTxCase(t, "delegate-nothing", "ends the grant of zeros", &tx.DelegateGrant{Parent: parent, Revoke: &tx.ID{}}, tx.Malformed),
		refusedTxCase(t, "delegate-private", "a private grant", &tx.DelegateGrant{Parent: parent, Grant: private}, tx.Malformed),
		refusedTxCase(t, "delegate-depth", "depth 4", &tx.DelegateGrant{Parent: parent, Grant: deep}, tx.Malformed),
		refusedTxCase(t, "delegate-targets", "no targets", &tx.DelegateGrant{Parent: parent, Grant: &tx.CreateGrant{Grantee: guest.Public(), NotAfter: 1}}, tx.Malformed),
		refusedTxCase(t, "delegate-alg", "an unknown algorithm", &tx.DelegateGrant{Parent: parent, Grant: &tx.CreateGrant{Grantee: key.Public{Alg: 9, Bytes: []byte{1}}, NotAfter: 1}}, key.UnknownAlg),
	)
}

// grantCommandCases bring the body of a private grant along.
func grantCommandCases(t *testing.T) (out []vectors.Case) {
	c := chain()
	_, body := privateGrant(t, c)
	b := commandBody()
	grant := tx.ID{3}
	b.Key, b.Grant, b.Principal = guest.Public().ID(), &grant, guest.Public().AccountID()
	b.WithGrantBody(body)
	r := mustCommand(t, b, guest)
	out = append(out, vectors.Case{Name: "valid/grant-body", Note: "extension 7 holds the body of a private grant", Hex: x(r.Bytes()), In: m{"chain_digest": b32(c), "public": x(guest.Public().Bytes)},
		Want: m{"id": r.ID(c).String(), "endpoint": b.Endpoint, "method": b.Method, "params": x(b.Params), "nonce": u(b.Nonce), "salt": u(b.Salt), "issued_at": u(b.IssuedAt), "expires": u(b.Expires), "signature": x(r.Sigs[0].Bytes)}})
	refuse := func(name, note string, f func(*command.Body)) {
		bad := b
		f(&bad)
		raw := codec.MustMarshal(command.Envelope{Body: codec.MustMarshal(bad), Sigs: r.Sigs})
		out = append(out, vectors.Case{Name: "refused/grant-body-" + name, Note: note, Hex: x(raw), Want: m{"refused": command.Malformed.String()}})
	}
	refuse("no-grant", "the body of a grant that is not named", func(b *command.Body) { b.Grant = nil })
	refuse("number", "a body that is a number", func(b *command.Body) { b.Ext = map[uint64]codec.Raw{command.ExtGrantBody: {0}} })
	refuse("empty", "a body of no bytes", func(b *command.Body) { b.WithGrantBody([]byte{}) })
	refuse("long", "a body of 2049 bytes", func(b *command.Body) { b.WithGrantBody(make([]byte, tx.MaxPrivate+1)) })
	return out
}

// grantHistory gives a grant on and ends it.
func grantHistory(t *testing.T, w *statetest.World) []vectors.Case {
	b := &book{t: t, w: w, prefix: "grants/"}
	b.ledger("grants/genesis", "another ledger, with an empty state before", homely("hos-grants"))
	b.do("register", "a device", w.RegisterTx(t, device), nil)
	b.do("claim", "the owner's", w.ClaimTx(t, owner, device), nil)
	root := w.GiveTx(t, owner, narrowGrant())
	b.do("narrow", "with windows, uses, rate and depth 2", root, nil)
	parent := root.ID(w.Block.Chain)
	child := func(f func(*tx.CreateGrant)) *tx.CreateGrant {
		g := narrowGrant()
		g.Grantee, g.Depth = buyer.Public(), 1
		f(g)
		return g
	}
	asIs := func(*tx.CreateGrant) {}
	give := func(by *key.Private, p *tx.DelegateGrant) *tx.Tx { return w.DelegateTx(t, by, p) }
	b.do("delegate/theft", "somebody who does not have it", give(buyer, &tx.DelegateGrant{Parent: parent, Grant: child(asIs)}), state.WrongSigner)
	b.do("delegate/owner", "nor does the owner", give(owner, &tx.DelegateGrant{Parent: parent, Grant: child(asIs)}), state.WrongSigner)
	b.do("delegate/longer", "a second longer", give(guest, &tx.DelegateGrant{Parent: parent, Grant: child(func(g *tx.CreateGrant) { g.NotAfter++ })}), state.NotNarrower)
	b.do("delegate/windows", "a minute longer", give(guest, &tx.DelegateGrant{Parent: parent, Grant: child(func(g *tx.CreateGrant) { g.Windows[0].To++ })}), state.NotNarrower)
	b.do("delegate/uses", "as often as it likes", give(guest, &tx.DelegateGrant{Parent: parent, Grant: child(func(g *tx.CreateGrant) { g.Uses = 0 })}), state.NotNarrower)
	b.do("delegate/depth", "as deep", give(guest, &tx.DelegateGrant{Parent: parent, Grant: child(func(g *tx.CreateGrant) { g.Depth = 2 })}), state.NotNarrower)
	on := give(guest, &tx.DelegateGrant{Parent: parent, Grant: child(func(g *tx.CreateGrant) { g.Uses, g.Windows = 1, g.Windows[:1] })})
	b.do("delegate", "the buyer has a part of it", on, nil)
	b.do("delegate/replay", "the same bytes again", on, state.BadSequence)
	mid := on.ID(w.Block.Chain)
	further := child(func(g *tx.CreateGrant) { g.Grantee, g.Depth, g.Uses, g.Windows = vendor.Public(), 0, 1, g.Windows[:1] })
	leaf := give(buyer, &tx.DelegateGrant{Parent: mid, Grant: further})
	b.do("delegate/further", "and gives it on once more", leaf, nil)
	id := leaf.ID(w.Block.Chain)
	b.do("end/not-issuer", "what another gave on", give(guest, &tx.DelegateGrant{Parent: parent, Revoke: &id}), state.NotIssuer)
	b.do("end", "the guest takes back what it gave on", give(guest, &tx.DelegateGrant{Parent: parent, Revoke: &mid}), nil)
	b.do("end/twice", "it is dead", give(guest, &tx.DelegateGrant{Parent: parent, Revoke: &mid}), state.GrantRevoked)
	b.do("delegate/dead", "nothing comes out of it", give(buyer, &tx.DelegateGrant{Parent: mid, Grant: further}), state.GrantRevoked)
	b.do("end/owner", "the owner ends what was given on further", w.RevokeTx(t, owner, id), nil)
	private, _ := privateGrant(t, w.Block.Chain)
	sealed := w.GiveTx(t, owner, private)
	b.do("private", "a digest and a device", sealed, nil)
	b.do("private/delegate", "it is not given on", give(guest, &tx.DelegateGrant{Parent: sealed.ID(w.Block.Chain), Grant: child(asIs)}), state.NotNarrower)
	b.do("private/revoke", "it ends as any other", w.RevokeTx(t, owner, sealed.ID(w.Block.Chain)), nil)
	return b.cases
}
