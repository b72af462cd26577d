package tx_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func sealNegatives() []negative {
	return []negative{
		spoil("no device", tx.Malformed, func(p *tx.OpenSeal) { p.Device = key.DeviceID{} }),
		spoil("no epoch", tx.Malformed, func(p *tx.OpenSeal) { p.Epoch = 0 }),
		spoil("no command", tx.Malformed, func(p *tx.OpenSeal) { p.Command = tx.ID{} }),
		spoil("no end", tx.Malformed, func(p *tx.OpenSeal) { p.Until = 0 }),
		spoil("no approvals", tx.Malformed, func(p *tx.OpenSeal) { p.Needed = 0 }),
		spoil("more approvals than keys", tx.Malformed, func(p *tx.OpenSeal) { p.Needed = tx.MaxKeys + 1 }),
	}
}

func anchorNegatives() []negative {
	return []negative{
		spoil("no device", tx.Malformed, func(p *tx.AnchorReceipts) { p.Device = key.DeviceID{} }),
		spoil("no epoch", tx.Malformed, func(p *tx.AnchorReceipts) { p.Epoch = 0 }),
		spoil("from nothing", tx.Malformed, func(p *tx.AnchorReceipts) { p.From = 0 }),
		spoil("backwards", tx.Malformed, func(p *tx.AnchorReceipts) { p.From = p.To + 1 }),
		spoil("no head", tx.Malformed, func(p *tx.AnchorReceipts) { p.Head = [32]byte{} }),
	}
}

// artefactNegatives are those of the file of a release, wherever it stands.
func artefactNegatives[P tx.Payload](of func(P) *tx.Artefact) []negative {
	bad := func(name string, f func(*tx.Artefact)) negative {
		return spoil(name, tx.Malformed, func(p P) { f(of(p)) })
	}
	urls := func(u ...string) func(*tx.Artefact) { return func(a *tx.Artefact) { a.URLs = u } }
	return []negative{
		bad("no hash", func(a *tx.Artefact) { a.SHA256 = [32]byte{} }),
		bad("no size", func(a *tx.Artefact) { a.Size = 0 }),
		bad("too large", func(a *tx.Artefact) { a.Size = tx.MaxArtefact + 1 }),
		bad("too many addresses", urls("https://a/1", "https://a/2", "https://a/3", "https://a/4", "https://a/5")),
		bad("address twice", urls("https://a/1", "https://a/1")),
		bad("addresses out of order", urls("https://b/1", "https://a/1")),
		bad("in clear", urls("http://a/1")),
		bad("no host", urls("https://")),
		bad("only a path", urls("https:///x")),
		bad("a space", urls("https://a/ b")),
		bad("a control character", urls("https://a/\x1b[2J")),
		bad("long address", urls("https://"+strings.Repeat("a", tx.MaxURL))),
		bad("empty address", urls("")),
	}
}

func releaseNegatives() []negative {
	return append(artefactNegatives(func(p *tx.PublishRelease) *tx.Artefact { return &p.Artefact }),
		spoil("no model", tx.Malformed, func(p *tx.PublishRelease) { p.Model = "" }),
		spoil("control character", tx.Malformed, func(p *tx.PublishRelease) { p.Model = "a\x00" }),
		spoil("no version", tx.Malformed, func(p *tx.PublishRelease) { p.Version = "" }),
		spoil("two numbers", tx.Malformed, func(p *tx.PublishRelease) { p.Version = "1.2" }),
		spoil("bad bound from below", tx.Malformed, func(p *tx.PublishRelease) { p.From = "1" }),
		spoil("bound from below above it", tx.Malformed, func(p *tx.PublishRelease) { p.From = "9.0.0" }),
		spoil("bad floor", tx.Malformed, func(p *tx.PublishRelease) { p.Floor = "v1.0.0" }),
		spoil("floor above it", tx.Malformed, func(p *tx.PublishRelease) { p.Floor = "9.0.0" }),
	)
}

func appNegatives() []negative {
	names := make([]string, tx.MaxPermissions+1)
	for i := range names {
		names[i] = fmt.Sprintf("e%02d", i)
	}
	return append(artefactNegatives(func(p *tx.PublishApp) *tx.Artefact { return &p.Artefact }),
		spoil("no name", tx.Malformed, func(p *tx.PublishApp) { p.App = "" }),
		spoil("name in capitals", tx.Malformed, func(p *tx.PublishApp) { p.App = "Timer" }),
		spoil("bad version", tx.Malformed, func(p *tx.PublishApp) { p.Version = "1.02.3" }),
		spoil("no form", tx.Malformed, func(p *tx.PublishApp) { p.Form = 0 }),
		spoil("unknown form", tx.Malformed, func(p *tx.PublishApp) { p.Form = tx.FormPython + 1 }),
		spoil("wildcard", tx.Malformed, func(p *tx.PublishApp) { p.Permissions = []string{"*"} }),
		spoil("permission twice", tx.Malformed, func(p *tx.PublishApp) { p.Permissions = []string{"a", "a"} }),
		spoil("permissions out of order", tx.Malformed, func(p *tx.PublishApp) { p.Permissions = []string{"b", "a"} }),
		spoil("too many permissions", tx.Malformed, func(p *tx.PublishApp) { p.Permissions = names }),
	)
}

