package abci

import (
	"errors"
	"strings"
	"testing"

	"github.com/cometbft/cometbft/abci/types"

	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var oldBinary, newBinary = [32]byte{1}, [32]byte{2}

// upgraded makes a ledger with an upgrade to newBinary, and gives its height.
func upgraded(t *testing.T) (*world, int64) {
	t.Helper()
	w := newGoverned(t, four...)
	at := w.app.Height() + 1 + state.MinUpgradeNotice
	w.decide(tx.Change{ScheduleUpgrade: &tx.ScheduleUpgrade{Upgrade: "two", Height: uint64(at), Hashes: [][32]byte{newBinary}, URL: "https://example.org/two"}})
	return w, at
}

// as starts the application again as another program.
func (w *world) as(binary [32]byte, skip ...string) error {
	w.t.Helper()
	if err := w.tree.Close(); err != nil {
		w.t.Fatal(err)
	}
	tree, err := store.Open(store.Config{Dir: w.dir, FS: w.fs})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { tree.Close() })
	app, err := New(Config{Genesis: w.doc, Tree: tree, Binary: binary, SkipUpgrades: skip})
	if err == nil {
		w.app = app
	}
	w.tree = tree
	return err
}

// TestUpgrade_WrongProgramHalts: with the block before, and at every start from
// then on, before anything of the block is executed; the right program goes on.
func TestUpgrade_WrongProgramHalts(t *testing.T) {
	w, at := upgraded(t)
	if err := w.as(oldBinary); err != nil {
		t.Fatal(err)
	}
	for w.app.Height() < at-2 {
		w.block()
	}
	if u, ready := w.app.Pending(); u == nil || u.Name != "two" || ready || w.app.Err() != nil {
		t.Fatalf("before it: %+v, ready %v, %v", u, ready, w.app.Err())
	}
	w.block()
	root := w.tree.Hash()
	err := w.app.Err()
	for _, want := range []string{`upgrade "two"`, "block ", "0200000000", "0100000000", "https://example.org/two"} {
		if !errors.Is(err, UpgradeNeeded) || !strings.Contains(err.Error(), want) {
			t.Fatalf("halts with %v, want %q", err, want)
		}
	}
	raw := w.propose(0, 1, w.quota(9)).Bytes()
	p, err := w.app.PrepareProposal(t.Context(), &types.RequestPrepareProposal{MaxTxBytes: MaxBlockBytes, Txs: [][]byte{raw}, Height: at, Time: w.blockTime()})
	if err != nil || len(p.Txs) != 0 {
		t.Errorf("proposes %d transactions, %v", len(p.Txs), err)
	}
	if w.process() != types.ResponseProcessProposal_REJECT {
		t.Error("votes for the block")
	}
	if _, err := w.app.FinalizeBlock(t.Context(), &types.RequestFinalizeBlock{Height: at, Time: w.blockTime(), Hash: []byte{1}}); !errors.Is(err, UpgradeNeeded) {
		t.Errorf("executes the block: %v", err)
	}
	for range 2 {
		if again := w.as(oldBinary); again == nil || again.Error() != w.app.Err().Error() {
			t.Errorf("started again: %v", again)
		}
	}
	if string(root) != string(w.tree.Hash()) || w.tree.Version() != at-1 {
		t.Error("the state has changed")
	}
	w.goesOn(t, at, newBinary)
}

// goesOn starts a program that may execute the upgrade's blocks.
func (w *world) goesOn(t *testing.T, at int64, binary [32]byte, skip ...string) {
	t.Helper()
	if err := w.as(binary, skip...); err != nil {
		t.Fatal(err)
	}
	if _, ready := w.app.Pending(); !ready {
		t.Error("the right program is not ready")
	}
	if w.process() != types.ResponseProcessProposal_ACCEPT {
		t.Error("votes against the block")
	}
	out := w.finalize()
	if out.ConsensusParamUpdates == nil || out.ConsensusParamUpdates.Version.App != 2 {
		t.Errorf("announces %+v", out.ConsensusParamUpdates)
	}
	w.commit()
	info, err := w.app.Info(t.Context(), &types.RequestInfo{})
	if err != nil || info.AppVersion != 2 || info.LastBlockHeight != at {
		t.Errorf("%+v, %v", info, err)
	}
	if u, _ := w.app.Pending(); u != nil {
		t.Error("the upgrade is still to come")
	}
	if out := w.finalize(); out.ConsensusParamUpdates != nil {
		t.Error("the version is announced twice")
	}
	w.commit()
	if err := w.as([32]byte{77}); err != nil {
		t.Errorf("a mended build afterwards: %v", err)
	}
}

// TestUpgrade_Skipped: who executes the ledger again says so by name.
func TestUpgrade_Skipped(t *testing.T) {
	w, at := upgraded(t)
	if err := w.as([32]byte{9}, "another"); err != nil {
		t.Fatal(err)
	}
	for w.app.Height() < at-1 {
		w.block()
	}
	if !errors.Is(w.app.Err(), UpgradeNeeded) {
		t.Fatalf("another name is skipped: %v", w.app.Err())
	}
	w.goesOn(t, at, [32]byte{9}, "another", "two")
}

// TestUpgrade_Cancelled: in the last block before, and nobody halts.
func TestUpgrade_Cancelled(t *testing.T) {
	w, at := upgraded(t)
	for w.app.Height() < at-2 {
		w.block()
	}
	p := w.propose(0, 1, tx.Change{CancelUpgrade: &tx.CancelUpgrade{Upgrade: "two"}})
	w.block(p.Bytes(), w.approve(1, 1, p).Bytes())
	w.block()
	if u, _ := w.app.Pending(); u != nil || w.app.Err() != nil {
		t.Errorf("%+v, %v", u, w.app.Err())
	}
}

// TestUpgrade_UnknownProgram: a node that does not know its own hash halts.
func TestUpgrade_UnknownProgram(t *testing.T) {
	w, at := upgraded(t)
	for w.app.Height() < at-1 {
		w.block()
	}
	if err := w.app.Err(); !errors.Is(err, UpgradeNeeded) || !strings.Contains(err.Error(), "unknown") {
		t.Error(err)
	}
}
