package explain

import (
	"fmt"
	"strings"

	"github.com/hybridos-net/hybridos/chain/tx"
)

func artefact(a tx.Artefact) []Line {
	out := []Line{{"file", fmt.Sprintf("SHA-256 %x, %d bytes", a.SHA256, a.Size)}}
	for _, u := range a.URLs {
		out = append(out, Line{"from", u})
	}
	return out
}

func publishRelease(p *tx.PublishRelease) Summary {
	s := Summary{Title: "Publish firmware: your devices of this model may install it", GivesRights: true, Lines: []Line{
		{"model", fmt.Sprintf("%q", p.Model)}, {"version", p.Version},
	}}
	if p.From != "" {
		s.Lines = append(s.Lines, Line{"upgrades", "from " + p.From + " on"})
	}
	if p.Floor != "" {
		s.Lines = append(s.Lines, Line{"floor", "a device that has run it never goes back below " + p.Floor})
	}
	s.Lines = append(s.Lines, artefact(p.Artefact)...)
	return s
}

func revokeRelease(p *tx.RevokeRelease) Summary {
	return Summary{Title: "Revoke firmware for good: no device installs it any more", Lines: []Line{
		{"model", fmt.Sprintf("%q", p.Model)}, {"version", p.Version},
	}}
}

func publishApp(p *tx.PublishApp) Summary {
	may := strings.Join(p.Permissions, ", ")
	if may == "" {
		may = "nothing"
	}
	s := Summary{Title: "Publish an app: devices may run it", GivesRights: true, Lines: []Line{
		{"app", p.App}, {"version", p.Version}, {"form", p.Form.String()}, {"may call", may},
	}}
	s.Lines = append(s.Lines, artefact(p.Artefact)...)
	return s
}

func revokeApp(p *tx.RevokeApp) Summary {
	return Summary{Title: "Revoke an app for good: no device starts it any more", Lines: []Line{{"app", p.App}, {"version", p.Version}}}
}

func rotateVendorKeys(p *tx.RotateVendorKeys) Summary {
	s := Summary{Title: "Replace the keys of the vendor", GivesRights: true}
	for _, k := range p.Keys {
		s.Lines = append(s.Lines, Line{"key", k.String()})
	}
	s.Lines = append(s.Lines,
		Line{"signs with", fmt.Sprintf("%d of %d keys", p.Threshold, len(p.Keys))},
		Line{"afterwards", "releases that too few of these keys have signed are dead to devices, until they are published again"},
		version(p.Version))
	return s
}
