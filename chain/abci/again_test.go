package abci

import (
	"testing"
	"time"

	"github.com/cometbft/cometbft/abci/types"

	"github.com/hybridos-net/hybridos/chain/state"
)

// evict drops everything that is remembered of transactions, as time and load
// do with the caches of this package and CometBFT's.
func (w *world) evict() {
	w.t.Helper()
	seen, err := newVerified()
	if err != nil {
		w.t.Fatal(err)
	}
	w.app.seen, w.app.known = seen, newDecoded()
}

// refusedEverywhere demands that a transaction gets into no mempool and no
// block, and that a block that holds it anyway leaves the state as it was.
func (w *world) refusedEverywhere(name string, raw []byte, want uint32) {
	w.t.Helper()
	if r := w.checkTx(raw); r.Code != want {
		w.t.Errorf("%s: CheckTx gives code %d (%s), want %d", name, r.Code, r.Log, want)
	}
	prepared, err := w.app.PrepareProposal(w.t.Context(), &types.RequestPrepareProposal{
		MaxTxBytes: MaxBlockBytes, Txs: [][]byte{raw}, Height: w.app.Height() + 1, Time: w.blockTime(),
	})
	if err != nil || len(prepared.Txs) != 0 {
		w.t.Errorf("%s: proposed, %v", name, err)
	}
	if w.process(raw) != types.ResponseProcessProposal_REJECT {
		w.t.Errorf("%s: a proposal with it is accepted", name)
	}
	before := w.tree.Hash()
	out := w.finalize(raw)
	if out.TxResults[0].Code != want {
		w.t.Errorf("%s: executes with code %d, want %d", name, out.TxResults[0].Code, want)
	}
	w.commit()
	if string(before) != string(out.AppHash) {
		w.t.Errorf("%s: changed the state", name)
	}
}

// A committed transaction is refused for good: right after its block, after all
// caches are gone, after a restart, after the account has gone on, and after it
// has expired. The sequence number in the state does that, and nothing that can
// be evicted.
func TestAgain_CommittedIsRefusedForGood(t *testing.T) {
	w := newWorld(t)
	w.block(w.register(0, 0).Bytes())
	line := [][]byte{w.claim(w.owner, 0, 0).Bytes(), w.grant(w.owner, 1, 0, 1).Bytes(), w.transfer(w.owner, w.other, 2, 0, 2, true).Bytes()}
	bad := CodeOf(state.BadSequence)
	for i, raw := range line {
		w.block(raw)
		for _, done := range line[:i+1] {
			w.refusedEverywhere("after its block", done, bad)
			w.evict()
			w.refusedEverywhere("after eviction", done, bad)
		}
	}
	w.crash()
	for _, done := range line {
		w.refusedEverywhere("after a restart", done, bad)
	}
	w.now = time.Unix(start+3600, 0)
	for _, done := range line { // a node whose clock says so does not even admit it
		if r := w.checkTx(done); r.Code != CodeOf(state.TxExpired) {
			t.Errorf("after its time: code %d", r.Code)
		}
	}
}

// The registration of a vendor counts the vendor's numbers, not an account's.
func TestAgain_VendorsToo(t *testing.T) {
	w := newWorld(t)
	first := w.register(0, 0).Bytes()
	w.block(first)
	w.evict()
	w.refusedEverywhere("after eviction", first, CodeOf(state.BadSequence))
	w.crash()
	w.refusedEverywhere("after a restart", first, CodeOf(state.BadSequence))
}

// A transaction that never was in a block dies at its expiry, wherever it
// waited, and comes back neither after eviction nor after a restart.
func TestAgain_ExpiredIsRefusedForGood(t *testing.T) {
	w := newWorld(t)
	w.block()
	vendor := w.vendor.Public().AccountID()
	last := w.blockTime().Unix() + 1 // of the block after next
	raw := w.txUntil(vendor, 0, uint64(last), w.register(0, 0).Payload, signer{2, w.vendor}).Bytes()
	if r := w.checkTx(raw); r.Code != CodeOK {
		t.Fatalf("while it lives: %s", r.Log)
	}
	if w.process(raw) != types.ResponseProcessProposal_ACCEPT {
		t.Fatal("while it lives, a proposal with it is refused")
	}
	w.block()
	w.now = w.blockTime()
	for _, name := range []string{"warm", "evicted", "restarted"} {
		switch name {
		case "evicted":
			w.evict()
		case "restarted":
			w.crash()
		}
		w.refusedEverywhere(name, raw, CodeOf(state.TxExpired))
		w.now = w.blockTime()
	}
}
