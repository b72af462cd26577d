package tx

// PublishRelease publishes a firmware version for the devices of a model of the
// acting vendor. Devices check the vendor's threshold themselves.
//
// Evolution: fields 1 to 5 are fixed; new ones are optional and must narrow to
// whom the release applies, so that an old device which refuses them errs on the
// safe side.
type PublishRelease struct {
	Model    string   `cbor:"1,keyasint"`
	Version  string   `cbor:"2,keyasint"` // as ParseSemver reads it
	Artefact Artefact `cbor:"3,keyasint"`
	From     string   `cbor:"4,keyasint,omitempty"` // the oldest version that can be upgraded to this one; none: any
	Floor    string   `cbor:"5,keyasint,omitempty"` // the oldest version that a device which has run this one may go back to; none: any
}

// Kind is KindPublishRelease.
func (*PublishRelease) Kind() Kind { return KindPublishRelease }

// StaticValidate checks names, versions and the artefact.
func (p *PublishRelease) StaticValidate() error {
	if err := validateRelease(p.Model, p.Version); err != nil {
		return err
	}
	v, err := ParseSemver(p.Version)
	if err != nil {
		return err
	}
	for _, s := range []string{p.From, p.Floor} {
		if s == "" {
			continue
		}
		bound, err := ParseSemver(s)
		if err != nil {
			return err
		}
		if bound.Compare(v) > 0 {
			return malformed("a bound above the version itself")
		}
	}
	return p.Artefact.validate()
}

// validateRelease checks what names a release.
func validateRelease(model, version string) error {
	if !validModel(model) {
		return malformed("model must be 1 to 64 printable ASCII characters")
	}
	_, err := ParseSemver(version)
	return err
}
