package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/tx"
)

func applyRevokeGrant(s Tree, _ Block, t *tx.Tx) error {
	p := t.Payload.(*tx.RevokeGrant)
	g, err := GetGrant(s, p.Grant)
	if err != nil {
		return err
	}
	if g.Issuer != t.Body.Account {
		return &Error{Kind: NotIssuer, Detail: fmt.Sprintf("%s did not give %s", t.Body.Account, p.Grant)}
	}
	if g.Status == Revoked {
		return &Error{Kind: GrantRevoked, Detail: p.Grant.String()}
	}
	g.Status = Revoked
	return put(s, GrantKey(p.Grant), g)
}
