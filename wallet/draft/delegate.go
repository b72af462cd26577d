package draft

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// payload is the grant over the device in its present epoch.
func (g Grant) payload(epoch uint64) *tx.CreateGrant {
	return &tx.CreateGrant{
		Grantee: g.Grantee, Targets: Targets(g, epoch), NotBefore: seconds(g.From), NotAfter: seconds(g.To),
		Windows: tx.Weekly(g.Terms.Windows), Zone: g.Terms.Zone, Uses: g.Terms.Uses, Rate: g.Terms.Rate, Depth: g.Terms.Depth,
	}
}

// PrivateGrant drafts a grant of which the ledger gets to know no more than the
// device, and the body that the grantee gets.
func (l Ledger) PrivateGrant(p Party, g Grant, salt [32]byte) (*tx.Tx, []byte, error) {
	d, err := l.owned(p, g.Device)
	if err != nil {
		return nil, nil, err
	}
	a, err := l.account(p)
	if err != nil {
		return nil, nil, err
	}
	sealed, body, err := tx.Seal(l.Chain, salt, g.payload(d.Epoch))
	if err != nil {
		return nil, nil, err
	}
	t, err := l.build(p, a.Sequence, Life, tx.RoleAccount, sealed)
	return t, body, err
}

// given is the grant with an id that a key has, as the ledger shows it.
func (l Ledger) given(by key.Signer, id tx.ID) (state.Link, error) {
	chain, err := state.GetRight(l.View, l.Chain, id)
	if err != nil {
		return state.Link{}, err
	}
	leaf := chain.Leaf()
	if !leaf.Grant.Grantee.Equal(by.Public()) {
		return leaf, &state.Error{Kind: state.WrongSigner, Detail: fmt.Sprintf("grant %s was not given to this wallet's key", id)}
	}
	return leaf, nil
}

// DelegateGrant drafts the giving on of a grant that a key has. What narrow does
// not change is as in that grant, but for who gets it and the depth, which is 0.
func (l Ledger) DelegateGrant(by *key.Private, parent tx.ID, narrow func(*tx.CreateGrant)) (*tx.Tx, error) {
	leaf, err := l.given(by, parent)
	if err != nil {
		return nil, err
	}
	child := *leaf.Grant
	child.Depth = 0
	narrow(&child)
	if err := leaf.Grant.Narrower(&child); err != nil {
		return nil, &state.Error{Kind: state.NotNarrower, Detail: err.Error()}
	}
	return l.byGrantee(by, leaf.Record.Next, &tx.DelegateGrant{Parent: parent, Grant: &child})
}

// EndDelegated drafts the end of a grant that the holder of a key gave on from
// one that it has; find gives the keys that there are.
func (l Ledger) EndDelegated(id tx.ID, find func(key.KeyID) (*key.Private, bool)) (*tx.Tx, error) {
	g, err := state.GetGrant(l.View, id)
	if err != nil {
		return nil, err
	}
	link, err := state.DecodeLink(id, g)
	if err != nil {
		return nil, err
	}
	p, ok := link.Tx.Payload.(*tx.DelegateGrant)
	if !ok {
		return nil, &state.Error{Kind: state.NotIssuer, Detail: fmt.Sprintf("%s is %s's", id, g.Issuer)}
	}
	chain, err := state.ReadGrants(l.View, l.Chain, p.Parent)
	if err != nil {
		return nil, err
	}
	parent := chain.Leaf()
	by, ok := find(parent.Grant.Grantee.ID())
	if !ok {
		return nil, &state.Error{Kind: state.NotIssuer, Detail: fmt.Sprintf("%s was given on by %s", id, parent.Grant.Grantee)}
	}
	return l.byGrantee(by, parent.Record.Next, &tx.DelegateGrant{Parent: p.Parent, Revoke: &id})
}

func (l Ledger) byGrantee(by *key.Private, next uint64, p *tx.DelegateGrant) (*tx.Tx, error) {
	return l.build(Party{Account: by.Public().AccountID(), Key: by}, next, Life, tx.RoleGrantee, p)
}
