package state

import (
	"fmt"
	"slices"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Governance is how the ledger is governed. A ledger whose genesis document
// names no governors has no such record.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type Governance struct {
	Threshold uint8           `cbor:"1,keyasint"` // governors who must approve a proposal
	Governors []key.AccountID `cbor:"2,keyasint"` // in the order in which they were named
	Open      []OpenProposal  `cbor:"3,keyasint"` // oldest first; those whose end has come are void
}

// OpenProposal is an entry of the list of open proposals.
type OpenProposal struct {
	ID       tx.ID         `cbor:"1,keyasint"`
	Proposer key.AccountID `cbor:"2,keyasint"`
	Until    uint64        `cbor:"3,keyasint"`
}

// Governor is a key that has a say in who runs the ledger. It signs nothing in
// consensus and owns nothing.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type Governor struct {
	Name     string     `cbor:"1,keyasint"`
	Key      key.Public `cbor:"2,keyasint"`           // its hash is the governor's id
	Sequence uint64     `cbor:"3,keyasint"`           // number of its next transaction
	Retired  bool       `cbor:"4,keyasint,omitempty"` // has no say any more
}

// ProposalStatus is the state of a proposal.
type ProposalStatus uint8

// The states of a proposal. Numbers are append-only.
const (
	// Open: it may be approved until its end.
	Open ProposalStatus = 1
	// Applied: it has been carried out.
	Applied ProposalStatus = 2
)

// Proposal is a change that a governor proposed.
//
// Evolution: fields 1 to 5 are fixed; new ones are optional.
type Proposal struct {
	Proposer  key.AccountID   `cbor:"1,keyasint"`
	Status    ProposalStatus  `cbor:"2,keyasint"`
	Until     uint64          `cbor:"3,keyasint"` // Unix seconds of block time; void from then on
	Approvals []key.AccountID `cbor:"4,keyasint"` // the proposer first
	Tx        []byte          `cbor:"5,keyasint"` // the signed Propose envelope
}

// GetGovernance reads how the ledger is governed; kind GovernanceOff if it is
// not.
func GetGovernance(v View) (r Governance, err error) {
	err = get(v, GovernanceKey(), &r, GovernanceOff)
	return r, err
}

// GetGovernor reads a governor who has a say; kind NoGovernor if there is none,
// and GovernanceOff if there are no governors at all.
func GetGovernor(v View, id key.AccountID) (r Governor, err error) {
	r, err = anyGovernor(v, id)
	if err == nil && r.Retired {
		return r, &Error{Kind: NoGovernor, Detail: fmt.Sprintf("%q is none any more", r.Name)}
	}
	if isKind(err, NoGovernor) {
		if _, off := GetGovernance(v); off != nil {
			return r, off
		}
	}
	return r, err
}

// anyGovernor reads a governor, also one of before.
func anyGovernor(v View, id key.AccountID) (r Governor, err error) {
	err = get(v, GovernorKey(id), &r, NoGovernor)
	return r, err
}

// GetProposal reads a proposal; kind NoProposal if there is none.
func GetProposal(v View, id tx.ID) (r Proposal, err error) {
	err = get(v, ProposalKey(id), &r, NoProposal)
	return r, err
}

// FirstGovernors writes the governors that a ledger starts with.
func FirstGovernors(s Tree, threshold uint8, governors []Governor) error {
	gov := Governance{Threshold: threshold}
	for _, g := range governors {
		id := g.Key.AccountID()
		gov.Governors = append(gov.Governors, id)
		if err := put(s, GovernorKey(id), g); err != nil {
			return err
		}
	}
	return put(s, GovernanceKey(), gov)
}

func governorSigners(v View, t *tx.Tx) ([]signer, error) {
	g, err := GetGovernor(v, t.Body.Account)
	if err != nil {
		return nil, err
	}
	return []signer{{role: tx.RoleGovernor, keys: []key.Public{g.Key}, threshold: 1}}, nil
}

// reached reports whether enough governors have approved. It is never below
// one, so that an unset record gives no right to anybody.
func (g Governance) reached(approvals int) bool { return approvals >= max(1, int(g.Threshold)) }

// lists reports whether a proposal is on the list of open ones.
func (g Governance) lists(id tx.ID) bool {
	return slices.ContainsFunc(g.Open, func(o OpenProposal) bool { return o.ID == id })
}

// close takes a proposal off the list.
func (g *Governance) close(id tx.ID) {
	var left []OpenProposal
	for _, o := range g.Open {
		if o.ID != id {
			left = append(left, o)
		}
	}
	g.Open = left
}

// enact carries a change out, or tells by its kind why it does not fit the
// state.
func enact(s Tree, b Block, p *tx.Propose) error {
	action, err := p.Change.Action()
	if err != nil {
		return err
	}
	switch a := action.(type) {
	case *tx.AddValidator:
		return addValidator(s, b, a)
	case *tx.RemoveValidator:
		return removeValidator(s, b, a)
	case *tx.ReplaceKey:
		return replaceKey(s, b, a)
	case *tx.AdmitVendor:
		return admitVendor(s, a)
	case *tx.SuspendVendor:
		return suspendVendor(s, a)
	case *tx.SetQuota:
		return setQuota(s, a)
	case *tx.SetParams:
		return setParams(s, a)
	case *tx.ScheduleUpgrade:
		return scheduleUpgrade(s, b, a)
	case *tx.CancelUpgrade:
		return cancelUpgrade(s, b, a)
	case *tx.SetGovernors:
		return setGovernors(s, b, a)
	default:
		return &Error{Kind: NotAuthorised, Detail: fmt.Sprintf("no rule for the change %s", action.Name())}
	}
}

func admitVendor(s Tree, a *tx.AdmitVendor) error {
	id := a.Keys[0].AccountID()
	ven, err := GetVendor(s, id)
	switch {
	case err == nil && !ven.Suspended:
		return &Error{Kind: VendorExists, Detail: id.String()}
	case err != nil && !isKind(err, NoVendor):
		return err
	}
	ven.Name, ven.Keys, ven.Threshold, ven.Quota, ven.Suspended = a.VendorName, a.Keys, a.Threshold, a.Quota, false
	return put(s, VendorKey(id), ven)
}

func suspendVendor(s Tree, a *tx.SuspendVendor) error {
	ven, err := GetVendor(s, a.Vendor)
	if err != nil {
		return err
	}
	if ven.Suspended {
		return &Error{Kind: VendorSuspended, Detail: fmt.Sprintf("vendor %q", ven.Name)}
	}
	ven.Suspended = true
	return put(s, VendorKey(a.Vendor), ven)
}

func setQuota(s Tree, a *tx.SetQuota) error {
	ven, err := GetVendor(s, a.Vendor)
	if err != nil {
		return err
	}
	ven.Quota = a.Quota
	return put(s, VendorKey(a.Vendor), ven)
}
