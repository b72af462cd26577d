package gate

import (
	"errors"
	"fmt"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/deviceos/peripheral"
	"github.com/hybridos-net/hybridos/deviceos/vault"
)

// policies is what the owner of the present epoch demands.
type policies struct {
	// signed is the newest policy that the owner's keys of the time had signed.
	// It is kept on disk: an older one is not believed again.
	signed *tx.SetPolicy
	// hint is a newer one of which that could not be checked, because those keys
	// are no more. It can only narrow.
	hint *tx.SetPolicy
}

// of gives the policies that are alive in an epoch.
func (p policies) of(epoch uint64) policies {
	if p.signed != nil && p.signed.Epoch != epoch {
		p.signed = nil
	}
	if p.hint != nil && p.hint.Epoch != epoch {
		p.hint = nil
	}
	return p
}

// demand is what one method asks of a command.
type demand struct {
	class   peripheral.Class
	signers int // distinct keys of the owner
}

// over applies the policies to what the device's maker has set. The owner may
// loosen the class down to the floor.
func (p policies) over(endpoint, method string, class, floor peripheral.Class) demand {
	d := demand{class: class, signers: 1}
	if r, ok := rule(p.signed, endpoint, method); ok {
		d = demand{class: peripheral.ClassFor(r.Class).AtLeast(floor), signers: int(r.Signers)}
	}
	if r, ok := rule(p.hint, endpoint, method); ok {
		d.class = d.class.AtLeast(peripheral.ClassFor(r.Class))
		d.signers = max(d.signers, int(r.Signers))
	}
	return d
}

func rule(p *tx.SetPolicy, endpoint, method string) (tx.MethodPolicy, bool) {
	if p == nil {
		return tx.MethodPolicy{}, false
	}
	return p.Rule(endpoint, method)
}

// demands is what a method asks of a command now.
func (r *rights) demands(endpoint, method string, class, floor peripheral.Class) demand {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.own == nil {
		return demand{class: class, signers: 1} // refused for this anyway
	}
	return r.policies.of(r.own.Epoch).over(endpoint, method, class, floor)
}

// loadPolicy reads the policy that was verified before the last power cut.
func (r *rights) loadPolicy() error {
	raw, err := r.vault.Get(vault.FamilyPolicy.Key())
	if err != nil || raw == nil {
		return err
	}
	p := new(tx.SetPolicy)
	if err := codec.Unmarshal(raw, p, maxPolicy); err != nil {
		return fmt.Errorf("read the stored policy: %w", err)
	}
	if p.Device == r.device {
		r.policies.signed = p
	}
	return nil
}

// renewPolicy finds the policy of an ownership that was just proven by the same
// view. The device's record says which version there is, so that an unchanged
// one costs no proof. A version below one that the device has verified is a lie.
func (r *rights) renewPolicy(w *watched, own state.Ownership) (policies, error) {
	r.mu.Lock()
	held := r.policies.of(own.Epoch)
	r.mu.Unlock()
	dev, err := state.GetDevice(w, own.Device)
	if err != nil {
		return held, err
	}
	floor := uint64(0)
	if held.signed != nil {
		floor = held.signed.Version
	}
	switch {
	case dev.Policy < floor:
		return held, fmt.Errorf("policy went back from version %d to %d", floor, dev.Policy)
	case dev.Policy == floor:
		return policies{signed: held.signed}, nil
	}
	rec, err := state.GetPolicy(w, own.Device)
	if err != nil {
		return held, err
	}
	if rec.Version != dev.Policy {
		return held, fmt.Errorf("policy %d where the device's record says %d", rec.Version, dev.Policy)
	}
	p, err := state.VerifyPolicy(r.chain, own, rec)
	switch {
	case err == nil:
		return policies{signed: p}, nil
	case errors.Is(err, state.Forged) && p != nil:
		r.log.Warn("a policy that the owner's present keys did not sign only narrows", "version", p.Version, "error", err)
		return policies{signed: held.signed, hint: p}, nil
	default:
		return held, err
	}
}

// keepPolicy makes a policy the device's, on disk first.
func (r *rights) keepPolicy(p policies) error {
	r.mu.Lock()
	had := r.policies.signed
	r.mu.Unlock()
	if p.signed != nil && p.signed != had {
		err := r.vault.Commit(vault.Write{Key: vault.FamilyPolicy.Key(), Value: codec.MustMarshal(p.signed)})
		if err != nil {
			return refuse(command.Internal, "store the policy: %v", err)
		}
		r.log.Info("policy", "version", p.signed.Version, "rules", len(p.signed.Rules))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.policies = p
	return nil
}
