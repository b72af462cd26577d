package abci

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/ed25519"

	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// punish takes the power of everybody against whom the block holds evidence,
// duplicate votes and attacks on light clients alike. CometBFT has verified it.
// It comes before the block's transactions, so that no change of the set saves
// anybody.
func (a *App) punish(s state.Tree, b state.Block, evidence []types.Misbehavior) error {
	if len(evidence) == 0 {
		return nil
	}
	if _, err := state.GetValidatorSet(s); errors.Is(err, state.NoValidator) {
		if err := a.doc.ApplyValidators(s); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	for _, e := range evidence {
		if len(e.Validator.Address) != len(tx.ValidatorAddress{}) {
			return fmt.Errorf("evidence against an address of %d bytes", len(e.Validator.Address))
		}
		who := tx.ValidatorAddress(e.Validator.Address)
		a.log.Warn("evidence against a validator", "height", b.Height, "validator", who.String(), "type", e.Type.String())
		if err := state.Punish(s, b, who); err != nil {
			return err
		}
	}
	return nil
}

// before lists who had power before the block that is being executed, in
// ascending order: those of the genesis document while nothing is recorded.
func (a *App) before() ([]tx.ValidatorAddress, error) {
	set, err := state.GetValidatorSet(a.tree)
	if !errors.Is(err, state.NoValidator) {
		return set.Members, err
	}
	scratch := state.NewOverlay(nothing{})
	if err := a.doc.ApplyValidators(scratch); err != nil {
		return nil, err
	}
	set, err = state.GetValidatorSet(scratch)
	return set.Members, err
}

// nothing is a state without records.
type nothing struct{}

// Get finds nothing.
func (nothing) Get([]byte) ([]byte, error) { return nil, nil }

// Set forgets; an overlay that is not flushed does not call it.
func (nothing) Set([]byte, []byte) error { return nil }

// updates tells CometBFT what the block of a height has changed: each key once,
// and only such as it has to change, in ascending order of addresses.
func (a *App) updates(after state.View, height int64) ([]types.ValidatorUpdate, error) {
	set, err := state.GetValidatorSet(after)
	if errors.Is(err, state.NoValidator) || err == nil && set.Height != height {
		return nil, nil // as in nearly every block
	}
	if err != nil {
		return nil, err
	}
	before, err := a.before()
	if err != nil {
		return nil, err
	}
	now := set.Members
	all := slices.Concat(before, now)
	slices.SortFunc(all, func(x, y tx.ValidatorAddress) int { return slices.Compare(x[:], y[:]) })
	var out []types.ValidatorUpdate
	for _, who := range slices.Compact(all) {
		if slices.Contains(before, who) == slices.Contains(now, who) {
			continue
		}
		v, err := state.GetValidator(after, who)
		if err != nil {
			return nil, err
		}
		out = append(out, types.UpdateValidator(v.Key[:], int64(v.Power), ed25519.KeyType))
	}
	return out, nil
}
