package state

import (
	"fmt"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// applyPropose opens a proposal with its proposer's approval. A change that
// does not fit the present state is refused at once, so that nobody approves
// what cannot be.
func applyPropose(s Tree, b Block, t *tx.Tx) error {
	p := t.Payload.(*tx.Propose)
	gov, err := GetGovernance(s)
	if err != nil {
		return err
	}
	if err := checkUntil(b, p.Until); err != nil {
		return err
	}
	id, proposer := t.ID(b.Chain), t.Body.Account
	if err := gov.open(b, OpenProposal{ID: id, Proposer: proposer, Until: p.Until}); err != nil {
		return err
	}
	r := Proposal{Proposer: proposer, Status: Open, Until: p.Until, Approvals: []key.AccountID{proposer}, Tx: t.Bytes()}
	now := gov.reached(len(r.Approvals))
	if now {
		r.Status = Applied
		gov.close(id)
	}
	if err := put(s, ProposalKey(id), r); err != nil {
		return err
	}
	if err := put(s, GovernanceKey(), gov); err != nil { // before the change, which may replace it
		return err
	}
	if !now {
		s = NewOverlay(s) // rehearsed and thrown away
	}
	return enact(s, b, p)
}

// checkUntil bounds the life of a proposal from both sides.
func checkUntil(b Block, until uint64) error {
	now := uint64(max(b.Time, 0))
	if now >= until {
		return &Error{Kind: ProposalExpired, Detail: fmt.Sprintf("ends at %d, block time is %d", until, now)}
	}
	if until-now > MaxProposalLife {
		return &Error{Kind: ProposalTooLong, Detail: fmt.Sprintf("open for %d s, at most %d", until-now, uint64(MaxProposalLife))}
	}
	return nil
}

// open puts a proposal on the list and takes those off whose end has come.
func (g *Governance) open(b Block, o OpenProposal) error {
	now, own := uint64(max(b.Time, 0)), 0
	var left []OpenProposal
	for _, old := range g.Open {
		if now >= old.Until {
			continue
		}
		left = append(left, old)
		if old.Proposer == o.Proposer {
			own++
		}
	}
	if own >= MaxOpenProposals {
		return &Error{Kind: TooManyProposals, Detail: fmt.Sprintf("%s has %d open proposals", o.Proposer, own)}
	}
	g.Open = append(left, o)
	return nil
}
