package state

import (
	"fmt"
	"slices"

	"github.com/hybridos-net/hybridos/chain/tx"
)

// setGovernors replaces the council. Every proposal that is open ends, since
// who approved it may have no say any more. Who stays keeps the sequence number,
// and so does who leaves, should he come back: no old transaction gets alive
// again.
func setGovernors(s Tree, b Block, a *tx.SetGovernors) error {
	gov, err := GetGovernance(s)
	if err != nil {
		return err
	}
	for _, id := range gov.Governors {
		g, err := GetGovernor(s, id)
		if err != nil {
			return err
		}
		g.Retired = true
		if err := put(s, GovernorKey(id), g); err != nil {
			return err
		}
	}
	was := gov.Governors
	gov.Threshold, gov.Governors, gov.Open = a.Threshold, nil, nil
	for _, n := range a.Governors {
		g, err := anyGovernor(s, n.Key.AccountID())
		if err != nil && !isKind(err, NoGovernor) {
			return err
		}
		id := n.Key.AccountID()
		if !slices.Contains(was, id) && n.Key.Verify(tx.GovernorDigest(b.Chain, n.Key), n.Proof) != nil {
			return &Error{Kind: BadProof, Detail: fmt.Sprintf("key of governor %q", n.GovernorName)}
		}
		g.Name, g.Key, g.Retired = n.GovernorName, n.Key, false
		if err := put(s, GovernorKey(id), g); err != nil {
			return err
		}
		gov.Governors = append(gov.Governors, id)
	}
	return put(s, GovernanceKey(), gov)
}
