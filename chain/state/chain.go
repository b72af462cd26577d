package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Link is a grant in a chain, as its record shows it. Nothing about it has been
// checked but its form.
type Link struct {
	ID     tx.ID
	Record Grant
	Tx     *tx.Tx          // the envelope in the record
	Grant  *tx.CreateGrant // what is given; for a private grant only its digest and devices
}

// Grants is a chain of grants from the owner's own to the one that is used, each
// given on by the grantee of the one before.
type Grants []Link

// Leaf is the grant that is used.
func (g Grants) Leaf() Link { return g[len(g)-1] }

// Revoked gives the first grant of the chain that is dead, if one is: it takes
// all after it along.
func (g Grants) Revoked() (tx.ID, bool) {
	for _, l := range g {
		if l.Record.Status != Active {
			return l.ID, true
		}
	}
	return tx.ID{}, false
}

// ReadGrants reads a grant and those above it. It checks their form and that
// each is what its id says, and no signature.
func ReadGrants(v View, chain codec.ChainDigest, id tx.ID) (Grants, error) {
	var out Grants
	for range tx.MaxDepth + 1 {
		l, parent, err := readLink(v, id)
		if err == nil && l.Tx.ID(chain) != id {
			err = forged("record of grant %s holds another transaction", id)
		}
		if err != nil {
			return nil, err
		}
		out = append(Grants{l}, out...)
		if parent == nil {
			return out, nil
		}
		id = *parent
	}
	return nil, forged("grant %s was given on more than %d times", id, tx.MaxDepth)
}

// readLink reads a grant, and the id of the one that it was given on from.
func readLink(v View, id tx.ID) (Link, *tx.ID, error) {
	g, err := GetGrant(v, id)
	if err != nil {
		return Link{}, nil, err
	}
	l, err := DecodeLink(id, g)
	if err != nil {
		return l, nil, err
	}
	if p, ok := l.Tx.Payload.(*tx.DelegateGrant); ok {
		return l, &p.Parent, nil
	}
	return l, nil, nil
}

// DecodeLink reads what a grant's record holds.
func DecodeLink(id tx.ID, g Grant) (Link, error) {
	l := Link{ID: id, Record: g}
	t, err := tx.Decode(g.Tx)
	if err != nil {
		return l, forged("grant %s: %v", id, err)
	}
	l.Tx = t
	switch p := t.Payload.(type) {
	case *tx.CreateGrant:
		l.Grant = p
	case *tx.DelegateGrant:
		l.Grant = p.Grant // nil: the end of another
	}
	if l.Grant == nil {
		return l, forged("record of grant %s holds a %s that gives none", id, t.Body.Kind)
	}
	return l, nil
}

// VerifyGrants checks a chain as a device must: the owner's present keys signed
// the first grant, and each later one was signed by the grantee of the one
// before and is narrower. Whether one is revoked is not looked at.
func VerifyGrants(chain codec.ChainDigest, owner Pin, grants Grants) error {
	if len(grants) == 0 {
		return forged("no grant")
	}
	first := grants[0]
	first.Record.Status = Active
	if _, err := VerifyGrant(chain, owner, first.ID, first.Record); err != nil {
		return err
	}
	for i, l := range grants[1:] {
		above := grants[i]
		p, ok := l.Tx.Payload.(*tx.DelegateGrant)
		if !ok || p.Parent != above.ID || l.Record.Issuer != owner.Account {
			return forged("grant %s is not under %s", l.ID, above.ID)
		}
		if err := above.Grant.Narrower(l.Grant); err != nil {
			return forged("grant %s: %v", l.ID, err)
		}
		if l.Tx.Body.Account != above.Grant.Grantee.AccountID() {
			return forged("grant %s was given on by another", l.ID)
		}
		if err := verify(l.Tx, l.Tx.Digest(chain), []signer{granteeSigner(above.Grant)}); err != nil {
			return forged("grant %s: %v", l.ID, err)
		}
	}
	return nil
}

// granteeSigner is the key that a grant was given to, in its own right.
func granteeSigner(g *tx.CreateGrant) signer {
	return signer{role: tx.RoleGrantee, keys: []key.Public{g.Grantee}, threshold: 1}
}

// GetRight reads the chain of a grant and refuses it if one in it is revoked.
func GetRight(v View, chain codec.ChainDigest, id tx.ID) (Grants, error) {
	g, err := ReadGrants(v, chain, id)
	if err != nil {
		return nil, err
	}
	if dead, ok := g.Revoked(); ok {
		return g, &Error{Kind: GrantRevoked, Detail: fmt.Sprintf("%s, and with it %s", dead, id)}
	}
	return g, nil
}
