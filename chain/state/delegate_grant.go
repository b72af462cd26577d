package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// delegateGrantSigners is the key that the parent was given to. The account of
// the body names the same key, so that the actor of a transaction is always who
// signs it.
func delegateGrantSigners(v View, t *tx.Tx) ([]signer, error) {
	id := t.Payload.(*tx.DelegateGrant).Parent
	parent, _, err := readLink(v, id)
	switch {
	case err != nil:
		return nil, err
	case parent.Grant.Private != nil:
		return nil, &Error{Kind: NotNarrower, Detail: "a private grant is not given on"}
	case t.Body.Account != parent.Grant.Grantee.AccountID():
		return nil, &Error{Kind: WrongSigner, Detail: fmt.Sprintf("grant %s was not given to %s", id, t.Body.Account)}
	}
	return []signer{granteeSigner(parent.Grant)}, nil
}

func applyDelegateGrant(s Tree, b Block, t *tx.Tx) error {
	p := t.Payload.(*tx.DelegateGrant)
	if p.Revoke != nil {
		return revokeDelegated(s, p)
	}
	chain, err := GetRight(s, b.Chain, p.Parent)
	if err != nil {
		return err
	}
	if err := chain.Leaf().Grant.Narrower(p.Grant); err != nil {
		return &Error{Kind: NotNarrower, Detail: err.Error()}
	}
	root := chain[0]
	issuer, err := GetAccount(s, root.Record.Issuer)
	if err != nil {
		return err
	}
	if issuer.Frozen {
		return &Error{Kind: AccountFrozen, Detail: root.Record.Issuer.String()}
	}
	for _, d := range p.Grant.Devices() {
		if err := grantable(s, root.Record.Issuer, d); err != nil {
			return err
		}
	}
	if root.Record.Given >= MaxGiven {
		return &Error{Kind: TooManyGrants, Detail: fmt.Sprintf("%d were given on from %s", root.Record.Given, root.ID)}
	}
	root.Record.Given++
	if err := put(s, GrantKey(root.ID), root.Record); err != nil {
		return err
	}
	return put(s, GrantKey(t.ID(b.Chain)), Grant{Issuer: root.Record.Issuer, Status: Active, Tx: t.Bytes()})
}

// grantable refuses a grant over a device that is not the issuer's in the given
// epoch.
func grantable(v View, issuer key.AccountID, d tx.DeviceEpoch) error {
	dev, err := GetDevice(v, d.Device)
	switch {
	case err != nil:
		return err
	case dev.Owner == nil || *dev.Owner != issuer:
		return &Error{Kind: NotOwner, Detail: fmt.Sprintf("%s does not own %s", issuer, d.Device)}
	case dev.Epoch != d.Epoch:
		return staleEpoch(d.Epoch, dev.Epoch)
	}
	return nil
}

// revokeDelegated ends a grant that the actor gave on from the parent. The
// owner ends it as any other, with revoke-grant.
func revokeDelegated(s Tree, p *tx.DelegateGrant) error {
	child, parent, err := readLink(s, *p.Revoke)
	switch {
	case err != nil:
		return err
	case parent == nil || *parent != p.Parent:
		return &Error{Kind: NotIssuer, Detail: fmt.Sprintf("%s was not given on from %s", p.Revoke, p.Parent)}
	case child.Record.Status == Revoked:
		return &Error{Kind: GrantRevoked, Detail: p.Revoke.String()}
	}
	child.Record.Status = Revoked
	return put(s, GrantKey(*p.Revoke), child.Record)
}
