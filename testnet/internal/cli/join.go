package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/testnet/join"
)

func (a *app) join() *cobra.Command {
	var cfg join.Config
	var genesisFile string
	var keep bool
	var patience time.Duration
	c := &cobra.Command{
		Use: "join", Short: "Join a ledger with a full node, and end when it has verified the head", Args: cobra.NoArgs,
		Long: "Makes a full node in --dir, lets it catch up, and checks its head by the light\nclient's rules against the nodes given. Whoever serves a ledger that does not begin\nwith the genesis document is refused.",
		RunE: func(c *cobra.Command, _ []string) error {
			if genesisFile == "" || len(cfg.Peers) == 0 || len(cfg.Nodes) == 0 || !c.Flags().Changed("dir") {
				return errJoinNeeds
			}
			var err error
			if cfg.Genesis, err = readGenesis(genesisFile); err != nil {
				return err
			}
			if cfg.Programs, err = a.programDir(); err != nil {
				return err
			}
			cfg.Dir, cfg.Tell = a.dir, a.say
			ctx, cancel := context.WithTimeout(c.Context(), patience)
			defer cancel()
			return a.runJoin(ctx, cfg, keep)
		},
	}
	f := c.Flags()
	f.StringVar(&genesisFile, "genesis", "", "genesis document of the ledger (file)")
	f.StringVar(&cfg.Pin, "genesis-hash", "", "hash that the document must have, in hex")
	f.StringSliceVar(&cfg.Nodes, "node", nil, "multiaddress of a node in the mesh, with /p2p/ID (repeatable)")
	f.StringSliceVar(&cfg.Peers, "peer", nil, "ID@HOST:PORT of a node in the consensus network (repeatable)")
	f.BoolVar(&cfg.StateSync, "state-sync", false, "begin with a snapshot of the peers instead of block 1")
	f.BoolVar(&keep, "keep", false, "leave the node running")
	f.DurationVar(&patience, "timeout", 10*time.Minute, "how long it may take")
	return c
}

// errJoinNeeds: join was called without what it needs.
var errJoinNeeds = errors.New("--genesis, --node, --peer and --dir are needed")

func (a *app) runJoin(ctx context.Context, cfg join.Config, keep bool) error {
	n, r, err := join.Run(ctx, cfg)
	if err != nil {
		return err
	}
	if a.json {
		err = a.print(r)
	} else {
		_, err = fmt.Fprintf(a.out, "joined %s: block %d is verified\nheader   %s\ngenesis  %s\nhttp     %s\n", r.ChainID, r.Height, r.Hash, r.Genesis, r.HTTP)
	}
	if err == nil && keep {
		a.say("the node runs on; hos-testnet down --dir %s ends it", n.Dir())
		return nil
	}
	return errors.Join(err, a.runDown(n, false))
}

func readGenesis(path string) (*genesis.Doc, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, genesis.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	doc, err := genesis.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return doc, nil
}
