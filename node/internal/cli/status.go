package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/node/api"
	"github.com/hybridos-net/hybridos/node/home"
)

// statusTimeout is how long a running node may take to answer.
const statusTimeout = 5 * time.Second

func statusCommand() *cobra.Command {
	var dir string
	var asJSON bool
	c := &cobra.Command{
		Use: "status", Short: "Show the node that runs in a home", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return runStatus(c.Context(), c.OutOrStdout(), dir, asJSON)
		},
	}
	homeFlag(c, &dir)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func runStatus(ctx context.Context, out io.Writer, dir string, asJSON bool) error {
	if err := needHome(dir); err != nil {
		return err
	}
	run, err := home.ReadRun(dir)
	if err != nil {
		return err
	}
	s, err := askStatus(ctx, run.HTTP)
	if err != nil {
		return hint(fmt.Errorf("the node does not answer: %w", err), "hosd start --home "+dir)
	}
	if asJSON {
		return json.NewEncoder(out).Encode(s)
	}
	state := "in step"
	if s.Syncing {
		state = "catching up"
	}
	role := "full node"
	if s.Validator {
		role = "validator"
	}
	_, err = fmt.Fprintf(out, "%s  %s  %s  %s\nheight %d  of %s\npeers %d consensus, %d mesh\nmempool %d\nhttp %s\np2p %s\n",
		s.ChainID, s.Name, role, state, s.Height, s.Time.Format(time.RFC3339), s.P2PPeers, s.MeshPeers, s.Mempool, run.HTTP, run.P2P)
	if u := s.Upgrade; err == nil && u != nil {
		ready := "this hosd is the right one"
		if !u.Ready {
			ready = "this hosd halts there; install " + strings.Join(u.Hashes, " or ")
		}
		_, err = fmt.Fprintf(out, "upgrade %s at height %d, %s\n", u.Name, u.Height, ready)
	}
	if err == nil && run.Phone != "" {
		_, err = fmt.Fprintf(out, "phone %s\n", run.Phone)
	}
	for _, m := range run.Mesh {
		if err == nil {
			_, err = fmt.Fprintf(out, "mesh %s\n", m)
		}
	}
	return err
}

func askStatus(ctx context.Context, base string) (s api.Status, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/status", nil)
	if err != nil {
		return s, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("answer %s", resp.Status)
	}
	return s, json.NewDecoder(io.LimitReader(resp.Body, home.MaxConfig)).Decode(&s)
}
