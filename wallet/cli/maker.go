package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

// maker is the flags of a vendor's verb: which vendor, and the key files that
// sign for it.
type maker struct {
	vendor string
	files  []string
}

func (m *maker) flags(c *cobra.Command) {
	c.Flags().StringArrayVar(&m.files, "key-file", nil, "a key file of the vendor; repeat it until the threshold is reached (default: the wallet's)")
	m.vendorFlag(c)
}

func (m *maker) vendorFlag(c *cobra.Command) {
	c.Flags().StringVar(&m.vendor, "vendor", "", "the vendor (hosacc1…), if it is not that of the first key file's first key")
}

// id gives the vendor that is meant; fallback is the account of a key file.
func (m *maker) id(fallback key.AccountID) (key.AccountID, error) {
	if m.vendor == "" {
		return fallback, nil
	}
	id, err := key.ParseAccountID(m.vendor)
	if err != nil {
		return id, usagef("--vendor: %v", err)
	}
	return id, nil
}

// rings opens key files; none means the wallet's. The caller zeroes them.
func (s *session) rings(ctx context.Context, files []string) (out []*keystore.Ring, err error) {
	if len(files) == 0 {
		r, err := s.unlock(ctx)
		return []*keystore.Ring{r}, err
	}
	for _, f := range files {
		keys, err := keystore.New(keystore.Config{Path: f, Random: s.app.cfg.Random})
		if err != nil {
			zero(out)
			return nil, err
		}
		r, _, err := s.unlockWith(ctx, keys)
		if err != nil {
			zero(out)
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func zero(rings []*keystore.Ring) {
	for _, r := range rings {
		r.Zero()
	}
}

func active(rings []*keystore.Ring) (out []*key.Private) {
	for _, r := range rings {
		out = append(out, r.Active())
	}
	return out
}

// byVendor commits a transaction that a vendor's keys sign.
func (s *session) byVendor(ctx context.Context, m maker, what, sentence string, build func(draft.Ledger, draft.Maker) (*tx.Tx, error)) error {
	rings, err := s.rings(ctx, m.files)
	if err != nil {
		return err
	}
	defer zero(rings)
	id, err := m.id(rings[0].Account())
	if err != nil {
		return err
	}
	by := draft.Maker{Vendor: id, Keys: active(rings)}
	c, err := s.commit(ctx, what, func(l draft.Ledger) (*tx.Tx, error) { return build(l, by) })
	if err != nil {
		return err
	}
	return s.printTx(c, sentence)
}

func (a *App) vendorKeys() *cobra.Command {
	var m maker
	var next []string
	var threshold uint8
	rotate := &cobra.Command{
		Use: "rotate", Short: "Replace the keys of the vendor", Args: cobra.NoArgs,
		Long: "The key files that --new-key-file names hold the vendor's only keys afterwards; one\nthat stays is named too. The present threshold signs with --key-file. Devices follow\nthe change from the keys that they were made with. Releases that the keys of\nafterwards have not signed are dead to devices until they are published again.",
		RunE: func(c *cobra.Command, _ []string) error {
			if len(next) == 0 {
				return usagef("--new-key-file: no key would be left")
			}
			return a.withSession(func(s *session) error {
				rings, err := s.rings(c.Context(), next)
				if err != nil {
					return err
				}
				defer zero(rings)
				return s.byVendor(c.Context(), m, "replace the keys", "the vendor has its new keys", func(l draft.Ledger, by draft.Maker) (*tx.Tx, error) {
					return l.RotateVendorKeys(by, active(rings), threshold)
				})
			})
		},
	}
	m.flags(rotate)
	rotate.Flags().StringArrayVar(&next, "new-key-file", nil, "a key file of the vendor afterwards (repeatable)")
	rotate.Flags().Uint8Var(&threshold, "threshold", 1, "how many of them must sign")
	return group("keys", "The keys of a vendor", rotate)
}

type vendorInfo struct {
	header
	Vendor     key.AccountID `json:"vendor"`
	Name       string        `json:"name"`
	Suspended  bool          `json:"suspended"`
	Used       uint64        `json:"used"`
	Quota      uint64        `json:"quota"`
	KeyVersion uint64        `json:"key_version"`
	Threshold  uint8         `json:"threshold"`
	Keys       []key.Public  `json:"keys"`
}

func (a *App) vendorShow() *cobra.Command {
	c := &cobra.Command{
		Use: "show [VENDOR]", Short: "Show a vendor: its keys and its quota", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSession(func(s *session) error {
				var m maker
				if len(args) > 0 {
					m.vendor = args[0]
				}
				id, err := m.id(s.account())
				if err != nil {
					return err
				}
				return s.showVendor(c.Context(), id)
			})
		},
	}
	return c
}

func (s *session) showVendor(ctx context.Context, id key.AccountID) error {
	bounded, cancel := s.app.bound(ctx)
	defer cancel()
	l, _, err := s.ledger(bounded)
	if err != nil {
		return err
	}
	v, err := state.GetVendor(l.View, id)
	if err != nil {
		return doing("read the vendor", err)
	}
	out := vendorInfo{head("hos.vendor"), id, v.Name, v.Suspended, v.Used, v.Quota, v.KeyVersion, v.Threshold, v.Keys}
	return s.app.print(out, func(w io.Writer) {
		fmt.Fprintf(w, "vendor\t%s\nname\t%s\nsuspended\t%v\ndevices\t%d of %d\nkeys\tversion %d, %d of %d sign\n", id, clean(v.Name), v.Suspended, v.Used, v.Quota, v.KeyVersion, v.Threshold, len(v.Keys))
		for _, k := range v.Keys {
			fmt.Fprintf(w, "key\t%s\n", k)
		}
	})
}
