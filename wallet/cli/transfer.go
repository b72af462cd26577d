package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/home"
	"github.com/hybridos-net/hybridos/wallet/ticket"
)

func (a *App) transferCommand() *cobra.Command {
	return group("transfer", "Hand a device on to another owner", a.transferOffer(), a.transferAccept())
}

func (a *App) transferOffer() *cobra.Command {
	var to, out string
	var force bool
	c := &cobra.Command{
		Use: "offer DEVICE", Short: "Offer a device to another owner", Args: cobra.ExactArgs(1),
		Long:              "Makes an offer file, signed by you. The new owner takes it with 'hos transfer\naccept FILE'; only then does the device change hands, and every grant ends. The\noffer is good for 23 hours, and until your account signs something else.",
		ValidArgsFunction: a.completeDevices,
		RunE: func(c *cobra.Command, args []string) error {
			account, first, err := parseOwner(to)
			if err != nil {
				return err
			}
			return a.withSession(func(s *session) error {
				d, err := s.home.FindDevice(args[0])
				if err != nil {
					return doing("find the device", err)
				}
				return s.offer(c.Context(), "offer "+d.Name, out, force, d.Addrs, func(l draft.Ledger, p draft.Party) (*tx.Tx, error) {
					return l.Transfer(p, d.ID, account, first)
				})
			})
		},
	}
	c.Flags().StringVar(&to, "to", "", "public key (hospub1…) or account (hosacc1…) of the new owner")
	offerFlags(c, &out, &force)
	return c
}

// parseOwner reads who a new owner is: a first key names an account that may
// not exist yet, an account id one that does.
func parseOwner(text string) (key.AccountID, *key.Public, error) {
	if text == "" {
		return key.AccountID{}, nil, usagef("--to is missing: the new owner's public key (hos key show)")
	}
	if id, err := key.ParseAccountID(text); err == nil {
		return id, nil, nil
	}
	p, err := key.ParsePublic(text)
	if err != nil {
		return key.AccountID{}, nil, usagef("--to: neither a public key nor an account: %v", err)
	}
	return p.AccountID(), &p, nil
}

func (a *App) transferAccept() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "accept FILE", Short: "Become the owner of a device that you were offered", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSession(func(s *session) error { return s.acceptTransfer(c.Context(), args[0], name) })
		},
	}
	c.Flags().StringVar(&name, "name", "", "what to call the device")
	return c
}

func (s *session) acceptTransfer(ctx context.Context, path, name string) error {
	o, err := s.readOffer(path)
	if err != nil {
		return err
	}
	offered, ok := o.Tx.Payload.(*tx.Transfer)
	if !ok {
		return doing("read the offer", &ticket.Error{Kind: ticket.BadOffer, Detail: fmt.Sprintf("it is a %s, not a transfer", o.Tx.Body.Kind)})
	}
	r, err := s.unlock(ctx)
	if err != nil {
		return err
	}
	defer r.Zero()
	c, err := s.commit(ctx, "take the device", func(l draft.Ledger) (*tx.Tx, error) {
		p, err := party(l.View, r)
		if err != nil {
			return nil, err
		}
		return o.Tx, l.AcceptTransfer(p, o.Tx)
	})
	if err != nil {
		return err
	}
	rec, err := state.GetDevice(c.view, offered.Device)
	if err != nil {
		return doing("read the device's record", err)
	}
	if err := s.pin(ctx); err != nil {
		return err
	}
	d, err := s.home.PutDevice(ctx, home.Device{Name: name, ID: offered.Device, Key: rec.Key, Model: rec.Model, Addrs: o.Addrs, Epoch: rec.Epoch})
	if err != nil {
		return doing("remember the device", err)
	}
	return s.printTx(c, d.Name+" is yours")
}
