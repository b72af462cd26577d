package abci

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"github.com/hybridos-net/hybridos/chain/state"
)

// UpgradeNeeded means that the next block is for another program: the ledger
// has an upgrade at its height, and this binary is none of the upgrade's. Put
// the right one in its place and start it.
var UpgradeNeeded = errors.New("the ledger upgrades")

// UpgradeError is UpgradeNeeded with what a person must know.
type UpgradeError struct {
	state.Upgrade
	// Binary is the SHA-256 of this program; zero if it is not known.
	Binary [32]byte
}

// Error says what is wanted and what is here.
func (e *UpgradeError) Error() string {
	want := make([]string, len(e.Hashes))
	for i, h := range e.Hashes {
		want[i] = hex.EncodeToString(h[:])
	}
	have := "unknown"
	if e.Binary != [32]byte{} {
		have = hex.EncodeToString(e.Binary[:])
	}
	s := fmt.Sprintf("upgrade %q: block %d is for the hosd with SHA-256 %s; this one is %s and has halted before it",
		e.Name, e.Height, strings.Join(want, " or "), have)
	if e.URL != "" {
		s += "; see " + e.URL
	}
	return s
}

// Unwrap lets errors.Is find UpgradeNeeded.
func (e *UpgradeError) Unwrap() error { return UpgradeNeeded }

// due gives the upgrade that the next block begins, if this program may not
// execute that block; it reads the committed state. A program that executes
// later blocks has its upgrades in it, so that only the one height is judged: a
// mended build needs no vote.
func (a *App) due() (*UpgradeError, error) {
	u, err := state.GetUpgrades(a.reads)
	if err != nil {
		return nil, fmt.Errorf("read the schedule of upgrades: %w", err)
	}
	next := u.Pending(a.tree.Version())
	a.plan.Store(next)
	if next == nil || next.Height != a.tree.Version()+1 || next.Wants(a.binary) {
		return nil, nil
	}
	if slices.Contains(a.skip, next.Name) {
		a.log.Warn("an upgrade is skipped", "upgrade", next.Name, "height", next.Height)
		return nil, nil
	}
	return &UpgradeError{Upgrade: *next, Binary: a.binary}, nil
}

// halt ends the node if the next block is for another program. It is called
// when the working tree is the committed state.
func (a *App) halt() error {
	e, err := a.due()
	if err != nil {
		return a.fail(err)
	}
	if a.halted = e; e != nil {
		return a.fail(e)
	}
	return nil
}

// Pending is the upgrade that is to come, nil if there is none, and whether
// this program may execute its blocks. It is safe beside everything else.
func (a *App) Pending() (u *state.Upgrade, ready bool) {
	u = a.plan.Load()
	return u, u != nil && (u.Wants(a.binary) || slices.Contains(a.skip, u.Name))
}

// Binary is the SHA-256 of this program as Config gave it.
func (a *App) Binary() [32]byte { return a.binary }

// params announces the version of the rules where an upgrade changes it.
func (a *App) params(after state.View, height int64) (*cmtproto.ConsensusParams, error) {
	u, err := state.GetUpgrades(after)
	if err != nil || u.Next == nil || u.Next.Height != height {
		return nil, err
	}
	return &cmtproto.ConsensusParams{Version: &cmtproto.VersionParams{App: u.Rules(height)}}, nil
}

// refuseHalted is the answer to a proposal for a block that this program may
// not execute.
func (a *App) refuseHalted(height int64) *types.ResponseProcessProposal {
	a.log.Warn("no vote for a block of another program", "height", height, "err", a.halted)
	return &types.ResponseProcessProposal{Status: types.ResponseProcessProposal_REJECT}
}
