package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

// statusInfo is the JSON of a wallet's state.
type statusInfo struct {
	header
	Home    string         `json:"home"`
	Account *key.AccountID `json:"account"` // null: no key yet
	ChainID string         `json:"chain_id"`
	Chain   string         `json:"chain"`
	Nodes   []string       `json:"nodes"`
	Height  int64          `json:"height"` // of the newest verified header; 0: none
	Time    *time.Time     `json:"time"`
	Devices int            `json:"devices"`
	Phones  int            `json:"phones"` // phone keys in the account, as the ledger has it
	Online  bool           `json:"online"`
}

func (a *App) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show key, ledger and nodes", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			w, err := a.wallet()
			if err != nil {
				return err
			}
			out := statusInfo{header: head("hos.status"), Home: w.home.Path(), Nodes: []string{}}
			if err := w.localStatus(&out); err != nil {
				return err
			}
			netErr := w.netStatus(c.Context(), &out)
			if err := a.print(out, func(o io.Writer) { out.people(o) }); err != nil {
				return err
			}
			return netErr
		},
	}
}

func (w *wallet) localStatus(out *statusInfo) error {
	info, err := w.keys.Inspect()
	switch {
	case err == nil:
		out.Account = &info.Account
	case !errors.Is(err, keystore.NotFound):
		return doing("read the key file", err)
	}
	devices, err := w.home.Devices()
	out.Devices = len(devices)
	return doing("list the devices", err)
}

func (w *wallet) netStatus(ctx context.Context, out *statusInfo) error {
	s, err := w.settings()
	if err != nil {
		return err
	}
	out.ChainID, out.Chain, out.Nodes = s.doc.ChainID, fmt.Sprintf("%x", s.chain[:]), append([]string{}, s.nodes...)
	if s, err = w.session(); err != nil {
		return err
	}
	defer s.close()
	ctx, cancel := w.app.bound(ctx)
	defer cancel()
	_, v, err := s.ledger(ctx)
	if err != nil {
		return err
	}
	h := v.Head()
	out.Online, out.Height, out.Time = true, h.Height, &h.Time
	if out.Account == nil {
		return nil
	}
	account, err := state.GetAccount(v, *out.Account)
	if errors.Is(err, state.NoAccount) {
		return nil
	}
	for _, k := range account.KeySet.Keys {
		if k.Key.Alg.InvokeOnly() {
			out.Phones++
		}
	}
	return doing("read the account", err)
}

func (i statusInfo) people(w io.Writer) {
	account := "none yet: hos key new"
	if i.Account != nil {
		account = i.Account.String()
	}
	ledger := "none yet: hos init"
	if i.ChainID != "" {
		ledger = fmt.Sprintf("%s (%.16s…)", i.ChainID, i.Chain)
	}
	fmt.Fprintf(w, "folder\t%s\naccount\t%s\ndevices\t%d\nledger\t%s\n", i.Home, account, i.Devices, ledger)
	for _, n := range i.Nodes {
		fmt.Fprintf(w, "node\t%s\n", clean(n))
	}
	if i.Online {
		fmt.Fprintf(w, "phones\t%d\n", i.Phones)
		fmt.Fprintf(w, "verified\tblock %d, %s\n", i.Height, i.Time.UTC().Format(time.RFC3339))
	}
}
