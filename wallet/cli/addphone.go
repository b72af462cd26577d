package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/home"
	"github.com/hybridos-net/hybridos/wallet/keystore"
	"github.com/hybridos-net/hybridos/wallet/phone"
)

func (a *App) keyAddPhone() *cobra.Command {
	var o phoneOptions
	c := &cobra.Command{
		Use: "add-phone", Short: "Let your phone's browser open your doors", Args: cobra.NoArgs,
		Long: `Prints a link, and a picture of it, that your phone opens. The phone makes a
passkey that never leaves it; when you have compared the number that both show,
the ledger takes the key into your account. It may command your devices and
nothing else: it cannot share them, hand them on, or change keys. If the phone
is lost: hos key list, hos key revoke KEYID.

Browsers make passkeys only for names, over https; or on this very machine, for
http://localhost.`,
		Example: "  hos key add-phone\n  hos key add-phone --url https://home.example --label 'Ana'",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := errors.Join(o.validate(), a.canAsk()); err != nil {
				return err
			}
			return a.withSession(func(s *session) error { return s.addPhone(c.Context(), o) })
		},
	}
	o.flags(c)
	return c
}

const addingPhone = "add the phone"

func (s *session) addPhone(ctx context.Context, o phoneOptions) error {
	origin, err := s.phoneOrigin(o.url)
	if err != nil {
		return err
	}
	r, err := s.unlock(ctx)
	if err != nil {
		return err
	}
	defer r.Zero()
	offer, err := s.ownOffer(ctx, r)
	if err != nil {
		return doing(addingPhone, err)
	}
	m, err := s.meet(ctx, addingPhone, origin, offer, o)
	if err != nil {
		return err
	}
	c, err := m.addKey(ctx, r)
	if err := m.close(ctx, &phone.Done{Status: phone.Added, Text: "This phone may open your doors now."}, err); err != nil {
		return err
	}
	if err := s.home.PutPhone(ctx, home.Phone{ID: m.public.ID(), Label: m.label}); err != nil {
		return doing("remember the phone's name", err)
	}
	return s.printTx(c, fmt.Sprintf("done: the phone key %s may command your devices", m.public.ID()))
}

// ownOffer tells the owner's phone about the devices that the ledger says are
// the owner's.
func (s *session) ownOffer(ctx context.Context, r *keystore.Ring) (*phone.Offer, error) {
	ctx, cancel := s.app.bound(ctx)
	defer cancel()
	offer, v, err := s.offerOf(ctx, r, phone.Own)
	if err != nil {
		return nil, err
	}
	known, err := s.home.Devices()
	if err != nil {
		return nil, err
	}
	for _, d := range known {
		if len(offer.Devices) == phone.MaxDevices {
			break
		}
		rec, err := state.GetDevice(v, d.ID)
		switch {
		case errors.Is(err, state.NoDevice):
			continue
		case err != nil:
			return nil, err
		case rec.Owner == nil || *rec.Owner != offer.Account || !rec.Key.Equal(d.Key):
			continue
		}
		offer.Devices = append(offer.Devices, phone.Device{Key: d.Key, Name: d.Name, Model: rec.Model, Epoch: rec.Epoch,
			Endpoint: lockEndpoint, Methods: lockMethods()})
	}
	return offer, nil
}

// addKey waits for the phone's key and proof, and has the ledger take them.
func (m *meeting) addKey(ctx context.Context, r *keystore.Ring) (committed, error) {
	if err := m.key(ctx); err != nil {
		return committed{}, err
	}
	t, err := m.draft(ctx, r)
	if err != nil {
		return committed{}, err
	}
	if err := m.post(ctx, &phone.Tx{Body: codec.MustMarshal(t.Body)}); err != nil {
		return committed{}, err
	}
	var p phone.Proof
	if err := m.await(ctx, &p, "waiting for the phone to sign"); err != nil {
		return committed{}, err
	}
	if err := m.rehearse(ctx, t, p); err != nil {
		return committed{}, err
	}
	m.sent = true
	c, err := m.s.submit(ctx, m.what, t)
	if err != nil {
		return c, err
	}
	return c, m.inAccount(c.view)
}

// draft makes the transaction, shows it, and asks.
func (m *meeting) draft(ctx context.Context, r *keystore.Ring) (*tx.Tx, error) {
	bounded, cancel := m.s.app.bound(ctx)
	defer cancel()
	l, v, err := m.s.ledger(bounded)
	if err != nil {
		return nil, err
	}
	p, err := party(v, r)
	if err != nil {
		return nil, err
	}
	t, err := l.AddPhone(p, m.public)
	if err != nil {
		return nil, err
	}
	// The phone holds the transaction against the keys that it was offered.
	if want := t.Payload.(*tx.RotateKeys).Version; want != m.offer.Keys.Version+1 {
		return nil, &state.Error{Kind: state.BadKeyVersion, Detail: fmt.Sprintf("the keys have changed since the link was made: version %d", want)}
	}
	// Reading takes the time that it takes.
	return t, m.s.showAndAsk(ctx, v, t, m.question())
}

