package index

import (
	"testing"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// TestIndex_GivenOn: a grant that was given on is its grantee's, with the owner
// as its issuer; a private one is nobody's.
func TestIndex_GivenOn(t *testing.T) {
	c := newChain(t, Config{})
	ann, bob, cid := people[0], people[1], people[2]
	c.w.Do(t, c.w.RegisterTx(t, things[0]))
	c.w.Do(t, c.w.ClaimTx(t, ann, things[0]))
	p := c.w.Terms(bob.Public(), things[0], "open")
	p.Depth = 1
	give := c.w.GiveTx(t, ann, p)
	c.w.Do(t, give)
	parent := give.ID(c.w.Block.Chain)
	child := *p
	child.Grantee, child.Depth = cid.Public(), 0
	on := c.w.DelegateTx(t, bob, &tx.DelegateGrant{Parent: parent, Grant: &child})
	c.w.Do(t, on)
	sealed, _, err := tx.Seal(c.w.Block.Chain, [32]byte{1}, c.w.Terms(bob.Public(), things[0], "open"))
	if err != nil {
		t.Fatal(err)
	}
	c.w.Do(t, c.w.GiveTx(t, ann, sealed))
	c.commit()
	for name, x := range map[string]*Index{"followed": c.index, "restarted": c.restarted()} {
		c.agree(name, x)
		got, _ := x.GrantsTo(cid.Public().ID())
		if len(got) != 1 || got[0].ID != on.ID(c.w.Block.Chain) || got[0].Issuer != ann.Public().AccountID() {
			t.Errorf("%s: %v", name, got)
		}
		if got, _ := x.GrantsTo(bob.Public().ID()); len(got) != 1 || got[0].ID != parent {
			t.Errorf("%s: %v", name, got)
		}
	}
}
