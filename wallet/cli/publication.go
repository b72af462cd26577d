package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
)

// maxListed is how many versions a list shows, the newest first.
const maxListed = 1000

// wares is what a vendor publishes versions of: firmware or apps.
type wares struct {
	use, arg, noun string
	shelf          func(key.AccountID, string) state.Shelf
	read           func(l draft.Ledger, vendor key.AccountID, name, version string) (draft.Published, error)
	revoke         func(name, version string) tx.Payload
}

var firmware = wares{"release", "MODEL", "firmware", state.Releases, draft.Ledger.PublishedRelease,
	func(name, version string) tx.Payload { return &tx.RevokeRelease{Model: name, Version: version} }}

var apps = wares{"app", "APP", "app", state.Apps, draft.Ledger.PublishedApp,
	func(name, version string) tx.Payload { return &tx.RevokeApp{App: name, Version: version} }}

func (a *App) vendorRelease() *cobra.Command {
	return group("release", "Firmware of a vendor", a.releasePublish(), a.revokeWare(firmware), a.listWares(firmware), a.showWare(firmware))
}

func (a *App) vendorApp() *cobra.Command {
	return group("app", "Apps of a vendor", a.appPublish(), a.revokeWare(apps), a.listWares(apps), a.showWare(apps))
}

func (a *App) releasePublish() *cobra.Command {
	var m maker
	var urls []string
	var p tx.PublishRelease
	c := &cobra.Command{
		Use: "publish FILE", Short: "Publish firmware for a model", Args: cobra.ExactArgs(1),
		Long: "Puts the hash and size of FILE on the ledger, signed by the vendor's threshold; the file\nitself does not go there. A version that is published already may be published again,\nword for word, after the vendor's keys have changed.",
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if p.Artefact, err = artefactOf(args[0], urls); err != nil {
				return err
			}
			return a.publish(c.Context(), m, &p, fmt.Sprintf("%q %s is published", p.Model, p.Version))
		},
	}
	m.flags(c)
	f := c.Flags()
	f.StringVar(&p.Model, "model", "", "the model that it is for")
	f.StringVar(&p.Version, "version", "", "such as 1.2.3 or 1.2.3-rc.1")
	f.StringVar(&p.From, "from", "", "the oldest version that can be upgraded to it")
	f.StringVar(&p.Floor, "floor", "", "the oldest version that a device which has run it may go back to")
	f.StringArrayVar(&urls, "url", nil, "https address where it may be had (repeatable)")
	return c
}

func (a *App) appPublish() *cobra.Command {
	var m maker
	var urls []string
	var form string
	var p tx.PublishApp
	c := &cobra.Command{
		Use: "publish FILE", Short: "Publish a version of an app", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if p.Form, err = tx.ParseForm(form); err != nil {
				return usagef("--form: %v", err)
			}
			if p.Artefact, err = artefactOf(args[0], urls); err != nil {
				return err
			}
			slices.Sort(p.Permissions)
			return a.publish(c.Context(), m, &p, fmt.Sprintf("app %s %s is published", p.App, p.Version))
		},
	}
	m.flags(c)
	f := c.Flags()
	f.StringVar(&p.App, "app", "", "name of the app")
	f.StringVar(&p.Version, "version", "", "such as 1.2.3 or 1.2.3-rc.1")
	f.StringVar(&form, "form", "", "js, wasm, native or python")
	f.StringSliceVar(&p.Permissions, "may-call", nil, "endpoints of the bus that it may call")
	f.StringArrayVar(&urls, "url", nil, "https address where it may be had (repeatable)")
	return c
}

func (a *App) publish(ctx context.Context, m maker, p tx.Payload, sentence string) error {
	if err := p.StaticValidate(); err != nil {
		return usage(err)
	}
	return a.withSession(func(s *session) error {
		return s.byVendor(ctx, m, "publish", sentence, func(l draft.Ledger, by draft.Maker) (*tx.Tx, error) { return l.ByVendor(by, p) })
	})
}

// artefactOf reads a file once, whatever its size.
func artefactOf(path string, urls []string) (a tx.Artefact, err error) {
	f, err := os.Open(path)
	if err != nil {
		return a, &failure{exit: exitUsage, kind: kindUsage, what: "cannot read the file", err: err, try: "name a file that can be read"}
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return a, doing("read the file", err)
	}
	a.Size = uint64(n)
	h.Sum(a.SHA256[:0])
	a.URLs = slices.Sorted(slices.Values(urls))
	return a, nil
}

func (a *App) revokeWare(w wares) *cobra.Command {
	var m maker
	c := &cobra.Command{
		Use: "revoke " + w.arg + " VERSION", Short: "End a version for good: no device takes it any more", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			p := w.revoke(args[0], args[1])
			if err := p.StaticValidate(); err != nil {
				return usage(err)
			}
			return a.withSession(func(s *session) error {
				return s.byVendor(c.Context(), m, "revoke the "+w.noun, fmt.Sprintf("%s %q %s is revoked", w.noun, args[0], args[1]),
					func(l draft.Ledger, by draft.Maker) (*tx.Tx, error) { return l.ByVendor(by, p) })
			})
		},
	}
	m.flags(c)
	return c
}

