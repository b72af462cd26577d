package gate

import (
	"errors"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/state"
)

// present shows the evidence that came with a command to the ledger, once.
// Nothing in it is believed for the sender's sake, so it does no harm that it is
// looked at before the right that it may bring along is known; that work is
// metered like a question to the ledger.
func (g *Gate) present(r *request) error {
	if r.shown {
		return nil
	}
	r.shown = true
	err := g.cfg.Ledger.Present(r.cmd.Evidence, func(vouch []byte, h Head) error { return g.believe(r, vouch, h) })
	var code command.Code
	if err == nil || errors.As(err, &code) {
		return err
	}
	return refuse(command.BadEvidence, "%v", err)
}

// believe takes the word of the owner's keys, as the device holds them, for a
// header.
func (g *Gate) believe(r *request, vouch []byte, h Head) error {
	own, ok := g.rights.owner()
	if !ok {
		return refuse(command.Unowned, "the device has no owner")
	}
	if err := state.VerifyVouch(g.cfg.Chain, own, vouch, h.Height, h.Hash, uint64(r.now.Unix())); err != nil {
		return refuse(command.BadEvidence, "%v", err)
	}
	g.cfg.Logger.Warn("the owner vouches for a header after the trusting period", "height", h.Height, "device_head", g.cfg.Ledger.Head().Height)
	return nil
}
