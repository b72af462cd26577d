package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/explain"
	"github.com/hybridos-net/hybridos/wallet/home"
	"github.com/hybridos-net/hybridos/wallet/ticket"
)

func (a *App) grantAccept() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use: "accept INVITATION|FILE", Short: "Take an invitation to somebody's device", Args: cobra.ExactArgs(1),
		Long: "Remembers an invitation that was made for this wallet's key: the line that\n'hos grant add' printed, a file that holds it, or - for standard input. A wallet\nthat follows no ledger yet follows the one of the invitation from then on.",
		RunE: func(c *cobra.Command, args []string) error {
			w, err := a.wallet()
			if err != nil {
				return err
			}
			text := args[0]
			if !strings.HasPrefix(text, ticket.InvitePrefix) {
				if text, err = a.readText(text, ticket.MaxText); err != nil {
					return err
				}
			}
			i, err := ticket.ParseInvite(text)
			if err != nil {
				return doing("read the invitation", err)
			}
			return w.accept(c.Context(), i, name)
		},
	}
	c.Flags().StringVar(&name, "name", "", "what to call the device")
	return c
}

// inviteResult is the JSON of an accepted invitation.
type inviteResult struct {
	header
	Grant     tx.ID         `json:"grant"`
	Owner     key.AccountID `json:"owner"` // or who gave it on
	Device    key.DeviceID  `json:"device"`
	Name      string        `json:"name"`
	Methods   []string      `json:"methods"`
	NotBefore uint64        `json:"not_before"`
	NotAfter  uint64        `json:"not_after"`
	limitInfo
}

// accept keeps an invitation. Whether the owner's signature is real is for the
// device to judge; what is checked here is that it fits this wallet.
func (w *wallet) accept(ctx context.Context, i ticket.Invite, name string) error {
	info, err := w.keys.Inspect()
	if err != nil {
		return doing("read the key file", err)
	}
	if !i.Grant.Grantee.Equal(info.Active) {
		return doing("take the invitation", &ticket.Error{Kind: ticket.NotForUs,
			Detail: fmt.Sprintf("it is for %s, this wallet has %s", i.Grant.Grantee, info.Active)})
	}
	doc, err := w.inviteLedger(i)
	if err != nil {
		return doing("take the invitation", err)
	}
	if _, err := w.app.show(i.Tx, w.deviceName); err != nil {
		return err
	}
	if i.Private != nil {
		sum, err := explain.Private(i.Chain, i.Private, w.deviceName)
		if err == nil {
			err = w.app.tell(sum)
		}
		if err != nil {
			return err
		}
	}
	if err := w.home.Pin(ctx, doc, append(w.app.givenNodes(), i.Nodes...)); err != nil {
		return doing("remember the ledger", err)
	}
	d, err := w.keepInvited(ctx, i, name)
	if err != nil {
		return doing("remember the device", err)
	}
	if err := w.home.PutInvite(ctx, home.Invite{ID: i.ID(), Text: i.String()}); err != nil {
		return doing("remember the invitation", err)
	}
	out := inviteResult{head("hos.invitation"), i.ID(), i.Tx.Body.Account, i.Target.Device, d.Name, methodTexts(i.Grant), i.Grant.NotBefore, i.Grant.NotAfter, limitInfo(limitsOf(i.Tx, i.Grant))}
	return w.app.print(out, func(o io.Writer) {
		fmt.Fprintf(o, "You may use %s now.\ngrant\t%s\nmethods\t%s\n", d.Name, out.Grant, strings.Join(out.Methods, ", "))
	})
}

// inviteLedger finds the genesis document: the wallet's own, or the one that
// came with the invitation.
func (w *wallet) inviteLedger(i ticket.Invite) (*genesis.Doc, error) {
	var doc *genesis.Doc
	var err error
	if w.app.opts.genesis != "" || w.app.cfg.Getenv("HOS_GENESIS") != "" {
		doc, err = w.genesis()
	} else {
		doc, err = w.home.Genesis()
	}
	switch {
	case err != nil:
		return nil, err
	case doc != nil && doc.Chain() != i.Chain:
		return nil, &ticket.Error{Kind: ticket.OtherLedger, Detail: "this wallet follows " + doc.ChainID}
	case doc != nil:
		return doc, nil
	case i.Genesis != nil:
		w.app.say("This wallet follows the ledger %s from now on.", i.Genesis.ChainID)
		return i.Genesis, nil
	default:
		return nil, fail(exitUsage, kindNoLedger, "hos init --genesis FILE --node ADDR", "the invitation does not bring its ledger's document, and this wallet follows none")
	}
}

// keepInvited remembers the device of an invitation; a device that is owned
// stays owned.
func (w *wallet) keepInvited(ctx context.Context, i ticket.Invite, name string) (home.Device, error) {
	old, err := w.home.FindDevice(i.Target.Device.String())
	d := home.Device{Name: name, ID: i.Target.Device, Key: i.Device, Model: "device", Addrs: i.Addrs, Epoch: i.Target.Epoch, Guest: true}
	switch {
	case errors.Is(err, home.NoDevice):
	case err != nil:
		return old, err
	case !old.Guest:
		return old, nil
	default:
		d.Model = old.Model
	}
	return w.home.PutDevice(ctx, d)
}