// wareInfo is a version as the ledger shows it.
type wareInfo struct {
	Version     string   `json:"version"`
	Status      string   `json:"status"` // active or revoked
	Valid       bool     `json:"valid"`  // the vendor's present keys signed it, and enough of them
	SHA256      string   `json:"sha256,omitempty"`
	Size        uint64   `json:"size,omitempty"`
	URLs        []string `json:"urls,omitempty"`
	From        string   `json:"from,omitempty"`
	Floor       string   `json:"floor,omitempty"`
	Form        string   `json:"form,omitempty"`
	Permissions []string `json:"permissions,omitempty"`

	why error
}

func newWareInfo(p draft.Published) wareInfo {
	out := wareInfo{Version: p.Version, Status: "active", Valid: p.Refusal == nil, why: p.Refusal}
	if p.Record.Status != state.Active {
		out.Status = "revoked"
	}
	var file tx.Artefact
	switch r := p.Payload.(type) {
	case *tx.PublishRelease:
		file, out.From, out.Floor = r.Artefact, r.From, r.Floor
	case *tx.PublishApp:
		file, out.Form, out.Permissions = r.Artefact, r.Form.String(), r.Permissions
	default:
		return out
	}
	out.SHA256, out.Size, out.URLs = hex.EncodeToString(file.SHA256[:]), file.Size, file.URLs
	return out
}

// word is one word for people.
func (i wareInfo) word() string {
	switch {
	case i.Status == "revoked":
		return "revoked"
	case !i.Valid:
		return "refused"
	default:
		return "good"
	}
}

type wareResult struct {
	header
	Vendor   key.AccountID `json:"vendor"`
	Name     string        `json:"name"`
	Versions []wareInfo    `json:"versions"` // the one that was published last first
}

func (a *App) listWares(w wares) *cobra.Command {
	return a.readWares(&cobra.Command{
		Use: "list " + w.arg, Short: "List the versions, the one that was published last first", Args: cobra.ExactArgs(1),
	}, w, func(l draft.Ledger, id key.AccountID, args []string) (out []wareInfo, err error) {
		version, err := w.shelf(id, args[0]).Newest(l.View)
		if errors.Is(err, state.NoRelease) {
			_, err = state.GetVendor(l.View, id)
			return []wareInfo{}, err
		}
		for err == nil && version != "" && len(out) < maxListed {
			var p draft.Published
			if p, err = w.read(l, id, args[0], version); err == nil {
				out, version = append(out, newWareInfo(p)), p.Record.Previous
			}
		}
		return out, err
	}, func(o io.Writer, r wareResult) {
		for _, v := range r.Versions {
			fmt.Fprintf(o, "%s\t%s\t%s\n", v.Version, v.word(), v.SHA256)
		}
	})
}

func (a *App) showWare(w wares) *cobra.Command {
	return a.readWares(&cobra.Command{
		Use: "show " + w.arg + " VERSION", Short: "Show a version, and whether a device takes it", Args: cobra.ExactArgs(2),
	}, w, func(l draft.Ledger, id key.AccountID, args []string) ([]wareInfo, error) {
		p, err := w.read(l, id, args[0], args[1])
		return []wareInfo{newWareInfo(p)}, err
	}, func(o io.Writer, r wareResult) {
		v := r.Versions[0]
		fmt.Fprintf(o, "vendor\t%s\nname\t%s\nversion\t%s\nstatus\t%s\n", r.Vendor, clean(r.Name), v.Version, v.word())
		for _, l := range [][2]string{{"sha-256", v.SHA256}, {"from", v.From}, {"floor", v.Floor}, {"form", v.Form}} {
			if l[1] != "" {
				fmt.Fprintf(o, "%s\t%s\n", l[0], l[1])
			}
		}
		if v.Size > 0 {
			fmt.Fprintf(o, "size\t%d bytes\n", v.Size)
		}
		for _, e := range v.Permissions {
			fmt.Fprintf(o, "may call\t%s\n", e)
		}
		for _, u := range v.URLs {
			fmt.Fprintf(o, "address\t%s\n", clean(u))
		}
		if v.why != nil && v.Status != "revoked" {
			fmt.Fprintf(o, "refused\t%s\n", clean(v.why.Error()))
		}
	})
}

// readWares makes c a verb that reads versions and prints them.
func (a *App) readWares(c *cobra.Command, w wares, read func(draft.Ledger, key.AccountID, []string) ([]wareInfo, error), people func(io.Writer, wareResult)) *cobra.Command {
	var m maker
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withSession(func(s *session) error {
			id, err := m.id(s.account())
			if err != nil {
				return err
			}
			bounded, cancel := a.bound(c.Context())
			defer cancel()
			l, _, err := s.ledger(bounded)
			if err != nil {
				return err
			}
			list, err := read(l, id, args)
			if err != nil {
				return doing("read the "+w.noun, err)
			}
			out := wareResult{header: head("hos.vendor." + w.use), Vendor: id, Name: args[0], Versions: list}
			return a.print(out, func(o io.Writer) { people(o, out) })
		})
	}
	m.vendorFlag(c)
	return c
}
