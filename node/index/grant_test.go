package index

import (
	"slices"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/node/api"
)

// TestIndex_GivenOn: a grant that was given on is its grantee's, with the owner
// as its issuer; a private one is nobody's.
func TestIndex_GivenOn(t *testing.T) {
	c := newChain(t, Config{}, 0)
	ann, bob, cid := people[0], people[1], people[2]
	do := func(x *tx.Tx) tx.ID {
		t.Helper()
		if !c.put(x) {
			t.Fatalf("%s was refused", x.Body.Kind)
		}
		return x.ID(c.w.Block.Chain)
	}
	do(c.w.RegisterTx(t, things[0]))
	do(c.w.ClaimTx(t, ann, things[0]))
	p := c.w.Terms(bob.Public(), things[0], "open")
	p.Depth = 1
	parent := do(c.w.GiveTx(t, ann, p))
	child := *p
	child.Grantee, child.Depth = cid.Public(), 0
	on := do(c.w.DelegateTx(t, bob, &tx.DelegateGrant{Parent: parent, Grant: &child}))
	sealed, _, err := tx.Seal(c.w.Block.Chain, [32]byte{1}, c.w.Terms(bob.Public(), things[0], "open"))
	if err != nil {
		t.Fatal(err)
	}
	private := do(c.w.GiveTx(t, ann, sealed))
	c.commit()
	c.settle(c.index)
	device := things[0].Public().DeviceID()
	for name, x := range map[string]*Index{"followed": c.index, "fresh": c.fresh()} {
		for _, q := range []struct {
			api.GrantQuery
			want []tx.ID
		}{
			{api.GrantQuery{Grantee: keyID(cid)}, []tx.ID{on}},
			{api.GrantQuery{Grantee: keyID(bob)}, []tx.ID{parent}},
			{api.GrantQuery{Device: &device}, []tx.ID{parent, on, private}},
		} {
			got := all(t, 2, func(p api.Part) (api.Page[api.GrantRef], error) { return x.Grants(q.GrantQuery, p) })
			if len(got) != len(q.want) {
				t.Errorf("%s: %v", name, got)
			}
			for _, g := range got {
				if !slices.Contains(q.want, g.ID) || g.Issuer != ann.Public().AccountID() {
					t.Errorf("%s: %v", name, g)
				}
				if (g.ID == private) != (g.Grantee == key.KeyID{}) {
					t.Errorf("%s: the grantee of %v", name, g)
				}
			}
		}
	}
}

func keyID(k *key.Private) *key.KeyID {
	id := k.Public().ID()
	return &id
}
