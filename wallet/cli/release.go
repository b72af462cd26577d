package cli

import (
	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
)

func (a *App) deviceRelease() *cobra.Command {
	return a.aboutDevice(&cobra.Command{
		Use: "release DEVICE", Short: "Give a device up: nobody owns it afterwards",
		Long: "Ends your ownership on the ledger, with every grant over the device. It obeys nobody\nas soon as it hears of it, and whoever holds its pairing code can claim it: hos device\npair CODE.",
	}, "release the device", " has no owner any more", draft.Ledger.Release)
}

func (a *App) deviceLost() *cobra.Command {
	return a.aboutDevice(&cobra.Command{
		Use: "lost DEVICE", Short: "Report a device lost",
		Long: "Marks a device of yours as lost on the ledger: it can be neither transferred nor\nreleased until hos device found. It goes on obeying you and your guests.",
	}, "report the device lost", " is reported lost", draft.Ledger.ReportLost)
}

func (a *App) deviceFound() *cobra.Command {
	return a.aboutDevice(&cobra.Command{
		Use: "found DEVICE", Short: "Report a lost device found",
	}, "report the device found", " is found", draft.Ledger.ReportFound)
}

// aboutDevice makes c a verb that drafts a transaction about one device of
// this wallet.
func (a *App) aboutDevice(c *cobra.Command, what, sentence string, build func(draft.Ledger, draft.Party, key.DeviceID) (*tx.Tx, error)) *cobra.Command {
	c.Args, c.ValidArgsFunction = cobra.ExactArgs(1), a.completeDevices
	c.RunE = func(c *cobra.Command, args []string) error {
		return a.withSession(func(s *session) error {
			d, err := s.home.FindDevice(args[0])
			if err != nil {
				return doing("find the device", err)
			}
			return s.simple(c.Context(), what, d.Name+sentence, func(l draft.Ledger, p draft.Party) (*tx.Tx, error) {
				return build(l, p, d.ID)
			})
		})
	}
	return c
}
