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
	"github.com/hybridos-net/hybridos/p2p/pairing"
	"github.com/hybridos-net/hybridos/wallet/home"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

func (a *App) devicePair() *cobra.Command {
	var codeFile, qrFile, name string
	c := &cobra.Command{
		Use: "pair [CODE]", Short: "Become the owner of the device that shows a pairing code", Args: cobra.MaximumNArgs(1),
		Long: "Takes the code that the device shows: as argument, in a file, or as the text that\na QR scanner made of the picture (--qr FILE, - for standard input).",
		RunE: func(c *cobra.Command, args []string) error {
			if name != "" && !home.ValidName(name) {
				return usagef("--name %q: want 1 to %d of a-z, 0-9, '-' and '_'", name, home.MaxName)
			}
			code, err := a.readCode(args, codeFile, qrFile)
			if err != nil {
				return err
			}
			return a.withSession(func(s *session) error { return s.pair(c.Context(), code, name) })
		},
	}
	c.Flags().StringVar(&codeFile, "code-file", "", "file that holds the code; - for standard input")
	c.Flags().StringVar(&qrFile, "qr", "", "file that holds what the QR picture says; - for standard input")
	c.Flags().StringVar(&name, "name", "", "what to call the device")
	return c
}

// maxCodeText is far above what a code needs.
const maxCodeText = 8 << 10

func (a *App) readCode(args []string, codeFile, qrFile string) (pairing.Code, error) {
	given := 0
	for _, set := range []bool{len(args) > 0, codeFile != "", qrFile != ""} {
		if set {
			given++
		}
	}
	if given != 1 {
		return pairing.Code{}, usagef("want the code, --code-file or --qr, one of them")
	}
	text := ""
	if len(args) > 0 {
		text = args[0]
	} else {
		var err error
		if text, err = a.readText(codeFile+qrFile, maxCodeText); err != nil {
			return pairing.Code{}, err
		}
	}
	code, err := pairing.ParseCode(text)
	return code, doing("read the pairing code", err)
}

// pairingResult is the JSON of a pairing.
type pairingResult struct {
	header
	Device  deviceInfo    `json:"device"`
	Account key.AccountID `json:"account"`
	ID      tx.ID         `json:"id"`     // of the claim; zero if the device was owned already
	Height  int64         `json:"height"` // of the claim's block
}

// claimer is the wallet's part in one pairing.
type claimer struct {
	s    *session
	ring *keystore.Ring
	what string

	done committed
	err  error // of the wallet's own, before it became words for the device
}

func (s *session) pair(ctx context.Context, code pairing.Code, name string) error {
	r, err := s.unlock(ctx)
	if err != nil {
		return err
	}
	defer r.Zero()
	// The ledger commits and the device catches up: twice the usual patience.
	ctx, cancel := context.WithTimeout(ctx, 2*s.app.opts.timeout)
	defer cancel()
	cl := &claimer{s: s, ring: r, what: "pair the device"}
	stop := s.app.progress("reaching the device")
	peer, _, err := s.net.Pair(ctx, code, pairing.Owner{
		Chain: s.chain, Account: r.Account(),
		Claim:  func(p pairing.Peer) (*tx.Tx, error) { stop(); return cl.claim(ctx, p) },
		Commit: func(t *tx.Tx) (uint64, error) { return cl.commit(ctx, t) },
	})
	stop()
	if cl.err != nil {
		err = cl.err
	}
	if errors.Is(err, pairing.AlreadyOwned) || errors.Is(err, state.DeviceOwned) {
		return s.remember(ctx, cl, code, name, err)
	}
	if cl.done.view == nil {
		if err == nil {
			err = fail(exitInvalid, "not_committed", "use another --node", "the device is content, but no claim was committed")
		}
		return doing(cl.what, err)
	}
	// From here on the account owns the device, whatever else failed.
	d, keepErr := s.keepDevice(ctx, peer, code.Addrs, name, cl.done.view)
	if keepErr != nil {
		return keepErr
	}
	if err != nil {
		s.app.say("The ledger names you as the owner of %s, but the device has not said that it obeys yet.", d.Name)
		return doing("hear from the device that it is armed", err)
	}
	return s.printPairing(cl, d)
}

// remember takes a device back into a wallet that owns it already: one that
// was stopped in the middle of a pairing, or restored from words. Nothing is
// signed.
func (s *session) remember(ctx context.Context, c *claimer, code pairing.Code, name string, refusal error) error {
	_, v, err := s.ledger(ctx)
	if err != nil {
		return doing(c.what, refusal)
	}
	rec, err := state.GetDevice(v, code.Device)
	if err != nil || rec.Owner == nil || *rec.Owner != c.ring.Account() || rec.Key.DeviceID() != code.Device {
		return doing(c.what, refusal)
	}
	d, err := s.keepDevice(ctx, pairing.Peer{Device: rec.Key}, code.Addrs, name, v)
	if err != nil {
		return err
	}
	s.app.say("It is yours already; this wallet knows it again.")
	c.done.view = v
	return s.printPairing(c, d)
}

func (c *claimer) claim(ctx context.Context, peer pairing.Peer) (*tx.Tx, error) {
	t, err := c.draft(ctx, peer)
	if err == nil {
		_, err = c.s.app.show(t, c.s.deviceName)
	}
	c.err = doing(c.what, err)
	return t, err
}

func (c *claimer) draft(ctx context.Context, peer pairing.Peer) (*tx.Tx, error) {
	l, v, err := c.s.ledger(ctx)
	if err != nil {
		return nil, err
	}
	p, err := party(v, c.ring)
	if err != nil {
		return nil, err
	}
	if peer.Batch != nil {
		return l.ClaimMember(p, peer.Batch)
	}
	return l.Claim(p, peer.Device.DeviceID())
}

func (c *claimer) commit(ctx context.Context, t *tx.Tx) (uint64, error) {
	var err error
	c.done, err = c.s.submit(ctx, c.what, t)
	c.err = err
	return uint64(max(c.done.height, 0)), err
}

// keepDevice remembers a device as the ledger proves it.
func (s *session) keepDevice(ctx context.Context, peer pairing.Peer, addrs []string, name string, v View) (home.Device, error) {
	id := peer.Device.DeviceID()
	rec, err := state.GetDevice(v, id)
	if err != nil {
		return home.Device{}, doing("read the device's record", err)
	}
	if err := s.pin(ctx); err != nil {
		return home.Device{}, err
	}
	d, err := s.home.PutDevice(ctx, home.Device{Name: name, ID: id, Key: peer.Device, Model: rec.Model, Addrs: addrs, Epoch: rec.Epoch})
	return d, doing("remember the device", err)
}

func (s *session) printPairing(c *claimer, d home.Device) error {
	info, err := newProver(c.done.view, c.ring.Account()).device(d)
	if err != nil {
		return doing("read the device's record", err)
	}
	out := pairingResult{head("hos.pairing"), info, c.ring.Account(), c.done.id, c.done.height}
	return s.app.print(out, func(w io.Writer) {
		fmt.Fprintf(w, "%s is yours.\n", d.Name)
		fmt.Fprintf(w, "device\t%s\nmodel\t%s\nverified\tblock %d, %s\n", d.ID, clean(d.Model), c.done.view.Head().Height,
			c.done.view.Head().Time.UTC().Format(time.RFC3339))
	})
}
