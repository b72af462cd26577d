package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/keystore"
	"github.com/hybridos-net/hybridos/wallet/ticket"
)

func (a *App) keyRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate", Short: "Replace your key by a new one", Args: cobra.NoArgs,
		Long: "Makes a new key, lets the ledger put it in the old one's place, and uses it from\nthen on. The account stays. Grants that the old key signed end: give them again.\nThe 24 words of the old key restore nothing afterwards: back up the new ones.",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withSession(func(s *session) error { return s.rotate(c.Context()) })
		},
	}
}

// withSession runs f with a ledger to ask.
func (a *App) withSession(f func(*session) error) error {
	w, err := a.wallet()
	if err != nil {
		return err
	}
	s, err := w.session()
	if err != nil {
		return err
	}
	defer s.close()
	return f(s)
}

// rotate keeps the new key on disk before the ledger hears of it, and the old
// one after: a crash at any point leaves a key that the account lists.
func (s *session) rotate(ctx context.Context) error {
	r, pass, err := s.unlockWith(ctx, s.keys)
	if err != nil {
		return err
	}
	r.Zero()
	var next key.Public
	if _, err = s.keys.Update(ctx, pass, func(r *keystore.Ring) error {
		next, err = s.prepareRotation(ctx, r)
		return err
	}); err != nil {
		return doing("rotate the key", err)
	}
	if r, err = s.keys.Unlock(pass); err != nil {
		return doing("open the key file", err)
	}
	defer r.Zero()
	build := func(l draft.Ledger) (*tx.Tx, error) { return rotation(l, r, next) }
	c, err := s.commitShown(ctx, "rotate the key", build, manner{})
	if err != nil {
		return err
	}
	if _, err := s.keys.Update(ctx, pass, func(r *keystore.Ring) error { return r.Use(next.ID()) }); err != nil {
		return doing("use the new key", err)
	}
	s.app.say("The new key is in use. Write down its 24 words: hos key backup")
	return s.printTx(c, "key replaced by "+next.String())
}

// prepareRotation adds the new key to the ring and asks before it is kept.
func (s *session) prepareRotation(ctx context.Context, r *keystore.Ring) (key.Public, error) {
	next, err := r.Add(s.app.cfg.Random)
	if err != nil {
		return next, err
	}
	bounded, cancel := s.app.bound(ctx)
	defer cancel()
	l, v, err := s.ledger(bounded)
	if err != nil {
		return next, err
	}
	t, err := rotation(l, r, next)
	if err != nil {
		return next, err
	}
	if err := l.Rehearse(t); err != nil {
		return next, err
	}
	return next, s.showAndAsk(ctx, v, t, signAndSend)
}

func rotation(l draft.Ledger, r *keystore.Ring, next key.Public) (*tx.Tx, error) {
	p, err := party(l.View, r)
	if err != nil {
		return nil, err
	}
	k, ok := r.Find(next.ID())
	if !ok {
		return nil, &keystore.Error{Kind: keystore.NoKey, Detail: next.ID().String()}
	}
	return l.RotateKey(p, k)
}

func (a *App) keyAdd() *cobra.Command {
	var rights []string
	var out string
	var force bool
	c := &cobra.Command{
		Use: "add PUBLICKEY", Short: "Offer another key a place in your account", Args: cobra.ExactArgs(1),
		Long: "Makes an offer file for the key of another wallet of yours. That wallet takes it\nwith 'hos key accept', which proves that somebody holds the key. The offer is good\nfor 23 hours, and until the account signs something else.",
		RunE: func(c *cobra.Command, args []string) error {
			added, err := key.ParsePublic(args[0])
			if err != nil {
				return usagef("%v", err)
			}
			if added.Alg.InvokeOnly() {
				return fail(exitUsage, kindUsage, "hos key add-phone", "the key of a phone or browser has no wallet that could accept an offer")
			}
			r, err := parseRights(rights)
			if err != nil {
				return err
			}
			return a.withSession(func(s *session) error {
				return s.offer(c.Context(), "offer the key a place", out, force, nil, func(l draft.Ledger, p draft.Party) (*tx.Tx, error) {
					return l.AddKey(p, added, r)
				})
			})
		},
	}
	c.Flags().StringSliceVar(&rights, "rights", []string{"admin", "invoke"}, "what the key may do: admin, invoke")
	offerFlags(c, &out, &force)
	return c
}

func offerFlags(c *cobra.Command, out *string, force *bool) {
	c.Flags().StringVarP(out, "out", "o", "", "file to write the offer to (default: standard output)")
	c.Flags().BoolVar(force, "force", false, "replace the file")
}

func parseRights(words []string) (tx.Rights, error) {
	var r tx.Rights
	for _, w := range words {
		switch strings.TrimSpace(w) {
		case "admin":
			r |= tx.RightAdmin
		case "invoke":
			r |= tx.RightInvoke
		default:
			return 0, usagef("--rights: %q is neither admin nor invoke", w)
		}
	}
	if r == 0 {
		return 0, usagef("--rights: a key needs at least one right")
	}
	return r, nil
}

