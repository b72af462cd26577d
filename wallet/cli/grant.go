package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/home"
	"github.com/hybridos-net/hybridos/wallet/ticket"
)

func (a *App) grantCommand() *cobra.Command {
	return group("grant", "Let somebody use a device for a while, and end it",
		a.grantAdd(), a.grantDelegate(), a.grantRevoke(), a.grantList(), a.grantAccept())
}

// grantOptions are the flags of grant add.
type grantOptions struct {
	device, to, name string
	methods          []string
	from, until      string
	duration         time.Duration
	out              string
	force            bool
	toPhone          bool
	phone            phoneOptions
	terms            termOptions
	private          bool
}

func (a *App) grantAdd() *cobra.Command {
	var o grantOptions
	c := &cobra.Command{
		Use: "add [DEVICE [METHOD...]]", Short: "Let a key call methods of a device",
		Long: `Gives the holder of a public key (hos key show) the right to call methods of a
device for a time, and prints an invitation line for them: hos grant accept LINE.
With --phone it prints a link instead, which a guest opens on a phone: the phone
makes a passkey, and that gets the grant.

--window, --uses and --rate narrow the grant; the device holds it to them. With
--delegate N the guest may give a part of it on (hos grant delegate), N one after
the other. With --private the ledger gets to know the device, not who may do what:
that stands in the invitation alone, and goes to the device with each command.`,
		Example: `  hos grant add --device front-door --to hospub1… --method lock.open --for 24h
  hos grant add --to hospub1… --method lock.open,lock.state --until 2030-01-31T18:00:00Z
  hos grant add --to hospub1… --method lock.open --for 720h --window "mon-fri 08:00-18:00 Europe/Berlin" --rate 5/1h
  hos grant add --to hospub1… --method lock.open --for 24h --uses 1 --private
  hos grant add front-door lock.open --for 24h --phone`,
		ValidArgsFunction: a.completeDevices,
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.take(args); err != nil {
				return err
			}
			g, err := a.parseGrant(o)
			if err != nil {
				return err
			}
			if o.toPhone {
				if err := errors.Join(o.phone.validate(), a.canAsk()); err != nil {
					return err
				}
				return a.withSession(func(s *session) error { return s.addGrantToPhone(c.Context(), o, g) })
			}
			return a.withSession(func(s *session) error { return s.addGrant(c.Context(), o, g) })
		},
	}
	f := c.Flags()
	f.StringVar(&o.device, "device", "", "device (default: the only one)")
	f.StringVar(&o.to, "to", "", "public key of the guest")
	f.StringVar(&o.name, "name", "", "what to call the guest")
	f.StringSliceVar(&o.methods, "method", nil, "method, such as lock.open (repeatable)")
	f.DurationVar(&o.duration, "for", 0, "how long, such as 24h")
	f.StringVar(&o.until, "until", "", "until when (RFC 3339)")
	f.StringVar(&o.from, "from", "", "from when (RFC 3339; default: now)")
	f.StringVarP(&o.out, "out", "o", "", "file to write the invitation to (default: standard output)")
	f.BoolVar(&o.force, "force", false, "replace the file")
	f.BoolVar(&o.toPhone, "phone", false, "make a link for the guest's phone, instead of --to")
	f.BoolVar(&o.private, "private", false, "keep from the ledger who may do what")
	o.terms.flags(c)
	o.phone.flags(c)
	return c
}

// take reads device and methods from the arguments.
func (o *grantOptions) take(args []string) error {
	if len(args) > 0 {
		if o.device != "" {
			return usagef("the device stands twice: %.40q and --device", args[0])
		}
		o.device, o.methods = args[0], append(o.methods, args[1:]...)
	}
	if !o.toPhone && (o.phone.url != "" || o.phone.label != "") {
		return usagef("--url and --label are for --phone")
	}
	return nil
}

// skew lets a grant begin a little early, since the device's clock may be
// behind this one.
const skew = 30 * time.Second

// parseGrant reads everything but the device.
func (a *App) parseGrant(o grantOptions) (draft.Grant, error) {
	var g draft.Grant
	var err error
	switch {
	case o.toPhone && (o.to != "" || o.out != ""):
		return g, usagef("--phone makes the key and brings the grant to the phone: no --to, no --out")
	case o.toPhone:
	case o.to == "":
		return g, usagef("--to is missing: the guest's public key (hos key show), or --phone")
	default:
		if g.Grantee, err = key.ParsePublic(o.to); err != nil {
			return g, usagef("--to: %v", err)
		}
	}
	if len(o.methods) == 0 {
		return g, usagef("--method is missing, for instance --method lock.open")
	}
	for _, text := range o.methods {
		m, err := draft.ParseMethod(text)
		if err != nil {
			return g, usagef("--method: %v", err)
		}
		g.Methods = append(g.Methods, m)
	}
	if err := validGuestName(o.name); err != nil {
		return g, err
	}
	if g.Terms, err = o.terms.parse(); err != nil {
		return g, err
	}
	if err := o.fits(); err != nil {
		return g, err
	}
	now := a.cfg.Now()
	g.From = now.Add(-skew)
	if o.from != "" {
		if g.From, err = time.Parse(time.RFC3339, o.from); err != nil {
			return g, usagef("--from: %v", err)
		}
	}
	g.To, err = grantEnd(o, now)
	if err == nil && !g.To.After(now) {
		err = usagef("the grant would be over already")
	}
	if err == nil && g.To.Before(g.From) {
		err = usagef("the grant would end before it begins")
	}
	return g, err
}

