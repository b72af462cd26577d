package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

type initResult struct {
	header
	Home    string   `json:"home"`
	ChainID string   `json:"chain_id"`
	Chain   string   `json:"chain"`
	Nodes   []string `json:"nodes"`
}

func (a *App) initCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init", Short: "Bind this wallet to a ledger", Args: cobra.NoArgs,
		Long:    "Pins the genesis document of a ledger for good and remembers nodes to ask. Until\nthen, --genesis and --node, or HOS_GENESIS and HOS_NODE, say it each time.",
		Example: "  hos init --genesis genesis.json --node /ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…",
		RunE: func(c *cobra.Command, _ []string) error {
			w, err := a.wallet()
			if err != nil {
				return err
			}
			doc, err := w.genesis()
			if err != nil {
				return err
			}
			if err := w.home.Pin(c.Context(), doc, a.givenNodes()); err != nil {
				return doing("bind the wallet to "+doc.ChainID, err)
			}
			cfg, err := w.home.Config()
			if err != nil {
				return doing("read the settings", err)
			}
			if len(cfg.Nodes) == 0 {
				a.say("No node is known yet: hos init --node ADDR")
			}
			out := initResult{head("hos.init"), w.home.Path(), cfg.ChainID, cfg.Chain, append([]string{}, cfg.Nodes...)}
			return a.print(out, func(o io.Writer) {
				fmt.Fprintf(o, "ledger\t%s\ndigest\t%s\n", out.ChainID, out.Chain)
				for _, n := range out.Nodes {
					fmt.Fprintf(o, "node\t%s\n", clean(n))
				}
			})
		},
	}
}
