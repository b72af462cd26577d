package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/p2p/pairing"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/keystore"
	"github.com/hybridos-net/hybridos/wallet/phone"
)

// phoneOptions are the flags of commands that invite a phone.
type phoneOptions struct {
	url   string
	label string
	wait  time.Duration
}

func (o *phoneOptions) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.url, "url", "", "address of the page that the phone opens (default: what hos init --phone-url stored)")
	c.Flags().StringVar(&o.label, "label", "", "name proposed to the phone")
	c.Flags().DurationVar(&o.wait, "wait", phoneWait, "how long to wait for the phone")
}

const (
	// phoneWait is shorter than a node keeps a box (15 minutes), and as long as
	// the transaction lives.
	phoneWait = draft.Life
	// farewell is how long the last word to the phone may take when the wallet
	// has been interrupted or has failed.
	farewell = 5 * time.Second
)

// validate checks the flags before anything is asked or shown.
func (o *phoneOptions) validate() error {
	if !phone.Printable(o.label, phone.MaxLabel) {
		return usagef("--label: want at most %d bytes of printable text", phone.MaxLabel)
	}
	if o.wait <= 0 {
		return usagef("--wait %s is no time", o.wait)
	}
	return nil
}

// phoneOrigin finds the page: flag, then folder.
func (s *session) phoneOrigin(url string) (phone.Origin, error) {
	if url == "" {
		cfg, err := s.home.Config()
		if err != nil {
			return phone.Origin{}, doing("read the settings", err)
		}
		if url = cfg.Phone; url == "" {
			return phone.Origin{}, fail(exitUsage, kindNoPhonePage, "--url ADDRESS, or hos init --phone-url ADDRESS for good",
				"the address of the phone page is not known")
		}
	}
	o, err := phone.ParseOrigin(url)
	return o, doing("use the phone page "+url, err)
}

// meeting is one link and what is said through its box.
type meeting struct {
	s      *session
	what   string // what could not be done, if it fails
	offer  *phone.Offer
	secret phone.Secret
	box    phone.Box
	client *phone.Client
	until  time.Time // by the clock that contexts go by
	public key.Public
	label  string
	sent   bool // the ledger may have heard of it
}

// meet puts the offer into a new box and shows the link. The caller closes the
// meeting.
func (s *session) meet(ctx context.Context, what string, origin phone.Origin, offer *phone.Offer, o phoneOptions) (*meeting, error) {
	secret, err := phone.NewSecret(s.app.cfg.Random)
	if err != nil {
		return nil, err
	}
	offer.RPID, offer.Origin, offer.Label = origin.RPID(), origin.String(), o.label
	for !phone.Fits(offer) && len(offer.Devices) > 0 {
		offer.Devices = offer.Devices[:len(offer.Devices)-1] // the phone finds the others at the node
	}
	m := &meeting{s: s, what: what, offer: offer, secret: secret, box: secret.Box(), client: phone.NewClient(origin, s.app.cfg.Random),
		until: time.Now().Add(o.wait)}
	bounded, cancel := s.app.bound(ctx)
	defer cancel()
	if err := m.client.Post(bounded, m.box, offer); err != nil {
		m.client.Close()
		return nil, m.ended(ctx, err)
	}
	return m, m.showLink(secret.Link(origin), o.wait)
}

// linkInfo is the JSON of a link for a phone. The link is a secret for as long
// as it lives.
type linkInfo struct {
	header
	URL     string    `json:"url"`
	Purpose string    `json:"purpose"` // own, guest
	Origin  string    `json:"origin"`
	Until   time.Time `json:"until"`
}

func (m *meeting) showLink(url string, wait time.Duration) error {
	a := m.s.app
	if a.opts.json {
		purpose := "own"
		if m.offer.Purpose == phone.Guest {
			purpose = "guest"
		}
		return a.line(linkInfo{head("hos.phone.link"), url, purpose, m.offer.Origin, m.s.app.cfg.Now().Add(wait).UTC().Truncate(time.Second)})
	}
	if !a.opts.quiet {
		if err := pairing.DrawQR(a.cfg.Err, url); err != nil {
			return err
		}
	}
	a.say("Open this on the phone within %s, and show it to nobody else:", wait)
	_, err := fmt.Fprintf(a.cfg.Out, "link  %s\n", url)
	return err
}

// await waits for a message of the phone.
func (m *meeting) await(ctx context.Context, into phone.Message, what string) error {
	ctx, cancel := context.WithDeadline(ctx, m.until)
	defer cancel()
	done := m.s.app.progress(what)
	defer done()
	return m.client.Wait(ctx, m.box, into)
}

// phoneKeyInfo is the JSON about a key that a phone has offered.
type phoneKeyInfo struct {
	header
	ID      key.KeyID  `json:"id"`
	Key     key.Public `json:"key"`
	Alg     key.Alg    `json:"alg"`
	RPID    string     `json:"rp_id"`
	Origins []string   `json:"origins"`
	Label   string     `json:"label"`
	Compare string     `json:"compare"` // the phone must show the same
}

