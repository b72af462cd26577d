package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/home"
	"github.com/hybridos-net/hybridos/wallet/keystore"
	"github.com/hybridos-net/hybridos/wallet/ticket"
)

func (a *App) receiptAnchor() *cobra.Command {
	var out string
	var force bool
	c := &cobra.Command{
		Use: "anchor FILE", Short: "Offer to anchor a device's receipts on the ledger, up to the one in FILE", Args: cobra.ExactArgs(1),
		Long: "FILE is a receipt that --receipt-out wrote; its hash commits to all receipts before it.\nThe offer is for the device, which adds its signature; then hos receipt submit OFFER.",
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSession(func(s *session) error { return s.anchor(c.Context(), args[0], out, force) })
		},
	}
	offerFlags(c, &out, &force)
	return c
}

// anchor drafts from a receipt that is the pinned device's own.
func (s *session) anchor(ctx context.Context, path, out string, force bool) error {
	r, d, err := s.readReceipt(path)
	if err != nil {
		return err
	}
	if err := r.Verify(s.chain, d.Key, r.Body.Command); err != nil {
		return doing("verify the receipt", err)
	}
	return s.drafting(ctx, func(l draft.Ledger, v View, ring *keystore.Ring) error {
		p, err := party(l.View, ring)
		if err != nil {
			return err
		}
		t, err := l.Anchor(p, d.ID, r.Body.Counter, r.Hash())
		if err != nil {
			return doing("anchor the receipts", err)
		}
		if err := s.showAndAsk(ctx, v, t, "Sign?"); err != nil {
			return err
		}
		return s.writeOffer(ticket.Offer{Chain: s.chain, Tx: t}, out, force)
	})
}

func (w *wallet) readReceipt(path string) (*command.Receipt, home.Device, error) {
	text, err := w.app.readText(path, command.MaxReceipt)
	if err != nil {
		return nil, home.Device{}, err
	}
	r, err := command.DecodeReceipt([]byte(text))
	if err != nil {
		return nil, home.Device{}, doing("read the receipt", err)
	}
	d, err := w.signerOf(r, "")
	return r, d, err
}

func (a *App) receiptSubmit() *cobra.Command {
	return &cobra.Command{
		Use: "submit OFFER", Short: "Anchor receipts with an offer that the device has signed", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSession(func(s *session) error {
				o, err := s.readOffer(args[0])
				if err != nil {
					return err
				}
				p, ok := o.Tx.Payload.(*tx.AnchorReceipts)
				if !ok {
					return fail(exitUsage, kindUsage, "use the offer of hos receipt anchor", "a %s anchors no receipts", o.Tx.Body.Kind)
				}
				t, err := s.commit(c.Context(), "anchor the receipts", func(draft.Ledger) (*tx.Tx, error) { return o.Tx, nil })
				if err != nil {
					return err
				}
				return s.printTx(t, fmt.Sprintf("receipts %d to %d are anchored", p.From, p.To))
			})
		},
	}
}

type anchorInfo struct {
	header
	Device  key.DeviceID `json:"device"`
	Counter uint64       `json:"counter"` // of the last receipt that is anchored; 0: none is
	Hash    string       `json:"hash,omitempty"`
	Height  int64        `json:"height"`
}

func (a *App) receiptAnchored() *cobra.Command {
	return &cobra.Command{
		Use: "anchored DEVICE", Short: "Show up to which receipt a device's receipts are anchored", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeDevices,
		RunE: func(c *cobra.Command, args []string) error {
			return a.withSession(func(s *session) error { return s.anchored(c.Context(), args[0]) })
		},
	}
}

func (s *session) anchored(ctx context.Context, name string) error {
	id, err := s.deviceID(name)
	if err != nil {
		return err
	}
	bounded, cancel := s.app.bound(ctx)
	defer cancel()
	l, _, err := s.ledger(bounded)
	if err != nil {
		return err
	}
	r, err := l.Anchored(id)
	if err != nil {
		return doing("read the anchor", err)
	}
	out := anchorInfo{header: head("hos.receipt.anchor"), Device: id, Counter: r.Counter, Height: r.Height}
	if r.Counter > 0 {
		out.Hash = fmt.Sprintf("%x", r.Head)
	}
	return s.app.print(out, func(w io.Writer) {
		if r.Counter == 0 {
			fmt.Fprintf(w, "no receipts of %s are anchored\n", id)
			return
		}
		fmt.Fprintf(w, "device\t%s\nanchored up to\t%d\nhash\t%s\nin block\t%d\n", id, out.Counter, out.Hash, out.Height)
	})
}
