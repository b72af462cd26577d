package tx

// RevokeApp ends a version of an app of the acting vendor for good.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type RevokeApp struct {
	App     string `cbor:"1,keyasint"`
	Version string `cbor:"2,keyasint"`
}

// Kind is KindRevokeApp.
func (*RevokeApp) Kind() Kind { return KindRevokeApp }

// StaticValidate checks that a version of an app is named.
func (p *RevokeApp) StaticValidate() error { return validateApp(p.App, p.Version) }