// rehearse checks the proof, and that the newest state would take the
// transaction, before anything is sent.
func (m *meeting) rehearse(ctx context.Context, t *tx.Tx, p phone.Proof) error {
	bounded, cancel := m.s.app.bound(ctx)
	defer cancel()
	l, _, err := m.s.ledger(bounded)
	if err != nil {
		return err
	}
	if err := l.ProvePhone(t, m.public, p.Signature); err != nil {
		return badProof(err)
	}
	return l.Rehearse(t)
}

func badProof(err error) error {
	kind := string(key.BadSignature)
	var k key.ErrorKind
	if errors.As(err, &k) {
		kind = string(k)
	}
	return &failure{exit: exitInvalid, kind: kind, what: "cannot " + addingPhone, try: "nothing was sent; open a new link on the phone itself",
		err: fmt.Errorf("the phone has not proven that it holds the key: %w", err)}
}

// inAccount checks that the ledger shows the key, with the one right.
func (m *meeting) inAccount(v View) error {
	pin, err := state.PinAccount(v, m.s.chain, m.offer.Account)
	if err != nil {
		return err
	}
	if k, ok := pin.Keys.Find(m.public.ID()); !ok || k.Rights != tx.RightInvoke {
		return fail(exitInvalid, "not_committed", "use another --node", "the node says that the transaction was committed, the ledger does not show the key")
	}
	return nil
}

// lockEndpoint and lockMethods are what a phone may be shown of a door; a
// device that has less refuses the rest.
const lockEndpoint = "lock"

func lockMethods() []string { return []string{"lock", "open", "state", "unlock"} }

// addGrantToPhone lets a guest's phone make a key and gives that key the grant.
func (s *session) addGrantToPhone(ctx context.Context, o grantOptions, g draft.Grant) error {
	const what = "give the grant to the phone"
	origin, err := s.phoneOrigin(o.phone.url)
	if err != nil {
		return err
	}
	d, err := s.home.FindDevice(o.device)
	if err != nil {
		return doing("find the device", err)
	}
	g.Device = d.ID
	r, err := s.unlock(ctx)
	if err != nil {
		return err
	}
	defer r.Zero()
	offer, err := s.guestOffer(ctx, r, d, g)
	if err != nil {
		return doing(what, err)
	}
	m, err := s.meet(ctx, what, origin, offer, o.phone)
	if err != nil {
		return err
	}
	c, err := m.grant(ctx, r, g)
	done := &phone.Done{Status: phone.Added, Text: "You may use " + d.Name + " now.", Devices: offer.Devices}
	if err == nil {
		done.Grants = [][]byte{c.tx.Bytes()}
		if keepErr := s.keepGrant(ctx, c, c.tx.Payload.(*tx.CreateGrant), d, o.name); keepErr != nil {
			s.app.say("The grant %s is in force, and could not be remembered here.", c.id)
			err = keepErr
		}
	}
	if err := m.close(ctx, done, err); err != nil {
		return err
	}
	if err := s.home.PutPhone(ctx, home.Phone{ID: m.public.ID(), Label: m.label}); err != nil {
		return doing("remember the phone's name", err)
	}
	s.app.say("Grant %s is in force.", c.id)
	return s.printGrant(c, c.tx.Payload.(*tx.CreateGrant), d, "", "done: the phone may use "+d.Name)
}

// guestOffer tells a guest's phone about the device, one entry for each
// endpoint.
func (s *session) guestOffer(ctx context.Context, r *keystore.Ring, d home.Device, g draft.Grant) (*phone.Offer, error) {
	ctx, cancel := s.app.bound(ctx)
	defer cancel()
	offer, v, err := s.offerOf(ctx, r, phone.Guest)
	if err != nil {
		return nil, err
	}
	rec, err := state.GetDevice(v, d.ID)
	if err != nil {
		return nil, err
	}
	if rec.Owner == nil || *rec.Owner != offer.Account {
		return nil, &state.Error{Kind: state.NotOwner, Detail: fmt.Sprintf("%s does not own %s", offer.Account, d.ID)}
	}
	for _, t := range draft.Targets(g, rec.Epoch) {
		offer.Devices = append(offer.Devices, phone.Device{Key: d.Key, Name: d.Name, Model: rec.Model, Epoch: t.Epoch, Endpoint: t.Endpoint, Methods: t.Methods})
	}
	return offer, nil
}

// grant waits for the phone's key and gives it the grant.
func (m *meeting) grant(ctx context.Context, r *keystore.Ring, g draft.Grant) (committed, error) {
	if err := m.key(ctx); err != nil {
		return committed{}, err
	}
	g.Grantee = m.public
	return m.s.commitShown(ctx, m.what, func(l draft.Ledger) (*tx.Tx, error) {
		p, err := party(l.View, r)
		if err != nil {
			return nil, err
		}
		return l.CreateGrant(p, g)
	}, manner{m.question(), func() { m.sent = true }})
}
