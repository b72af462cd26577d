package draft

import (
	"fmt"
	"time"

	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Propose drafts a governor's proposal, open for the given time.
func (l Ledger) Propose(p Party, c tx.Change, open time.Duration) (*tx.Tx, error) {
	g, err := l.governor(p)
	if err != nil {
		return nil, err
	}
	return l.build(p, g.Sequence, Life, tx.RoleGovernor, &tx.Propose{Until: l.expires(open), Change: c})
}

// Approve drafts a governor's approval of a proposal.
func (l Ledger) Approve(p Party, id tx.ID) (*tx.Tx, error) {
	g, err := l.governor(p)
	if err != nil {
		return nil, err
	}
	return l.build(p, g.Sequence, Life, tx.RoleGovernor, &tx.Approve{Proposal: id})
}

// Proposal reads what a proposal would change from what its proposer signed,
// and not from what the ledger says about it.
func (l Ledger) Proposal(id tx.ID) (state.Proposal, *tx.Tx, error) {
	r, err := state.GetProposal(l.View, id)
	if err != nil {
		return r, nil, err
	}
	t, err := tx.Decode(r.Tx)
	if err != nil {
		return r, nil, fmt.Errorf("proposal %s: %w", id, err)
	}
	if _, ok := t.Payload.(*tx.Propose); !ok || t.ID(l.Chain) != id {
		return r, nil, &state.Error{Kind: state.Forged, Detail: fmt.Sprintf("the record of proposal %s holds another transaction", id)}
	}
	return r, t, nil
}

// governor reads the acting governor and checks that the party has its key.
func (l Ledger) governor(p Party) (state.Governor, error) {
	g, err := state.GetGovernor(l.View, p.Account)
	if err != nil {
		return g, err
	}
	if !g.Key.Equal(p.Key.Public()) {
		return g, &state.Error{Kind: state.WrongSigner, Detail: fmt.Sprintf("%s is not the key of governor %q", p.Key.Public().ID(), g.Name)}
	}
	return g, nil
}
