package tx

import "fmt"

// Form is what an app is made of.
type Form uint8

// The forms. Numbers are append-only.
const (
	// FormJS: JavaScript, one process for each app.
	FormJS Form = 1
	// FormWASM: WebAssembly, sandboxed and portable.
	FormWASM Form = 2
	// FormNative: a program for the device's own processor.
	FormNative Form = 3
	// FormPython: a function in a sandboxed Python.
	FormPython Form = 4
)

var forms = []string{FormJS: "js", FormWASM: "wasm", FormNative: "native", FormPython: "python"}

// String is the name used in the CLI and docs.
func (f Form) String() string {
	if f == 0 || int(f) >= len(forms) {
		return fmt.Sprintf("form-%d", uint8(f))
	}
	return forms[f]
}

// ParseForm reads a name that String gives; kind Malformed otherwise.
func ParseForm(s string) (Form, error) {
	for f, name := range forms {
		if f > 0 && name == s {
			return Form(f), nil
		}
	}
	return 0, malformed(fmt.Sprintf("form %q, want js, wasm, native or python", s))
}

// PublishApp publishes a version of an app of the acting vendor.
//
// Evolution: fields 1 to 5 are fixed; new ones are optional and must narrow what
// the app may do.
type PublishApp struct {
	App         string   `cbor:"1,keyasint"`
	Version     string   `cbor:"2,keyasint"` // as ParseSemver reads it
	Form        Form     `cbor:"3,keyasint"`
	Artefact    Artefact `cbor:"4,keyasint"`
	Permissions []string `cbor:"5,keyasint,omitempty"` // hbus endpoints that it may call, in rising order; none: nothing
}

// Kind is KindPublishApp.
func (*PublishApp) Kind() Kind { return KindPublishApp }

// StaticValidate checks names, version, form, artefact and permissions. There
// are no wildcards.
func (p *PublishApp) StaticValidate() error {
	if err := validateApp(p.App, p.Version); err != nil {
		return err
	}
	if p.Form == 0 || int(p.Form) >= len(forms) {
		return malformed("an unknown form of app")
	}
	if len(p.Permissions) > MaxPermissions {
		return malformed(fmt.Sprintf("%d permissions, at most %d", len(p.Permissions), MaxPermissions))
	}
	for i, e := range p.Permissions {
		if !ValidName(e) {
			return malformed(fmt.Sprintf("endpoint name %q", e))
		}
		if i > 0 && p.Permissions[i-1] >= e {
			return malformed("permissions repeated or out of order")
		}
	}
	return p.Artefact.validate()
}

// validateApp checks what names a version of an app.
func validateApp(app, version string) error {
	if !ValidName(app) {
		return malformed("an app's name must be 1 to 64 of a-z 0-9 _ - .")
	}
	_, err := ParseSemver(version)
	return err
}
