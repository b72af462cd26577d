package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/home"
	"github.com/hybridos-net/hybridos/wallet/ticket"
)

func (a *App) grantDelegate() *cobra.Command {
	var o grantOptions
	c := &cobra.Command{
		Use: "delegate GRANT", Short: "Give a part of a grant that you have on to somebody else", Args: cobra.ExactArgs(1),
		Long: `Gives the holder of a public key a part of a grant that this wallet has and that
may be given on, and prints an invitation for them. What no flag narrows is as in
your grant. What they do counts for your grant too, and when yours ends, theirs
does. End it with hos grant revoke.`,
		Example: "  hos grant delegate 3f9c2a --to hospub1… --for 2h --uses 1",
		RunE: func(c *cobra.Command, args []string) error {
			narrow, err := a.parseNarrow(o)
			if err != nil {
				return err
			}
			return a.withSession(func(s *session) error { return s.delegate(c.Context(), args[0], o, narrow) })
		},
	}
	f := c.Flags()
	f.StringVar(&o.to, "to", "", "public key of the guest")
	f.StringVar(&o.name, "name", "", "what to call the guest")
	f.StringSliceVar(&o.methods, "method", nil, "method, such as lock.open (repeatable; default: all of your grant)")
	f.DurationVar(&o.duration, "for", 0, "how long, such as 2h (default: as long as your grant)")
	f.StringVar(&o.until, "until", "", "until when (RFC 3339)")
	f.StringVar(&o.from, "from", "", "from when (RFC 3339)")
	f.StringVarP(&o.out, "out", "o", "", "file to write the invitation to (default: standard output)")
	f.BoolVar(&o.force, "force", false, "replace the file")
	o.terms.flags(c)
	return c
}

// narrowing is what is asked of a grant that is given on.
type narrowing struct {
	grantee  key.Public
	methods  []draft.Method // none: all
	from, to time.Time      // zero: as above
	terms    draft.Terms
}

func (a *App) parseNarrow(o grantOptions) (n narrowing, err error) {
	if o.to == "" {
		return n, usagef("--to is missing: the guest's public key (hos key show)")
	}
	if n.grantee, err = key.ParsePublic(o.to); err != nil {
		return n, usagef("--to: %v", err)
	}
	for _, text := range o.methods {
		m, err := draft.ParseMethod(text)
		if err != nil {
			return n, usagef("--method: %v", err)
		}
		n.methods = append(n.methods, m)
	}
	if err := validGuestName(o.name); err != nil {
		return n, err
	}
	if n.terms, err = o.terms.parse(); err != nil {
		return n, err
	}
	if o.from != "" {
		if n.from, err = time.Parse(time.RFC3339, o.from); err != nil {
			return n, usagef("--from: %v", err)
		}
	}
	if o.duration != 0 || o.until != "" {
		if n.to, err = grantEnd(o, a.cfg.Now()); err == nil && !n.to.After(a.cfg.Now()) {
			err = usagef("the grant would be over already")
		}
	}
	return n, err
}

// apply narrows the terms of the grant above. Times are cut to those above,
// all else is refused if it is not within.
func (n narrowing) apply(g *tx.CreateGrant) {
	g.Grantee, g.Depth = n.grantee, n.terms.Depth
	if len(n.methods) > 0 {
		g.Targets = draft.Targets(draft.Grant{Device: g.Targets[0].Device, Methods: n.methods}, g.Targets[0].Epoch)
	}
	if from := uint64(max(n.from.Unix(), 0)); from > g.NotBefore {
		g.NotBefore = from
	}
	if to := uint64(max(n.to.Unix(), 0)); !n.to.IsZero() && to < g.NotAfter {
		g.NotAfter = to
	}
	if len(n.terms.Windows) > 0 {
		g.Windows, g.Zone = tx.Weekly(n.terms.Windows), n.terms.Zone
	}
	if n.terms.Uses > 0 {
		g.Uses = n.terms.Uses
	}
	if n.terms.Rate != nil {
		g.Rate = n.terms.Rate
	}
}

// received finds an accepted invitation by the beginning of its grant's id.
func (s *session) received(text string) (ticket.Invite, error) {
	id, err := s.home.FindGrant(text)
	if err != nil {
		return ticket.Invite{}, doing("find the grant", err)
	}
	list, err := s.invites()
	if err != nil {
		return ticket.Invite{}, doing("read the invitations", err)
	}
	for _, i := range list {
		if i.ID() == id {
			return i, nil
		}
	}
	return ticket.Invite{}, fail(exitNotFound, "no_grant", "hos grant list; hos grant accept INVITATION", "grant %s: %w", id, errNotReceived)
}

func (s *session) delegate(ctx context.Context, text string, o grantOptions, n narrowing) error {
	i, err := s.received(text)
	if err != nil {
		return err
	}
	if i.Private != nil {
		return usagef("a private grant is not given on")
	}
	r, err := s.unlock(ctx)
	if err != nil {
		return err
	}
	defer r.Zero()
	by, ok := r.Find(i.Grant.Grantee.ID())
	if !ok {
		return doing("give the grant on", &ticket.Error{Kind: ticket.NotForUs, Detail: fmt.Sprintf("it is for %s", i.Grant.Grantee)})
	}
	c, err := s.commit(ctx, "give the grant on", func(l draft.Ledger) (*tx.Tx, error) {
		return l.DelegateGrant(by, i.ID(), n.apply)
	})
	if err != nil {
		return err
	}
	d := home.Device{ID: i.Target.Device, Key: i.Device, Addrs: i.Addrs}
	return s.handOver(ctx, c, nil, d, o.name, o.out, o.force)
}
