package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/wallet/phone"
)

type initResult struct {
	header
	Home    string   `json:"home"`
	ChainID string   `json:"chain_id"`
	Chain   string   `json:"chain"`
	Nodes   []string `json:"nodes"`
	Phone   string   `json:"phone"` // origin of the page for phones; empty: none
}

func (a *App) initCommand() *cobra.Command {
	var phoneURL string
	c := &cobra.Command{
		Use: "init", Short: "Bind this wallet to a ledger", Args: cobra.NoArgs,
		Long:    "Pins the genesis document of a ledger for good and remembers nodes to ask. Until\nthen, --genesis and --node, or HOS_GENESIS and HOS_NODE, say it each time.\nIt may be run again: to add nodes, or to change the page for phones.",
		Example: "  hos init --genesis genesis.json --node /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…",
		RunE: func(c *cobra.Command, _ []string) error {
			w, err := a.wallet()
			if err != nil {
				return err
			}
			var page phone.Origin
			if phoneURL != "" {
				if page, err = phone.ParseOrigin(phoneURL); err != nil {
					return doing("use the phone page "+phoneURL, err)
				}
			}
			doc, err := w.genesis()
			if err != nil {
				return err
			}
			if err := w.home.Pin(c.Context(), doc, a.givenNodes()); err != nil {
				return doing("bind the wallet to "+doc.ChainID, err)
			}
			if phoneURL != "" {
				if err := w.home.SetPhone(c.Context(), page); err != nil {
					return doing("remember the phone page", err)
				}
			}
			cfg, err := w.home.Config()
			if err != nil {
				return doing("read the settings", err)
			}
			if len(cfg.Nodes) == 0 {
				a.say("No node is known yet: hos init --node ADDR")
			}
			out := initResult{head("hos.init"), w.home.Path(), cfg.ChainID, cfg.Chain, append([]string{}, cfg.Nodes...), cfg.Phone}
			return a.print(out, func(o io.Writer) {
				fmt.Fprintf(o, "ledger\t%s\ndigest\t%s\n", out.ChainID, out.Chain)
				for _, n := range out.Nodes {
					fmt.Fprintf(o, "node\t%s\n", clean(n))
				}
				if out.Phone != "" {
					fmt.Fprintf(o, "phone page\t%s\n", clean(out.Phone))
				}
			})
		},
	}
	c.Flags().StringVar(&phoneURL, "phone-url", "", "address of the page that phones open, such as https://home.example")
	return c
}
