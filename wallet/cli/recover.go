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
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/keystore"
	"github.com/hybridos-net/hybridos/wallet/ticket"
)

func (a *App) recoverCommand() *cobra.Command {
	return group("recover", "Get an account back whose keys are lost",
		group("guardians", "Who can give your account other keys", a.guardiansSet(), a.guardiansShow()),
		a.recoverStart(), a.recoverApprove(), a.recoverCancel(), a.recoverFinish(), a.recoverFreeze(), a.recoverUnfreeze())
}

func (a *App) guardiansSet() *cobra.Command {
	var threshold uint8
	var delay time.Duration
	c := &cobra.Command{
		Use: "set PUBLICKEY…", Short: "Name your guardians, instead of those of before",
		Long: "Names the keys that can together give your account other keys, and how long they\nwait after they have started, in which you can cancel. Choose people who do not run\nthe ledger. Without a key there are no guardians any more.",
		RunE: func(c *cobra.Command, args []string) error {
			g, err := parseGuardians(args, threshold, delay)
			if err != nil {
				return err
			}
			return a.withSession(func(s *session) error {
				return s.simple(c.Context(), "set the guardians", "the guardians are set", func(l draft.Ledger, p draft.Party) (*tx.Tx, error) {
					return l.SetGuardians(p, g)
				})
			})
		},
	}
	c.Flags().Uint8Var(&threshold, "threshold", 0, "how many of them must sign (default: more than half)")
	c.Flags().DurationVar(&delay, "delay", 7*24*time.Hour, "how long they wait")
	return c
}

func parseGuardians(args []string, threshold uint8, delay time.Duration) (*tx.Guardians, error) {
	if len(args) == 0 {
		return nil, nil
	}
	g := &tx.Guardians{Threshold: threshold, Delay: uint64(max(delay, 0) / time.Second)}
	for _, text := range args {
		k, err := key.ParsePublic(text)
		if err != nil {
			return nil, usagef("%v", err)
		}
		g.Keys = append(g.Keys, k)
	}
	if threshold == 0 {
		g.Threshold = uint8(min(len(g.Keys), 255)/2 + 1)
	}
	return g, doing("name the guardians", g.Validate())
}

// guardianInfo is the JSON about who can recover an account, and about a
// recovery that is open.
type guardianInfo struct {
	header
	Account   key.AccountID `json:"account"`
	Guardians []key.Public  `json:"guardians"`
	Threshold uint8         `json:"threshold"`
	Delay     uint64        `json:"delay"` // seconds
	Frozen    bool          `json:"frozen"`
	Due       uint64        `json:"due"` // Unix seconds; 0: no recovery is open
}

func (a *App) guardiansShow() *cobra.Command {
	return a.aboutAccount("show [ACCOUNT]", "Show who can recover an account, and whether somebody does", func(ctx context.Context, s *session, id key.AccountID) error {
		ctx, cancel := a.bound(ctx)
		defer cancel()
		_, v, err := s.ledger(ctx)
		if err != nil {
			return err
		}
		r, err := state.GetAccount(v, id)
		if err != nil {
			return doing("read the account", err)
		}
		out := guardianInfo{header: head("hos.guardians"), Account: id, Guardians: []key.Public{}, Frozen: r.Frozen}
		if g := r.KeySet.Guardians; g != nil {
			out.Guardians, out.Threshold, out.Delay = g.Keys, g.Threshold, g.Delay
		}
		if r.Recovery != nil {
			out.Due = r.Recovery.Due
		}
		return a.print(out, func(w io.Writer) {
			fmt.Fprintf(w, "account\t%s\nfrozen\t%v\n", id, out.Frozen)
			for _, k := range out.Guardians {
				fmt.Fprintf(w, "guardian\t%s\n", k)
			}
			fmt.Fprintf(w, "needed\t%d of %d\ndelay\t%s\n", out.Threshold, len(out.Guardians), time.Duration(out.Delay)*time.Second)
			if out.Due != 0 {
				fmt.Fprintf(w, "recovery\tdue %s\n", time.Unix(int64(out.Due), 0).UTC().Format(time.RFC3339))
			}
		})
	})
}

// aboutAccount is a verb about an account, by default the wallet's.
func (a *App) aboutAccount(use, short string, run func(context.Context, *session, key.AccountID) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSession(func(s *session) error {
				id := s.account()
				if len(args) > 0 {
					var err error
					if id, err = key.ParseAccountID(args[0]); err != nil {
						return usagef("%v", err)
					}
				}
				return run(c.Context(), s, id)
			})
		},
	}
}

func (a *App) recoverStart() *cobra.Command {
	var out string
	var force bool
	c := &cobra.Command{
		Use: "start ACCOUNT", Short: "Ask an account's guardians to give it to this wallet's key", Args: cobra.ExactArgs(1),
		Long: "Makes an offer file, signed by the key of this wallet, which is to be the account's\nonly one. Each guardian takes it with 'hos recover approve FILE'; the last one sends it.\nThe offer is good for 23 hours, and until the account signs something else.",
		RunE: func(c *cobra.Command, args []string) error {
			id, err := key.ParseAccountID(args[0])
			if err != nil {
				return usagef("%v", err)
			}
			return a.withSession(func(s *session) error {
				return s.startRecovery(c.Context(), id, out, force)
			})
		},
	}
	offerFlags(c, &out, &force)
	return c
}

