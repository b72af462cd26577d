package tx

// Approve is a governor's consent to a proposal. The one that reaches the
// threshold carries the change out.
//
// Evolution: field 1 is fixed; new ones are optional.
type Approve struct {
	Proposal ID `cbor:"1,keyasint"` // the id of the transaction that proposed it
}

// Kind is KindApprove.
func (*Approve) Kind() Kind { return KindApprove }

// StaticValidate checks that a proposal is named.
func (p *Approve) StaticValidate() error {
	if p.Proposal.IsZero() {
		return malformed("no proposal")
	}
	return nil
}
