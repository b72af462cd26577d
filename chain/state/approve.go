package state

import (
	"fmt"
	"slices"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// applyApprove adds a governor's approval. The one that reaches the threshold
// carries the change out; if that does not fit the state any more, the approval
// is refused with the reason, and the proposal stays open until its end.
func applyApprove(s Tree, b Block, t *tx.Tx) error {
	id := t.Payload.(*tx.Approve).Proposal
	gov, err := GetGovernance(s)
	if err != nil {
		return err
	}
	r, err := GetProposal(s, id)
	if err != nil {
		return err
	}
	switch {
	case r.Status != Open:
		return &Error{Kind: ProposalClosed, Detail: id.String()}
	case uint64(max(b.Time, 0)) >= r.Until:
		return &Error{Kind: ProposalExpired, Detail: fmt.Sprintf("%s ended at %d", id, r.Until)}
	case !gov.lists(id):
		return &Error{Kind: ProposalClosed, Detail: fmt.Sprintf("%s ended with the governors before", id)}
	case slices.Contains(r.Approvals, t.Body.Account):
		return &Error{Kind: AlreadyApproved, Detail: t.Body.Account.String()}
	}
	r.Approvals = append(r.Approvals, t.Body.Account)
	if gov.reached(len(r.Approvals)) {
		r.Status = Applied
		gov.close(id)
		if err := put(s, GovernanceKey(), gov); err != nil { // before the change, which may replace it
			return err
		}
		if err := carryOut(s, b, id, r); err != nil {
			return err
		}
	}
	return put(s, ProposalKey(id), r)
}

func carryOut(s Tree, b Block, id tx.ID, r Proposal) error {
	t, err := tx.Decode(r.Tx)
	if err != nil {
		return fmt.Errorf("proposal %s: %w", id, err)
	}
	p, ok := t.Payload.(*tx.Propose)
	if !ok {
		return forged("record of proposal %s holds another transaction", id)
	}
	return enact(s, b, p)
}