// drafting unlocks the key, looks at the ledger, and has f draft with both.
func (s *session) drafting(ctx context.Context, f func(l draft.Ledger, v View, r *keystore.Ring) error) error {
	r, err := s.unlock(ctx)
	if err != nil {
		return err
	}
	defer r.Zero()
	bounded, cancel := s.app.bound(ctx)
	defer cancel()
	l, v, err := s.ledger(bounded)
	if err != nil {
		return err
	}
	return f(l, v, r)
}

// offer drafts a transaction that somebody else has yet to sign, shows it,
// asks, and writes it.
func (s *session) offer(ctx context.Context, what, out string, force bool, addrs []string, build func(draft.Ledger, draft.Party) (*tx.Tx, error)) error {
	return s.drafting(ctx, func(l draft.Ledger, v View, r *keystore.Ring) error {
		p, err := party(v, r)
		if err != nil {
			return doing(what, err)
		}
		t, err := build(l, p)
		if err != nil {
			return doing(what, err)
		}
		if err := s.showAndAsk(ctx, v, t, signAndSend); err != nil {
			return err
		}
		if err := s.writeOffer(ticket.Offer{Chain: s.chain, Tx: t, Addrs: addrs}, out, force); err != nil || out == "" {
			return err
		}
		s.app.say("The offer is in %s. It is good for 23 hours, and until this account signs something else.", out)
		return nil
	})
}

// writeOffer writes an offer to a file, or to standard output if none is named.
func (s *session) writeOffer(o ticket.Offer, out string, force bool) error {
	if out == "" {
		_, err := s.app.cfg.Out.Write(o.Bytes())
		return err
	}
	return writeFile(out, o.Bytes(), force)
}

// readOffer reads an offer file made for this ledger.
func (s *session) readOffer(path string) (ticket.Offer, error) {
	text, err := s.app.readText(path, ticket.MaxOffer)
	if err != nil {
		return ticket.Offer{}, err
	}
	o, err := ticket.ParseOffer([]byte(text), s.chain)
	return o, doing("read the offer", err)
}

func (a *App) keyAccept() *cobra.Command {
	return &cobra.Command{
		Use: "accept FILE", Short: "Take the place in an account that your key was offered", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSession(func(s *session) error { return s.acceptKey(c.Context(), args[0]) })
		},
	}
}

func (s *session) acceptKey(ctx context.Context, path string) error {
	o, err := s.readOffer(path)
	if err != nil {
		return err
	}
	r, pass, err := s.unlockWith(ctx, s.keys)
	if err != nil {
		return err
	}
	defer r.Zero()
	mine := r.Active()
	c, err := s.commit(ctx, "take the place", func(l draft.Ledger) (*tx.Tx, error) { return o.Tx, l.AcceptKey(mine, o.Tx) })
	if err != nil {
		return err
	}
	if _, err := s.keys.Update(ctx, pass, func(r *keystore.Ring) error {
		r.SetAccount(o.Tx.Body.Account)
		return nil
	}); err != nil {
		return doing("keep the account", err)
	}
	return s.printTx(c, "this wallet's key belongs to "+o.Tx.Body.Account.String()+" now")
}

func (a *App) keyRevoke() *cobra.Command {
	return &cobra.Command{
		Use: "revoke KEYID", Aliases: []string{"remove"}, Short: "Take a key's place in your account away", Args: cobra.ExactArgs(1),
		Long: `Ends a key of your account, for instance that of a lost phone: from the next
block on no device obeys it, and a door without news from the ledger for a minute
opens for nobody. If the key could sign for the account, the grants that it
signed end too; a phone's key never could. hos key list shows the ids. The
grants of a guest's phone end with hos grant revoke.`,
		RunE: func(c *cobra.Command, args []string) error {
			id, err := key.ParseKeyID(args[0])
			if err != nil {
				return usagef("%v", err)
			}
			return a.withSession(func(s *session) error {
				return s.simple(c.Context(), "end the key", "key "+id.String()+" has ended: no device obeys it any more", func(l draft.Ledger, p draft.Party) (*tx.Tx, error) {
					return l.RemoveKey(p, id)
				})
			})
		},
	}
}

// simple carries out a transaction that only this account signs.
func (s *session) simple(ctx context.Context, what, sentence string, build func(draft.Ledger, draft.Party) (*tx.Tx, error)) error {
	c, err := s.act(ctx, what, build)
	if err != nil {
		return err
	}
	return s.printTx(c, sentence)
}

// act unlocks the key and commits a transaction of the account.
func (s *session) act(ctx context.Context, what string, build func(draft.Ledger, draft.Party) (*tx.Tx, error)) (committed, error) {
	r, err := s.unlock(ctx)
	if err != nil {
		return committed{}, err
	}
	defer r.Zero()
	return s.commit(ctx, what, func(l draft.Ledger) (*tx.Tx, error) {
		p, err := party(l.View, r)
		if err != nil {
			return nil, err
		}
		return build(l, p)
	})
}