func grantEnd(o grantOptions, now time.Time) (time.Time, error) {
	switch {
	case (o.duration != 0) == (o.until != ""):
		return now, usagef("say how long: --for 24h, or --until")
	case o.duration < 0:
		return now, usagef("--for %s is negative", o.duration)
	case o.duration > 0:
		if o.from != "" {
			from, err := time.Parse(time.RFC3339, o.from)
			return from.Add(o.duration), err
		}
		return now.Add(o.duration), nil
	default:
		t, err := time.Parse(time.RFC3339, o.until)
		if err != nil {
			return now, usagef("--until: %v", err)
		}
		return t, nil
	}
}

// grantResult is the JSON of a new grant.
type grantResult struct {
	header
	Grant      tx.ID        `json:"grant"`
	Device     key.DeviceID `json:"device"`
	Grantee    key.Public   `json:"grantee"`
	Methods    []string     `json:"methods"`
	NotBefore  uint64       `json:"not_before"`
	NotAfter   uint64       `json:"not_after"`
	Height     int64        `json:"height"`
	Invitation string       `json:"invitation"` // empty: a phone has the grant
	limitInfo
}

func (s *session) addGrant(ctx context.Context, o grantOptions, g draft.Grant) error {
	d, err := s.home.FindDevice(o.device)
	if err != nil {
		return doing("find the device", err)
	}
	g.Device = d.ID
	var body []byte
	c, err := s.act(ctx, "give the grant", func(l draft.Ledger, p draft.Party) (t *tx.Tx, err error) {
		if !o.private {
			return l.CreateGrant(p, g)
		}
		t, body, err = s.sealGrant(l, p, g)
		return t, err
	})
	if err != nil {
		return err
	}
	return s.handOver(ctx, c, body, d, o.name, o.out, o.force)
}

// handOver remembers a grant that the ledger has taken and gives out the
// invitation to it.
func (s *session) handOver(ctx context.Context, c committed, body []byte, d home.Device, name, file string, force bool) error {
	invite, err := ticket.NewInvite(s.doc, c.tx, body, d.Key, d.Addrs, s.nodes)
	if err != nil {
		return doing("write the invitation", err)
	}
	if err := s.keepGrant(ctx, c, invite.Grant, d, name); err != nil {
		return err
	}
	line := invite.String()
	if file != "" {
		if err := writeFile(file, []byte(line+"\n"), force); err != nil {
			return err
		}
	}
	s.app.say("Grant %s is in force. The guest takes it with: hos grant accept INVITATION", c.id)
	if file != "" {
		return s.printGrant(c, invite.Grant, d, line, "invitation in\t"+file)
	}
	return s.printGrant(c, invite.Grant, d, line, line)
}

// keepGrant remembers a grant that the ledger has taken.
func (s *session) keepGrant(ctx context.Context, c committed, p *tx.CreateGrant, d home.Device, name string) error {
	err := s.home.PutGrant(ctx, home.Grant{ID: c.id, Device: d.ID, Grantee: p.Grantee, Name: name,
		Methods: methodTexts(p), NotBefore: p.NotBefore, NotAfter: p.NotAfter, Limits: limitsOf(c.tx, p)})
	return doing("remember the grant "+c.id.String(), err)
}

// printGrant prints a grant that the ledger has taken, with a line for people.
func (s *session) printGrant(c committed, p *tx.CreateGrant, d home.Device, invitation, line string) error {
	out := grantResult{head("hos.grant"), c.id, d.ID, p.Grantee, methodTexts(p), p.NotBefore, p.NotAfter, c.height, invitation, limitInfo(limitsOf(c.tx, p))}
	return s.app.print(out, func(w io.Writer) { fmt.Fprintln(w, line) })
}

// methodTexts lists what a grant covers, as people write it.
func methodTexts(p *tx.CreateGrant) []string {
	var out []string
	for _, t := range p.Targets {
		for _, m := range t.Methods {
			out = append(out, t.Endpoint+"."+m)
		}
	}
	return out
}

func (s *session) markRevoked(ctx context.Context, id tx.ID) error {
	list, err := s.home.Grants()
	if err != nil {
		return doing("remember the end of the grant", err)
	}
	for _, g := range list {
		if g.ID == id {
			g.Revoked = true
			return doing("remember the end of the grant", s.home.PutGrant(ctx, g))
		}
	}
	return nil
}

