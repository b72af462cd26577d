package tx

// FinishRecovery puts the keys of a recovery in force once its delay is over.
// Any one guardian or new admin key signs.
//
// Evolution: field 1 is fixed; new ones are optional.
type FinishRecovery struct {
	Version uint64 `cbor:"1,keyasint"` // that of the recovery
}

// Kind is KindFinishRecovery.
func (*FinishRecovery) Kind() Kind { return KindFinishRecovery }

// StaticValidate checks that a version is named.
func (p *FinishRecovery) StaticValidate() error { return validateVersion(p.Version) }
