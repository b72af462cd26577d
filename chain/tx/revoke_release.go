package tx

// RevokeRelease ends a release of the acting vendor for good: no device
// installs it any more.
//
// Evolution: fields 1 and 2 are fixed; new ones are optional.
type RevokeRelease struct {
	Model   string `cbor:"1,keyasint"`
	Version string `cbor:"2,keyasint"`
}

// Kind is KindRevokeRelease.
func (*RevokeRelease) Kind() Kind { return KindRevokeRelease }

// StaticValidate checks that a release is named.
func (p *RevokeRelease) StaticValidate() error { return validateRelease(p.Model, p.Version) }
