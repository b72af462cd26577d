package tx

// RevokeGrant ends a grant of the acting account for good.
//
// Evolution: field 1 is fixed; new ones are optional.
type RevokeGrant struct {
	Grant ID `cbor:"1,keyasint"` // the id of the transaction that created it
}

// Kind is KindRevokeGrant.
func (*RevokeGrant) Kind() Kind { return KindRevokeGrant }

// StaticValidate checks that a grant is named.
func (p *RevokeGrant) StaticValidate() error {
	if p.Grant.IsZero() {
		return malformed("no grant")
	}
	return nil
}
