package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
)

func (a *App) deviceAddresses() *cobra.Command {
	var publish, none, use bool
	c := &cobra.Command{
		Use: "addresses DEVICE [ADDRESS…]", Short: "Show or say where a device of yours can be reached", Args: cobra.MinimumNArgs(1),
		Long:    "The ledger shows the addresses to everybody; they give nobody a right. Without an\naddress it shows those that are there.",
		Example: "  hos device addresses front-door\n  hos device addresses front-door --publish\n  hos device addresses front-door /ip4/192.0.2.7/tcp/27800/p2p/12D3Koo…",
		RunE: func(c *cobra.Command, args []string) error {
			given := 0
			for _, set := range []bool{len(args) > 1, publish, none, use} {
				if set {
					given++
				}
			}
			switch {
			case given > 1:
				return usagef("want addresses, --publish, --none or --use, one of them")
			case given == 0 || use:
				return a.showAddresses(c.Context(), args[0], use)
			}
			return a.withSession(func(s *session) error { return s.setAddresses(c.Context(), args[0], args[1:], publish) })
		},
		ValidArgsFunction: a.completeDevices,
	}
	c.Flags().BoolVar(&publish, "publish", false, "put the addresses of this wallet on the ledger")
	c.Flags().BoolVar(&none, "none", false, "take the addresses back")
	c.Flags().BoolVar(&use, "use", false, "reach the device at the ledger's addresses from now on")
	return c
}

func (s *session) setAddresses(ctx context.Context, device string, addrs []string, publish bool) error {
	d, err := s.home.FindDevice(device)
	if err != nil {
		return doing("find the device", err)
	}
	if publish {
		addrs = d.Addrs
	}
	for _, a := range addrs {
		if !tx.ValidAddr(a) {
			return usagef("address %.200q: want /ip4/192.0.2.7/tcp/27800/p2p/12D3Koo…, or with ip6, dns4 or dns6", a)
		}
	}
	return s.simple(ctx, "set the addresses", fmt.Sprintf("%s has %d address(es) on the ledger", d.Name, len(addrs)), func(l draft.Ledger, p draft.Party) (*tx.Tx, error) {
		return l.SetAddresses(p, d.ID, addrs)
	})
}

// addressInfo is the JSON about a device's addresses on the ledger.
type addressInfo struct {
	header
	Device key.DeviceID `json:"device"`
	Addrs  []string     `json:"addrs"`
	Used   bool         `json:"used"` // this wallet reaches the device there from now on
	Height int64        `json:"height"`
}

// showAddresses shows only what the owner's present keys signed for the present
// epoch.
func (a *App) showAddresses(ctx context.Context, device string, use bool) error {
	return a.aboutProven(ctx, device, func(s *session, v View, id key.DeviceID) error {
		own, _, err := s.ownershipOf(v, id)
		if err != nil {
			return doing("read the device's record", err)
		}
		rec, err := state.GetAddresses(v, id)
		if err != nil {
			return doing("read the addresses", err)
		}
		out := addressInfo{header: head("hos.addresses"), Device: id, Addrs: []string{}, Height: v.Head().Height}
		addrs, err := state.VerifyAddresses(s.chain, own, rec)
		if errors.Is(err, state.StaleEpoch) {
			err = &state.Error{Kind: state.NoAddresses, Detail: "those on the ledger are a former owner's"}
		}
		if err != nil {
			return doing("read the addresses", err)
		}
		out.Addrs = append(out.Addrs, addrs...)
		if use && len(addrs) > 0 {
			d, err := s.home.FindDevice(device)
			if err != nil {
				return doing("find the device", err)
			}
			d.Addrs = addrs
			if _, err := s.home.PutDevice(ctx, d); err != nil {
				return doing("remember the addresses", err)
			}
			out.Used = true
		}
		return a.print(out, func(w io.Writer) {
			if len(out.Addrs) == 0 {
				a.say("The owner has taken the addresses back.")
			}
			for _, addr := range out.Addrs {
				fmt.Fprintln(w, addr)
			}
		})
	})
}
