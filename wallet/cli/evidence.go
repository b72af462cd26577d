package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

// maxRounds is how often evidence is brought for one command: a device may be
// many changes of validators behind, and each leads it on a part of the way.
const maxRounds = 8

// voucher gives the owner's word for a header to one device.
type voucher func(light.Head) ([]byte, error)

// bring gives the same command with the evidence that a deferred receipt asks
// for. Where none can be had, the device is left to catch up by itself.
func (s *session) bring(ctx context.Context, cmd *command.Command, r *command.Receipt, rounds int) (*command.Command, bool) {
	if !sdk.Challenges(r) || rounds >= maxRounds {
		return nil, false
	}
	var vouch voucher
	if r.Body.Code == command.AnchorExpired {
		if vouch = s.vouch; vouch == nil {
			return nil, false
		}
	}
	more, err := s.net.WithEvidence(ctx, cmd, r, vouch)
	if err != nil {
		s.app.say("no evidence for the device: %s", clean(err.Error()))
		return nil, false
	}
	return more, true
}

// voucherFor asks the person before it gives the owner's word: whoever shows the
// wallet a false ledger would have the device follow it.
func (s *session) voucherFor(ctx context.Context, r *keystore.Ring, t target) voucher {
	return func(h light.Head) ([]byte, error) {
		s.app.say("%s has been without news for longer than validators alone can be relied on.", t.name)
		err := s.app.confirm(ctx, fmt.Sprintf("Give it your word for block %d of %s, %x?", h.Height, h.Time.UTC().Format(time.RFC3339), h.Hash))
		if err != nil {
			return nil, err
		}
		v := state.Vouch{Device: t.id, Epoch: t.epoch, Height: uint64(h.Height), Hash: h.Hash,
			Expires: uint64(s.app.cfg.Now().Unix()) + state.MaxVouchLife}
		return state.SignVouch(s.chain, v, r.Active()), nil
	}
}
