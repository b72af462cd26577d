package tx

// DelegateGrant gives a grant on: the grantee of the parent gives another key a
// narrower one, or ends one that it gave. The acting account of the body is the
// account id of the parent's grantee, as in its commands; the sequence is that
// of the parent's record. A grant that was given on is named by the id of this
// transaction.
//
// Evolution: fields 1 to 3 are fixed; new ones are optional.
type DelegateGrant struct {
	Parent ID           `cbor:"1,keyasint"`
	Grant  *CreateGrant `cbor:"2,keyasint,omitempty"` // what is given on
	Revoke *ID          `cbor:"3,keyasint,omitempty"` // or the id of one that was, which ends
}

// Kind is KindDelegateGrant.
func (*DelegateGrant) Kind() Kind { return KindDelegateGrant }

// StaticValidate checks that a grant is given on or ended, and its form.
func (p *DelegateGrant) StaticValidate() error {
	switch {
	case p.Parent.IsZero():
		return malformed("no parent")
	case (p.Grant == nil) == (p.Revoke == nil):
		return malformed("either a grant, or one that ends")
	case p.Revoke != nil && (p.Revoke.IsZero() || *p.Revoke == p.Parent):
		return malformed("no grant that ends, or the parent itself")
	case p.Revoke != nil:
		return nil
	case p.Grant.Private != nil || p.Grant.Depth >= MaxDepth:
		return malformed("a private grant, or one of the greatest depth, under another")
	}
	return p.Grant.StaticValidate()
}