// grantInfo is the JSON about a grant in a list.
type grantInfo struct {
	ID        tx.ID        `json:"id"`
	Device    key.DeviceID `json:"device"`
	Name      string       `json:"name"`
	Grantee   key.Public   `json:"grantee"`
	Methods   []string     `json:"methods"`
	NotBefore uint64       `json:"not_before"`
	NotAfter  uint64       `json:"not_after"`
	Received  bool         `json:"received"` // given to this wallet, not by it
	Status    string       `json:"status"`   // active, waiting, over, revoked, unknown
	limitInfo
}

type grantList struct {
	header
	Height int64       `json:"height"` // of the proof; 0: the ledger was not asked
	Grants []grantInfo `json:"grants"`
}

func (a *App) grantList() *cobra.Command {
	var offline bool
	c := &cobra.Command{
		Use: "list", Short: "List the grants that you gave and got", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			w, err := a.wallet()
			if err != nil {
				return err
			}
			list, err := w.knownGrants()
			if err != nil {
				return doing("list the grants", err)
			}
			out := grantList{header: head("hos.grant.list"), Grants: list}
			if !offline && len(list) > 0 {
				if err := w.proveGrants(c.Context(), &out); err != nil {
					return err
				}
			}
			return w.printGrants(out)
		},
	}
	c.Flags().BoolVar(&offline, "offline", false, "do not ask the ledger whether they still hold")
	return c
}

func (w *wallet) knownGrants() ([]grantInfo, error) {
	out := []grantInfo{}
	given, err := w.home.Grants()
	if err != nil {
		return nil, err
	}
	for _, g := range given {
		status := "unknown"
		if g.Revoked {
			status = "revoked"
		}
		out = append(out, grantInfo{g.ID, g.Device, g.Name, g.Grantee, g.Methods, g.NotBefore, g.NotAfter, false, status, limitInfo(g.Limits)})
	}
	got, err := w.invites()
	if err != nil {
		return nil, err
	}
	for _, i := range got {
		out = append(out, grantInfo{i.ID(), i.Target.Device, "", i.Grant.Grantee, methodTexts(i.Grant), i.Grant.NotBefore, i.Grant.NotAfter, true, "unknown", limitInfo(limitsOf(i.Tx, i.Grant))})
	}
	return out, nil
}

// invites reads the accepted invitations.
func (w *wallet) invites() ([]ticket.Invite, error) {
	stored, err := w.home.Invites()
	if err != nil {
		return nil, err
	}
	var out []ticket.Invite
	for _, s := range stored {
		i, err := ticket.ParseInvite(s.Text)
		if err != nil {
			return nil, fmt.Errorf("stored invitation %s: %w", s.ID, err)
		}
		out = append(out, i)
	}
	return out, nil
}

func (w *wallet) proveGrants(ctx context.Context, out *grantList) error {
	s, err := w.session()
	if err != nil {
		return err
	}
	defer s.close()
	ctx, cancel := w.app.bound(ctx)
	defer cancel()
	_, v, err := s.ledger(ctx)
	if err != nil {
		return err
	}
	out.Height = v.Head().Height
	for i := range out.Grants {
		if out.Grants[i].Status, err = grantStatus(v, s.chain, out.Grants[i], w.app.cfg.Now()); err != nil {
			return doing("read the record of a grant", err)
		}
	}
	return nil
}

// grantStatus tells how a grant stands; the end of one above it is its own.
func grantStatus(v state.View, chain codec.ChainDigest, g grantInfo, now time.Time) (string, error) {
	_, err := state.GetRight(v, chain, g.ID)
	switch {
	case errors.Is(err, state.NoGrant):
		return "unknown", nil
	case errors.Is(err, state.GrantRevoked):
		return "revoked", nil
	case err != nil:
		return "", err
	case uint64(now.Unix()) < g.NotBefore:
		return "waiting", nil
	case uint64(now.Unix()) > g.NotAfter:
		return "over", nil
	default:
		return "active", nil
	}
}

func (w *wallet) printGrants(out grantList) error {
	return w.app.print(out, func(o io.Writer) {
		if len(out.Grants) == 0 {
			w.app.say("No grant was given or received yet.")
			return
		}
		fmt.Fprintln(o, "ID\tDEVICE\tWHO\tMAY\tUNTIL\tSTATUS\tLIMITS")
		for _, g := range out.Grants {
			device := w.deviceName(g.Device)
			if device == "" {
				device = g.Device.String()
			}
			who := g.Name
			switch {
			case g.Received:
				who = "you"
			case who == "" && g.Grantee.Alg == key.Passkey:
				who = "phone " + g.Grantee.ID().String()
			case who == "":
				who = g.Grantee.String()
			}
			fmt.Fprintf(o, "%.12s\t%s\t%s\t%s\t%s\t%s\t%s\n", g.ID.String(), device, who, strings.Join(g.Methods, ","),
				time.Unix(int64(g.NotAfter), 0).UTC().Format(time.RFC3339), g.Status, g.words())
		}
	})
}
