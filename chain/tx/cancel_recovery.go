package tx

// CancelRecovery ends a recovery before its delay is over. It makes a key
// version of its own, with the same keys, so that what the guardians signed for
// that version is void for everybody who follows the keys.
//
// Evolution: field 1 is fixed; new ones are optional.
type CancelRecovery struct {
	Version uint64 `cbor:"1,keyasint"` // that of the recovery
}

// Kind is KindCancelRecovery.
func (*CancelRecovery) Kind() Kind { return KindCancelRecovery }

// StaticValidate checks that a version is named.
func (p *CancelRecovery) StaticValidate() error { return validateVersion(p.Version) }

func validateVersion(v uint64) error {
	if v == 0 {
		return malformed("no key version")
	}
	return nil
}
