package tx

// Propose puts a change of who runs the ledger before the governors. It is its
// proposer's approval as well. The proposal's id is the transaction's id.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type Propose struct {
	Until  uint64 `cbor:"1,keyasint"` // Unix seconds of block time; void from then on
	Change Change `cbor:"2,keyasint"`
}

// Kind is KindPropose.
func (*Propose) Kind() Kind { return KindPropose }

// StaticValidate checks that there is an end and one change that makes sense.
func (p *Propose) StaticValidate() error {
	if p.Until == 0 {
		return malformed("a proposal without an end")
	}
	action, err := p.Change.Action()
	if err != nil {
		return err
	}
	return action.validate()
}

// Change is what a proposal would change: exactly one of its fields.
//
// Evolution: field numbers are append-only; an unknown one is refused.
type Change struct {
	AddValidator    *AddValidator    `cbor:"1,keyasint,omitempty"`
	RemoveValidator *RemoveValidator `cbor:"2,keyasint,omitempty"`
	ReplaceKey      *ReplaceKey      `cbor:"3,keyasint,omitempty"`
	AdmitVendor     *AdmitVendor     `cbor:"4,keyasint,omitempty"`
	SuspendVendor   *SuspendVendor   `cbor:"5,keyasint,omitempty"`
	SetQuota        *SetQuota        `cbor:"6,keyasint,omitempty"`
	SetParams       *SetParams       `cbor:"7,keyasint,omitempty"`
	ScheduleUpgrade *ScheduleUpgrade `cbor:"8,keyasint,omitempty"`
	CancelUpgrade   *CancelUpgrade   `cbor:"9,keyasint,omitempty"`
	SetGovernors    *SetGovernors    `cbor:"10,keyasint,omitempty"`
}

// Action is a change that governors can propose; a type switch tells them
// apart.
type Action interface {
	// Name is how the change is called in logs, the CLI and docs.
	Name() string

	validate() error
}

// actions lists the changes that are set.
func (c *Change) actions() (out []Action) {
	add := func(set bool, a Action) {
		if set {
			out = append(out, a)
		}
	}
	add(c.AddValidator != nil, c.AddValidator)
	add(c.RemoveValidator != nil, c.RemoveValidator)
	add(c.ReplaceKey != nil, c.ReplaceKey)
	add(c.AdmitVendor != nil, c.AdmitVendor)
	add(c.SuspendVendor != nil, c.SuspendVendor)
	add(c.SetQuota != nil, c.SetQuota)
	add(c.SetParams != nil, c.SetParams)
	add(c.ScheduleUpgrade != nil, c.ScheduleUpgrade)
	add(c.CancelUpgrade != nil, c.CancelUpgrade)
	add(c.SetGovernors != nil, c.SetGovernors)
	return out
}

// Action gives the one change that is set; kind Malformed if there are more or
// none.
func (c *Change) Action() (Action, error) {
	set := c.actions()
	if len(set) != 1 {
		return nil, malformed("a proposal has exactly one change")
	}
	return set[0], nil
}
