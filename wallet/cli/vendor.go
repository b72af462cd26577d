package cli

import (
	"context"
	"encoding/hex"

	"github.com/spf13/cobra"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

func (a *App) vendorCommand() *cobra.Command {
	return group("vendor", "For makers of devices", a.vendorRegister(), a.vendorBatch(), a.vendorShow(), a.vendorKeys(), a.vendorRelease(), a.vendorApp())
}

func (a *App) vendorRegister() *cobra.Command {
	var keyFile, device, seal, model string
	c := &cobra.Command{
		Use: "register", Short: "Register a device that you made", Args: cobra.NoArgs,
		Long: "Puts a device on the ledger, unowned, so that somebody can claim it. The key file\nis one that 'hos key new' makes; the operators of the ledger admit its public key.",
		RunE: func(c *cobra.Command, _ []string) error {
			pub, err := key.ParsePublic(device)
			if err != nil {
				return usagef("--device: %v", err)
			}
			var sealKey [32]byte
			raw, err := hex.DecodeString(seal)
			if err != nil || len(raw) != len(sealKey) {
				return usagef("--seal: want the X25519 key as 64 hex digits")
			}
			copy(sealKey[:], raw)
			return a.withSession(func(s *session) error {
				return s.register(c.Context(), keyFile, func(l draft.Ledger, p draft.Party) (*tx.Tx, error) {
					return l.RegisterDevice(p, pub, sealKey, model)
				}, "device "+pub.DeviceID().String()+" is registered")
			})
		},
	}
	f := c.Flags()
	f.StringVar(&keyFile, "key-file", "", "the vendor's key file (default: the wallet's)")
	f.StringVar(&device, "device", "", "public key of the device (hospub1…)")
	f.StringVar(&seal, "seal", "", "X25519 key of the device, 64 hex digits")
	f.StringVar(&model, "model", "", "model name")
	return c
}

func (s *session) register(ctx context.Context, keyFile string, build func(draft.Ledger, draft.Party) (*tx.Tx, error), sentence string) error {
	c, err := s.commitAs(ctx, keyFile, "register the device", build)
	if err != nil {
		return err
	}
	return s.printTx(c, sentence)
}

// commitAs commits a transaction by the key of a file that is not the wallet's,
// or by the wallet's.
func (s *session) commitAs(ctx context.Context, keyFile, what string, build func(draft.Ledger, draft.Party) (*tx.Tx, error)) (committed, error) {
	keys := s.keys
	if keyFile != "" {
		var err error
		if keys, err = keystore.New(keystore.Config{Path: keyFile, Random: s.app.cfg.Random}); err != nil {
			return committed{}, err
		}
	}
	r, _, err := s.unlockWith(ctx, keys)
	if err != nil {
		return committed{}, err
	}
	defer r.Zero()
	p := draft.Party{Account: r.Account(), Key: r.Active()}
	return s.commit(ctx, what, func(l draft.Ledger) (*tx.Tx, error) { return build(l, p) })
}
