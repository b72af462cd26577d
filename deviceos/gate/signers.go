package gate

import (
	"context"
	"errors"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/peripheral"
)

// coSigners finds the keys behind the signatures that stand beside that of the
// command's own key. Only the owner's keys that may invoke may add one, whoever's
// right is used: any other would be a signature that says nothing.
func coSigners(owner state.KeySet, c *command.Command) ([]key.Public, error) {
	if len(c.Sigs) == 1 {
		return nil, nil // the usual case; whose it is, VerifyBy tells
	}
	var out []key.Public
	for _, s := range c.Sigs {
		if s.Key == c.Body.Key {
			continue
		}
		k, ok := owner.Find(s.Key)
		if !ok || k.Rights&tx.RightInvoke == 0 {
			return nil, refuse(command.ExtraSigner, "%s is no key of the owner's that may invoke", s.Key)
		}
		out = append(out, k.Key)
	}
	return out, nil
}

// verifyOthers checks the signatures beside that of the command's own key. Each
// costs what a command of its own would.
func (g *Gate) verifyOthers(r *request) error {
	for _, k := range r.holder.others {
		if _, ok := g.meter.spend(r.peer, r.now); !ok {
			r.over = true
			return refuse(command.RateLimited, "too many signatures")
		}
		if err := r.cmd.VerifyBy(g.cfg.Chain, k); err != nil {
			return err
		}
	}
	return nil
}

// owners is how many distinct keys of the owner have signed.
func (h holder) owners() int {
	if len(h.grants) == 0 {
		return 1 + len(h.others)
	}
	return len(h.others)
}

// agreed checks that as many of the owner's keys stand behind the command as the
// policy asks for, by their signatures or by their approvals of its seal, and
// that it is sealed if it has to be.
func (g *Gate) agreed(ctx context.Context, r *request, want demand) error {
	needed := 1
	if want.signers > 1 && r.holder.owners() < want.signers {
		needed = want.signers
	}
	switch {
	case want.class == peripheral.Sealed || r.cmd.Body.Notarised():
		return g.sealed(ctx, r, needed)
	case needed > 1:
		return refuse(command.TooFewSigners, "%d of the owner's keys have signed, the policy asks for %d", r.holder.owners(), want.signers)
	}
	return nil
}

// sealed checks that the ledger has sealed the command, with one attempt to get
// a newer head: the seal may be in the block of a moment ago.
func (g *Gate) sealed(ctx context.Context, r *request, needed int) error {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Limits.Update)
	defer cancel()
	err := g.readSeal(ctx, r, needed)
	if errors.Is(err, command.NotSealed) || errors.Is(err, command.Stale) {
		if err := g.update(ctx, r); err != nil {
			return err
		}
		err = g.readSeal(ctx, r, needed)
	}
	return err
}

// readSeal reads the seal under the newest head and checks who approved it.
// Validators can seal nothing that no owner signed.
func (g *Gate) readSeal(ctx context.Context, r *request, needed int) error {
	own, ok := g.rights.owner()
	if !ok {
		return refuse(command.Unowned, "the device has no owner")
	}
	view, _ := g.cfg.Ledger.View(ctx)
	w := &watched{view: view}
	seal, err := state.GetSeal(w, g.id, tx.ID(r.id))
	if w.failed != nil {
		return refuse(command.Stale, "seal not proven: %v", w.failed)
	}
	if err == nil {
		err = state.VerifySeal(g.cfg.Chain, own, tx.ID(r.id), needed, seal)
	}
	if err != nil {
		return refuse(command.NotSealed, "%v", err)
	}
	return nil
}
