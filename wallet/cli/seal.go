package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
)

func (a *App) sealCommand() *cobra.Command {
	return group("seal", "Commands that several owners must approve", a.sealOpen(), a.sealApprove(), a.sealShow())
}

// defaultSeal is how long a seal is open, if not said.
const defaultSeal = 24 * time.Hour

func (a *App) sealOpen() *cobra.Command {
	var needed uint8
	var open time.Duration
	c := a.aboutSeal(&cobra.Command{
		Use: "open DEVICE COMMAND", Short: "Have the ledger seal a command, when enough keys have approved it",
		Long: "COMMAND is the id of a signed command, 64 hex digits. Your key is the first to approve\nit; the other owners follow with 'hos seal approve DEVICE COMMAND'.",
	}, func(ctx context.Context, s *session, device key.DeviceID, command tx.ID) error {
		return s.seal(ctx, "open the seal", device, command, func(l draft.Ledger, p draft.Party) (*tx.Tx, error) {
			return l.OpenSeal(p, device, command, needed, open)
		})
	})
	c.Flags().Uint8Var(&needed, "needed", 1, "how many keys of the account must approve it, yours among them")
	c.Flags().DurationVar(&open, "for", defaultSeal, "how long the other owners have, at most 168h")
	return c
}

func (a *App) sealApprove() *cobra.Command {
	return a.aboutSeal(&cobra.Command{
		Use: "approve DEVICE COMMAND", Short: "Approve a command that another owner opened a seal for",
		Long: "Make sure that you know what the command does: ask who opened it, and compare the id.",
	}, func(ctx context.Context, s *session, device key.DeviceID, command tx.ID) error {
		return s.seal(ctx, "approve the command", device, command, func(l draft.Ledger, p draft.Party) (*tx.Tx, error) {
			return l.ApproveSeal(p, device, command)
		})
	})
}

// seal commits a transaction about a seal and tells what has become of it.
func (s *session) seal(ctx context.Context, what string, device key.DeviceID, command tx.ID, build func(draft.Ledger, draft.Party) (*tx.Tx, error)) error {
	c, err := s.act(ctx, what, build)
	if err != nil {
		return err
	}
	r, err := state.GetSeal(c.view, device, command)
	if err != nil {
		return doing("read the seal", err)
	}
	sentence := fmt.Sprintf("command %s is sealed", command)
	if r.Status != state.Sealed {
		sentence = fmt.Sprintf("command %s has %d of %d approvals; the next owner: hos seal approve %s %s", command, len(r.Keys), r.Needed, device, command)
	}
	return s.printTx(c, sentence)
}

type sealInfo struct {
	header
	Device   key.DeviceID `json:"device"`
	Command  tx.ID        `json:"command"`
	Status   string       `json:"status"` // open, sealed or expired
	Needed   uint8        `json:"needed"`
	Approved []key.KeyID  `json:"approved"`
	Keys     int          `json:"keys"` // admin keys of the owner now
	Until    time.Time    `json:"until"`
	Height   int64        `json:"height"`
	Valid    bool         `json:"valid"` // the owner's present keys signed it, and enough of them
}

func (a *App) sealShow() *cobra.Command {
	return a.aboutSeal(&cobra.Command{Use: "show DEVICE COMMAND", Short: "Show who has approved a command, and whether a device believes it"},
		func(ctx context.Context, s *session, device key.DeviceID, command tx.ID) error {
			bounded, cancel := a.bound(ctx)
			defer cancel()
			l, _, err := s.ledger(bounded)
			if err != nil {
				return err
			}
			r, err := l.Seal(device, command)
			if err != nil {
				return doing("read the seal", err)
			}
			out := sealInfo{header: head("hos.seal"), Device: device, Command: command, Status: "open", Needed: r.Needed, Approved: r.Seal.Keys,
				Keys: r.Present, Until: time.Unix(int64(r.Until), 0).UTC(), Height: r.Height, Valid: r.Refusal == nil}
			switch {
			case r.Status == state.Sealed:
				out.Status = "sealed"
			case !l.Now.Before(out.Until):
				out.Status = "expired"
			}
			return a.print(out, func(w io.Writer) { out.people(w, r.Refusal) })
		})
}

func (i sealInfo) people(w io.Writer, refusal error) {
	fmt.Fprintf(w, "command\t%s\ndevice\t%s\nstatus\t%s\napprovals\t%d of %d needed; the account has %d keys that may approve\n", i.Command, i.Device, i.Status, len(i.Approved), i.Needed, i.Keys)
	for _, k := range i.Approved {
		fmt.Fprintf(w, "approved by\t%s\n", k)
	}
	if i.Status == "open" {
		fmt.Fprintf(w, "open until\t%s\n", i.Until.Format(time.RFC3339))
	}
	if i.Status == "sealed" && refusal != nil {
		fmt.Fprintf(w, "refused\t%s\n", clean(refusal.Error()))
	}
}

// aboutSeal makes c a verb about a command to a device, which is one of this
// wallet or an id.
func (a *App) aboutSeal(c *cobra.Command, run func(context.Context, *session, key.DeviceID, tx.ID) error) *cobra.Command {
	c.Args, c.ValidArgsFunction = cobra.ExactArgs(2), a.completeDevices
	c.RunE = func(c *cobra.Command, args []string) error {
		command, err := tx.ParseID(args[1])
		if err != nil {
			return usagef("COMMAND: want 64 hex digits")
		}
		return a.withSession(func(s *session) error {
			device, err := s.deviceID(args[0])
			if err != nil {
				return err
			}
			return run(c.Context(), s, device, command)
		})
	}
	return c
}

// deviceID reads an id, or finds a device of this wallet by its name.
func (w *wallet) deviceID(text string) (key.DeviceID, error) {
	if id, err := key.ParseDeviceID(text); err == nil {
		return id, nil
	}
	d, err := w.home.FindDevice(text)
	return d.ID, doing("find the device", err)
}
