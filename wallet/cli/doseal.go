package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

// sealOptions are the flags of commands that the ledger is to seal.
type sealOptions struct {
	wanted bool
	needed uint8
	keep   string
}

func (o *sealOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&o.wanted, "seal", false, "have the ledger seal the command, and send it then")
	f.Uint8Var(&o.needed, "needed", 1, "with --seal: how many keys of the account must approve it, yours among them")
	f.StringVar(&o.keep, "keep", "", "with --seal: file to keep the command in, to send it when others have approved")
}

// doSealed signs a command, opens its seal, and sends it if no further approval
// is missing. The command is on disk before the ledger hears of it.
func (s *session) doSealed(ctx context.Context, r *keystore.Ring, t target, m draft.Method, params []byte, o doOptions) error {
	if o.seal.needed > 1 && o.seal.keep == "" {
		return usagef("--keep FILE: the command must wait somewhere until %d keys have approved it", o.seal.needed)
	}
	if t.grant != nil {
		return fail(exitDenied, "not_owner", "ask the owner", "only the owner's keys can have a command sealed")
	}
	cmd, err := s.signCommand(ctx, r, t, m, params, true)
	if err != nil {
		return doing("sign the command", err)
	}
	if o.seal.keep != "" {
		if err := writeFile(o.seal.keep, cmd.Bytes(), o.force); err != nil {
			return err
		}
	}
	id := tx.ID(cmd.ID(s.chain))
	sealed, err := s.openSeal(ctx, t, id, o.seal.needed)
	if err != nil {
		return err
	}
	if !sealed {
		return s.printCommand(cmd, fmt.Sprintf("kept in %s; the other owners: hos seal approve %s %s; then: hos command send %s", o.seal.keep, t.id, id, o.seal.keep))
	}
	return s.sendSealed(ctx, t, m, cmd, o)
}

// openSeal commits the opening of a seal and tells whether that was enough.
func (s *session) openSeal(ctx context.Context, t target, id tx.ID, needed uint8) (bool, error) {
	c, err := s.act(ctx, "open the seal", func(l draft.Ledger, p draft.Party) (*tx.Tx, error) {
		return l.OpenSeal(p, t.id, id, needed, defaultSeal)
	})
	if err != nil {
		return false, err
	}
	r, err := state.GetSeal(c.view, t.id, id)
	return r.Status == state.Sealed, doing("read the seal", err)
}

func (s *session) sendSealed(ctx context.Context, t target, m draft.Method, cmd *command.Command, o doOptions) error {
	receipt, err := s.deliver(ctx, t, cmd)
	if err != nil {
		return err
	}
	return s.told(t, m, receipt, o)
}
