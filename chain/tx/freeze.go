package tx

// Freeze stops an account from giving anything away until it is unfrozen: no
// grants, transfers, releases or key changes but recovery. Any one guardian or
// admin key signs.
//
// Evolution: there is no field; new ones are optional.
type Freeze struct{}

// Kind is KindFreeze.
func (*Freeze) Kind() Kind { return KindFreeze }

// StaticValidate has nothing to check.
func (*Freeze) StaticValidate() error { return nil }
