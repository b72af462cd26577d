package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/wallet/home"
)

func (a *App) receiptCommand() *cobra.Command {
	return group("receipt", "Check what devices have signed", a.receiptVerify(), a.receiptAnchor(), a.receiptSubmit(), a.receiptAnchored())
}

type verifyResult struct {
	receiptInfo
	Valid bool `json:"valid"`
}

func (a *App) receiptVerify() *cobra.Command {
	var device, id string
	c := &cobra.Command{
		Use: "verify FILE", Short: "Check a receipt that --receipt-out wrote", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			w, err := a.wallet()
			if err != nil {
				return err
			}
			text, err := a.readText(args[0], command.MaxReceipt)
			if err != nil {
				return err
			}
			r, err := command.DecodeReceipt([]byte(text))
			if err != nil {
				return doing("read the receipt", err)
			}
			d, err := w.signerOf(r, device)
			if err != nil {
				return err
			}
			return w.verifyReceipt(r, d, id)
		},
	}
	c.Flags().StringVar(&device, "device", "", "device that must have signed it (default: the one it names, if known)")
	c.Flags().StringVar(&id, "command", "", "id of the command that it must answer")
	return c
}

// signerOf finds the device whose pinned key the receipt is checked against;
// the receipt's own word only chooses among the known ones.
func (w *wallet) signerOf(r *command.Receipt, text string) (home.Device, error) {
	if text == "" {
		text = r.Body.Device.String()
	}
	d, err := w.home.FindDevice(text)
	return d, doing("find the device", err)
}

func (w *wallet) verifyReceipt(r *command.Receipt, d home.Device, idText string) error {
	doc, err := w.genesis()
	if err != nil {
		return err
	}
	id := r.Body.Command
	if idText != "" {
		if err := id.UnmarshalText([]byte(idText)); err != nil {
			return usagef("--command: %v", err)
		}
		if id != r.Body.Command {
			return fail(exitInvalid, "other_command", "use the receipt of that command", "the receipt answers %s", r.Body.Command)
		}
	}
	if err := r.Verify(doc.Chain(), d.Key, id); err != nil {
		return doing("verify the receipt", err)
	}
	info := newReceiptInfo(d.Name, r)
	return w.app.print(verifyResult{info, true}, func(o io.Writer) {
		fmt.Fprintf(o, "valid: signed by %s\n", d.ID)
		info.people(o, w.app)
	})
}