func (s *session) startRecovery(ctx context.Context, id key.AccountID, out string, force bool) error {
	return s.drafting(ctx, func(l draft.Ledger, v View, r *keystore.Ring) error {
		t, err := l.StartRecovery(id, r.Active())
		if err != nil {
			return doing("start the recovery", err)
		}
		if err := s.showAndAsk(ctx, v, t, "Sign?"); err != nil {
			return err
		}
		return s.writeOffer(ticket.Offer{Chain: s.chain, Tx: t}, out, force)
	})
}

func (a *App) recoverApprove() *cobra.Command {
	var out string
	var force bool
	c := &cobra.Command{
		Use: "approve FILE", Short: "Sign a recovery as a guardian", Args: cobra.ExactArgs(1),
		Long: "Adds your signature to an offer of 'hos recover start'. Make sure that it is the\nowner who asks you: ask back by voice. The signature that makes them enough sends the\nrecovery to the ledger; one before writes the offer for the next guardian.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSession(func(s *session) error { return s.approveRecovery(c.Context(), args[0], out, force) })
		},
	}
	offerFlags(c, &out, &force)
	return c
}

func (s *session) approveRecovery(ctx context.Context, path, out string, force bool) error {
	o, err := s.readOffer(path)
	if err != nil {
		return err
	}
	return s.drafting(ctx, func(l draft.Ledger, v View, r *keystore.Ring) error {
		enough, err := l.ApproveRecovery(r.Active(), o.Tx)
		if err != nil {
			return doing("approve the recovery", err)
		}
		if !enough {
			if err := s.showAndAsk(ctx, v, o.Tx, "Sign?"); err != nil {
				return err
			}
			return s.writeOffer(o, out, force)
		}
		c, err := s.commit(ctx, "start the recovery", func(draft.Ledger) (*tx.Tx, error) { return o.Tx, nil })
		if err != nil {
			return err
		}
		return s.printTx(c, "the recovery of "+o.Tx.Body.Account.String()+" has started")
	})
}

func (a *App) recoverCancel() *cobra.Command {
	return a.ofWallet("cancel", "Cancel a recovery of your account", "cancel the recovery", "the recovery is cancelled", draft.Ledger.CancelRecovery)
}

func (a *App) recoverUnfreeze() *cobra.Command {
	return a.ofWallet("unfreeze", "Unfreeze your account", "unfreeze the account", "the account is not frozen any more", draft.Ledger.Unfreeze)
}

// ofWallet is a verb of the wallet's own account that takes no arguments.
func (a *App) ofWallet(use, short, what, sentence string, build func(draft.Ledger, draft.Party) (*tx.Tx, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withSession(func(s *session) error { return s.simple(c.Context(), what, sentence, build) })
		},
	}
}

func (a *App) recoverFreeze() *cobra.Command {
	return a.aboutAccount("freeze [ACCOUNT]", "Stop an account from giving anything away, as its owner or guardian", func(ctx context.Context, s *session, id key.AccountID) error {
		c, err := s.asParty(ctx, "freeze the account", id, draft.Ledger.Freeze)
		if err != nil {
			return err
		}
		return s.printTx(c, id.String()+" is frozen")
	})
}

func (a *App) recoverFinish() *cobra.Command {
	c := a.aboutAccount("finish ACCOUNT", "Put the new keys of a recovery in force", func(ctx context.Context, s *session, id key.AccountID) error {
		c, err := s.asParty(ctx, "finish the recovery", id, draft.Ledger.FinishRecovery)
		if err != nil {
			return err
		}
		return errors.Join(s.takeAccount(ctx, c, id), s.printTx(c, id.String()+" has its new keys"))
	})
	c.Args = cobra.ExactArgs(1)
	return c
}

// takeAccount makes a recovered account that of this wallet, if it lists the
// wallet's key.
func (s *session) takeAccount(ctx context.Context, c committed, id key.AccountID) error {
	a, err := state.GetAccount(c.view, id)
	if err != nil {
		return doing("read the account", err)
	}
	r, pass, err := s.unlockWith(ctx, s.keys)
	if err != nil {
		return err
	}
	defer r.Zero()
	if _, ok := a.KeySet.Find(r.Active().Public().ID()); !ok || r.Account() == id {
		return nil
	}
	_, err = s.keys.Update(ctx, pass, func(r *keystore.Ring) error {
		r.SetAccount(id)
		return nil
	})
	return doing("keep the account", err)
}

// asParty commits a transaction about an account that this wallet's key alone
// signs, without being a key of the account.
func (s *session) asParty(ctx context.Context, what string, id key.AccountID, build func(draft.Ledger, key.AccountID, *key.Private) (*tx.Tx, error)) (committed, error) {
	r, err := s.unlock(ctx)
	if err != nil {
		return committed{}, err
	}
	defer r.Zero()
	return s.commit(ctx, what, func(l draft.Ledger) (*tx.Tx, error) { return build(l, id, r.Active()) })
}
