package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// Verb is `hos-testnet bench`.
func Verb() *cobra.Command {
	o := Options{Rounds: 5, Commands: 300, TreeKeys: []int{100_000, 1_000_000}}
	var file string
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure the command path, the ledger and the agent beside their peers",
		Long:  "Measures for some minutes and prints one report. mosquitto must be installed.",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if o.Bin, err = programs(c); err != nil {
				return err
			}
			var report strings.Builder
			if err := Run(c.Context(), o, &report, c.ErrOrStderr()); err != nil {
				return err
			}
			if file != "" {
				if err := os.WriteFile(file, []byte(report.String()), 0o644); err != nil {
					return fmt.Errorf("write the report: %w", err)
				}
			}
			_, err = fmt.Fprint(c.OutOrStdout(), report.String())
			return err
		},
	}
	c.Flags().IntVar(&o.Rounds, "rounds", o.Rounds, "rounds of each comparison, at least 5")
	c.Flags().IntVar(&o.Commands, "commands", o.Commands, "round trips in each round and transport")
	c.Flags().IntSliceVar(&o.TreeKeys, "tree-keys", o.TreeKeys, "records in the state tree")
	c.Flags().StringSliceVar(&o.Only, "only", nil, "parts to measure: "+strings.Join(Parts, ", ")+"; all by default")
	c.Flags().StringVar(&file, "out", "", "file to write the report to as well")
	return c
}

// programs is the folder that hos-testnet's --bin-dir names, or else its own.
func programs(c *cobra.Command) (string, error) {
	if f := c.Flag("bin-dir"); f != nil && f.Value.String() != "" {
		return f.Value.String(), nil
	}
	self, err := os.Executable()
	return filepath.Dir(self), err
}

// PeerVerb is the hidden verb that runs a validator of the peer network.
func PeerVerb() *cobra.Command {
	var cfg KVStoreConfig
	c := &cobra.Command{
		Use:    KVStoreVerb,
		Short:  "Run a validator with CometBFT's kvstore, for bench",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(c *cobra.Command, _ []string) error { return RunKVStore(c.Context(), cfg) },
	}
	c.Flags().StringVar(&cfg.Home, "home", "", "home made by hosd init")
	c.Flags().StringVar(&cfg.Listen, "p2p-listen", "", "host:port of the consensus network")
	c.Flags().StringSliceVar(&cfg.Peers, "p2p-peers", nil, "id@host:port of the others")
	c.Flags().BoolVar(&cfg.Indexed, "indexed", false, "keep CometBFT's index of transactions")
	c.Flags().StringVar(&cfg.RPC, "rpc-listen", "", "host:port of CometBFT's RPC")
	return c
}
