package tx

// Unfreeze ends a Freeze. The account's threshold signs.
//
// Evolution: there is no field; new ones are optional.
type Unfreeze struct{}

// Kind is KindUnfreeze.
func (*Unfreeze) Kind() Kind { return KindUnfreeze }

// StaticValidate has nothing to check.
func (*Unfreeze) StaticValidate() error { return nil }