// key waits for the phone's key, checks that it is what was asked for, and
// shows it.
func (m *meeting) key(ctx context.Context) error {
	var k phone.Key
	if err := m.await(ctx, &k, "waiting for the phone"); err != nil {
		return err
	}
	if err := m.offer.Takes(k.Public); err != nil {
		return err
	}
	m.public, m.label = k.Public, k.Label
	info := phoneKeyInfo{head("hos.phone.key"), k.Public.ID(), k.Public, k.Public.Alg, m.offer.RPID, []string{m.offer.Origin}, k.Label, m.secret.Compare(k.Public)}
	if m.s.app.opts.json {
		return m.s.app.line(info)
	}
	name := "A phone"
	if k.Label != "" {
		name = fmt.Sprintf("The phone %q", clean(k.Label))
	}
	m.s.app.say("%s answers with the key %s (algorithm %d), a passkey for %s, used on %s.\nIt must show the number %s.",
		name, info.ID, info.Alg, info.RPID, m.offer.Origin, info.Compare)
	return nil
}

// question asks the owner to look at the phone before rights are given.
func (m *meeting) question() string {
	return fmt.Sprintf("Does the phone show %s, and shall this be signed and sent?", m.secret.Compare(m.public))
}

// post puts a message into the box.
func (m *meeting) post(ctx context.Context, msg phone.Message) error {
	bounded, cancel := m.s.app.bound(ctx)
	defer cancel()
	return m.client.Post(bounded, m.box, msg)
}

// close tells the phone how it ended, and gives the error for the owner.
func (m *meeting) close(ctx context.Context, done *phone.Done, err error) error {
	defer m.client.Close()
	if err == nil {
		if err = m.post(ctx, done); err != nil {
			return &failure{exit: exitFailure, kind: kindPhoneNotTold, what: "cannot tell the phone that it was added",
				err: err, try: "it is on the ledger: hos key list, hos grant list; end it there and begin anew, or look whether the phone works"}
		}
		return nil
	}
	err = m.ended(ctx, err)
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	// The owner is told why it failed; that the phone could not be told as well
	// changes nothing.
	_ = m.client.Post(bye, m.box, &phone.Done{Status: phone.NotAdded, Text: wordsFor(err)})
	return err
}

// wordsFor says on the phone why it was not added.
func wordsFor(err error) string {
	f := classify(err)
	text := "The wallet did not add this phone: " + clean(f.why())
	switch f.kind {
	case kindDeclined:
		text = "The owner said no."
	case kindInterrupted:
		text = "The owner has stopped it."
	}
	text = strings.Map(func(r rune) rune {
		if !phone.Printable(string(r), phone.MaxText) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	for len(text) > phone.MaxText {
		text = strings.ToValidUTF8(text[:phone.MaxText], "")
	}
	return text
}

// ended says of an error what it leaves behind.
func (m *meeting) ended(ctx context.Context, err error) error {
	again := "begin anew with the same command: a link is good once"
	switch {
	case ctx.Err() != nil && m.sent:
		return &failure{exit: exitFailure, kind: kindInterrupted, what: "cannot " + m.what, try: "hos key list and hos grant list show what the ledger has",
			err: errors.New("interrupted while it was being sent; the ledger may have it")}
	case ctx.Err() != nil:
		return &failure{exit: exitFailure, kind: kindInterrupted, what: "cannot " + m.what, try: again,
			err: errors.New("interrupted; nothing was sent to the ledger")}
	case overtaken(err):
		return &failure{exit: exitFailure, kind: classify(err).kind, what: "cannot " + m.what, try: again,
			err: errors.New("another transaction of this account came in between, so that the phone has signed in vain; nothing was committed")}
	default:
		return doing(m.what, err)
	}
}

// overtaken tells whether another transaction of the account came first.
func overtaken(err error) bool {
	for _, k := range []state.ErrorKind{state.BadSequence, state.BadKeyVersion} {
		if remote, ok := ledgerKind(err); errors.Is(err, k) || ok && remote == k {
			return true
		}
	}
	return false
}

// offerOf fills what every offer says about the account: its keys as its own
// signatures give them, not as a record shows them.
func (s *session) offerOf(ctx context.Context, r *keystore.Ring, purpose phone.Purpose) (*phone.Offer, View, error) {
	l, v, err := s.ledger(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := party(v, r)
	if err != nil {
		return nil, nil, err
	}
	a, err := l.CanSign(p)
	if err != nil {
		return nil, nil, err
	}
	pin, err := state.PinAccount(v, s.chain, p.Account)
	if err != nil {
		return nil, nil, err
	}
	return &phone.Offer{Chain: s.chain, ChainID: s.doc.ChainID, Account: p.Account, Purpose: purpose, Devices: []phone.Device{},
		Root: a.Root, Keys: pin.Keys}, v, nil
}

// canAsk refuses before a phone is invited what would fail for want of an
// answer afterwards.
func (a *App) canAsk() error {
	if a.opts.yes || a.cfg.Console != nil {
		return nil
	}
	return a.confirm(context.Background(), "")
}
