package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
)

func (a *App) grantRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "End a grant for good, and all that were given on from it", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSession(func(s *session) error {
				id, err := s.home.FindGrant(args[0])
				if err != nil {
					return doing("find the grant", err)
				}
				done, err := s.endGrant(c.Context(), id)
				if err != nil {
					return err
				}
				if err := s.markRevoked(c.Context(), id); err != nil {
					return err
				}
				return s.printTx(done, "grant "+id.String()+" has ended")
			})
		},
	}
}

// endGrant ends a grant as the owner that it is from, or as who gave it on.
func (s *session) endGrant(ctx context.Context, id tx.ID) (committed, error) {
	r, err := s.unlock(ctx)
	if err != nil {
		return committed{}, err
	}
	defer r.Zero()
	return s.commit(ctx, "end the grant", func(l draft.Ledger) (*tx.Tx, error) {
		g, err := state.GetGrant(l.View, id)
		if err != nil {
			return nil, err
		}
		if g.Issuer != r.Account() {
			return l.EndDelegated(id, r.Find)
		}
		p, err := party(l.View, r)
		if err != nil {
			return nil, err
		}
		return l.RevokeGrant(p, id)
	})
}