func vendorKeyNegatives() []negative {
	return []negative{
		spoil("no version", tx.Malformed, func(p *tx.RotateVendorKeys) { p.Version = 0 }),
		spoil("no keys", tx.Malformed, func(p *tx.RotateVendorKeys) { p.Keys = nil }),
		spoil("too many keys", tx.Malformed, func(p *tx.RotateVendorKeys) { p.Keys = make([]key.Public, tx.MaxKeys+1) }),
		spoil("key twice", tx.Malformed, func(p *tx.RotateVendorKeys) { p.Keys[1] = p.Keys[0] }),
		spoil("key not a point", key.BadKey, func(p *tx.RotateVendorKeys) { p.Keys[1] = badPoint }),
		spoil("passkey", tx.InvokeOnly, func(p *tx.RotateVendorKeys) { p.Keys[1] = passkey }),
		spoil("browser's key", tx.InvokeOnly, func(p *tx.RotateVendorKeys) { p.Keys[0] = browser }),
		spoil("no threshold", tx.Malformed, func(p *tx.RotateVendorKeys) { p.Threshold = 0 }),
		spoil("threshold out of reach", tx.Malformed, func(p *tx.RotateVendorKeys) { p.Threshold = 3 }),
	}
}

// TestParseSemver: one text form for each version, in the order of Semantic
// Versioning 2.0.0, section 11.
func TestParseSemver(t *testing.T) {
	order := []string{
		"0.0.0", "0.0.1-0", "0.0.1", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-99999999999999999999", "1.0.0-1a", "1.0.0-A", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
		"1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0-rc.1.0", "1.0.0-rc.1-x", "1.0.0", "1.0.10", "1.2.0", "1.10.0", "2.0.0", "4294967295.0.0",
	}
	for i, a := range order {
		x, err := tx.ParseSemver(a)
		if err != nil {
			t.Errorf("%s: %v", a, err)
		}
		for j, b := range order {
			y, _ := tx.ParseSemver(b)
			if c := x.Compare(y); (c < 0) != (i < j) || (c == 0) != (i == j) {
				t.Errorf("%s against %s: %d", a, b, c)
			}
		}
	}
	for _, bad := range []string{
		"", "1", "1.2", "1.2.3.4", "v1.2.3", "01.2.3", "1.02.3", "1.2.03", "-1.2.3", "+1.2.3", "1.2.3-", "1.2.3-a..b", "1.2.3-01", "1.2.3-é", "1.2.3-a_b",
		"1.2.3+build", "1.2.3 ", " 1.2.3", "1.2.x", "4294967296.0.0", "10000000000.0.0", "1..3", "1.2.3\n", "1.2.3-" + strings.Repeat("a", tx.MaxName),
	} {
		if _, err := tx.ParseSemver(bad); err == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

// FuzzParseSemver: what is read is a version, equal to itself, and never a
// panic.
func FuzzParseSemver(f *testing.F) {
	for _, s := range []string{"1.2.3", "1.2.3-rc.1", "0.0.0-0", "01.2.3", "1.2.3-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := tx.ParseSemver(s)
		if err != nil {
			return
		}
		text := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
		if v.Pre != "" {
			text += "-" + v.Pre
		}
		if text != s || v.Compare(v) != 0 {
			t.Errorf("%q is read as %q", s, text)
		}
	})
}

func TestForms(t *testing.T) {
	for _, f := range []tx.Form{tx.FormJS, tx.FormWASM, tx.FormNative, tx.FormPython} {
		if got, err := tx.ParseForm(f.String()); err != nil || got != f {
			t.Errorf("%s: %v, %v", f, got, err)
		}
	}
	if _, err := tx.ParseForm(""); err == nil {
		t.Error("no form accepted")
	}
	if s := tx.Form(9).String(); s != "form-9" {
		t.Errorf("unknown form prints as %s", s)
	}
}

// TestSeal_Bounds: the bounds themselves are good.
func TestSeal_Bounds(t *testing.T) {
	d := dev.Public().DeviceID()
	long := "https://" + strings.Repeat("a", tx.MaxURL-8)
	for _, p := range []tx.Payload{
		&tx.OpenSeal{Device: d, Epoch: 1, Command: tx.ID{1}, Needed: tx.MaxKeys, Until: 1},
		&tx.AnchorReceipts{Device: d, Epoch: 1, From: 7, To: 7, Head: [32]byte{1}},
		&tx.PublishRelease{Model: "~", Version: "1.0.0", From: "1.0.0", Floor: "1.0.0", Artefact: tx.Artefact{SHA256: [32]byte{1}, Size: tx.MaxArtefact, URLs: []string{long}}},
		&tx.PublishApp{App: "a", Version: "1.0.0", Form: tx.FormPython, Artefact: tx.Artefact{SHA256: [32]byte{1}, Size: 1}},
	} {
		if err := p.StaticValidate(); err != nil {
			t.Errorf("%s: %v", p.Kind(), err)
		}
	}
}
