package abci

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/cometbft/cometbft/abci/types"
	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var four = []string{"one", "two", "three", "four"}

// crowd is as many validators as there can be.
func crowd() (names []string) {
	for i := range state.MaxValidators {
		names = append(names, fmt.Sprint("crowd ", i))
	}
	return names
}

func (w *world) maker() key.AccountID { return w.vendor.Public().AccountID() }

func (w *world) quota(n uint64) tx.Change {
	return tx.Change{SetQuota: &tx.SetQuota{Vendor: w.maker(), Quota: n}}
}

// decide carries a change out, as the first decision of both governors.
func (w *world) decide(c tx.Change) {
	w.t.Helper()
	p := w.propose(0, 0, c)
	w.block(p.Bytes(), w.approve(1, 0, p).Bytes())
}

// governedCase is a transaction that must be refused on a governed ledger.
type governedCase struct {
	name       string
	kind       error
	validators []string
	make       func(w *world) []byte
}

// refusedGovernance has a transaction for each kind of governance.
var refusedGovernance = []governedCase{
	{"no governor", state.NoGovernor, four, func(w *world) []byte {
		return w.tx(w.maker(), 0, &tx.Propose{Until: start + 600, Change: w.quota(1)}, signer{tx.RoleGovernor, w.vendor}).Bytes()
	}},
	{"no proposal", state.NoProposal, four, func(w *world) []byte { return w.approve(0, 0, w.propose(1, 9, w.quota(1))).Bytes() }},
	{"proposal closed", state.ProposalClosed, four, func(w *world) []byte {
		w.decide(w.quota(5))
		return w.approve(2, 0, w.propose(0, 0, w.quota(5))).Bytes()
	}},
	{"proposal expired", state.ProposalExpired, four, func(w *world) []byte { return w.proposeUntil(0, 0, start+1, w.quota(1)).Bytes() }},
	{"proposal too long", state.ProposalTooLong, four, func(w *world) []byte {
		return w.proposeUntil(0, 0, start+2*state.MaxProposalLife, w.quota(1)).Bytes()
	}},
	{"too many proposals", state.TooManyProposals, four, func(w *world) []byte {
		for i := range uint64(state.MaxOpenProposals) {
			w.block(w.propose(0, i, w.quota(1)).Bytes())
		}
		return w.propose(0, state.MaxOpenProposals, w.quota(1)).Bytes()
	}},
	{"approved already", state.AlreadyApproved, four, func(w *world) []byte {
		p := w.propose(0, 0, w.quota(1))
		w.block(p.Bytes())
		return w.approve(0, 1, p).Bytes()
	}},
	{"no validator", state.NoValidator, four, func(w *world) []byte { return w.propose(0, 0, removing("nobody")).Bytes() }},
	{"validator exists", state.ValidatorExists, four, func(w *world) []byte { return w.propose(0, 0, w.adding("two")).Bytes() }},
	{"too many validators", state.TooManyValidators, crowd(), func(w *world) []byte { return w.propose(0, 0, w.adding("new")).Bytes() }},
	{"last validator", state.LastValidator, four[:1], func(w *world) []byte { return w.propose(0, 0, removing("one")).Bytes() }},
	{"bad proof", state.BadProof, four, func(w *world) []byte {
		c := w.adding("new")
		c.AddValidator.Proof[0] ^= 1
		return w.propose(0, 0, c).Bytes()
	}},
	{"vendor exists", state.VendorExists, four, func(w *world) []byte {
		return w.propose(0, 0, tx.Change{AdmitVendor: &tx.AdmitVendor{VendorName: "maker", Keys: []key.Public{w.vendor.Public()}, Threshold: 1}}).Bytes()
	}},
	{"vendor suspended", state.VendorSuspended, four, func(w *world) []byte {
		w.decide(tx.Change{SuspendVendor: &tx.SuspendVendor{Vendor: w.maker()}})
		return w.register(0, 0).Bytes()
	}},
}

func update(name string, power int64) types.ValidatorUpdate {
	return types.UpdateValidator(valKey(name), power, "ed25519")
}

// sorted puts updates in the order that the application gives.
func sorted(u ...types.ValidatorUpdate) []types.ValidatorUpdate {
	address := func(v types.ValidatorUpdate) []byte {
		a := tx.ValidatorKey(v.PubKey.GetEd25519()).Address()
		return a[:]
	}
	slices.SortFunc(u, func(a, b types.ValidatorUpdate) int { return bytes.Compare(address(a), address(b)) })
	return u
}

func wantUpdates(t *testing.T, got *types.ResponseFinalizeBlock, want ...types.ValidatorUpdate) {
	t.Helper()
	text := func(updates []types.ValidatorUpdate) (out []string) {
		for _, u := range updates {
			out = append(out, u.String())
		}
		return out
	}
	if d := cmp.Diff(text(sorted(want...)), text(got.ValidatorUpdates)); d != "" {
		t.Error(d)
	}
}

// TestApp_ValidatorUpdates: a block tells exactly what it changed, whether or
// not it was proposed here before.
func TestApp_ValidatorUpdates(t *testing.T) {
	w := newGoverned(t, four...)
	add := w.propose(0, 0, w.adding("five"))
	wantUpdates(t, w.finalize(add.Bytes()))
	w.commit()
	ok := w.approve(1, 0, add).Bytes()
	if got := w.process(ok).String(); got != "ACCEPT" {
		t.Fatal(got)
	}
	wantUpdates(t, w.finalize(ok), update("five", 1))
	w.commit()
	swap := tx.Change{ReplaceKey: &tx.ReplaceKey{Old: tx.ValidatorKey(valKey("two")), New: tx.ValidatorKey(valKey("second")), Proof: w.adding("second").AddValidator.Proof}}
	p := w.propose(2, 0, swap)
	wantUpdates(t, w.finalize(p.Bytes(), w.approve(1, 1, p).Bytes()), update("two", 0), update("second", 1))
	w.commit()
	p = w.propose(2, 1, removing("one"))
	wantUpdates(t, w.finalize(p.Bytes(), w.approve(1, 2, p).Bytes()), update("one", 0))
	w.commit()
	wantUpdates(t, w.finalize())
}

// TestApp_PowerLimit: the second change of a block is refused everywhere, and
// passes in the next one.
func TestApp_PowerLimit(t *testing.T) {
	w := newGoverned(t, four...)
	one, two := w.propose(0, 0, removing("one")), w.propose(0, 1, removing("two"))
	w.block(one.Bytes(), two.Bytes())
	first, second := w.approve(1, 0, one).Bytes(), w.approve(2, 0, two).Bytes()
	if r := w.checkTx(first); r.Code != CodeOK {
		t.Fatal(r.Log)
	}
	if r := w.checkTx(second); r.Code != CodeOf(state.PowerLimit) {
		t.Errorf("CheckTx gives code %d", r.Code)
	}
	if got := w.process(first, second).String(); got != "REJECT" {
		t.Errorf("ProcessProposal gives %s", got)
	}
	got := w.finalize(first, second)
	if code := got.TxResults[1].Code; code != CodeOf(state.PowerLimit) {
		t.Errorf("FinalizeBlock gives code %d", code)
	}
	wantUpdates(t, got, update("one", 0))
	w.commit()
	wantUpdates(t, w.finalize(second), update("two", 0))
}

// TestApp_Evidence: evidence takes power, before the block's transactions, under
// governance and without it; only once, and never the last validator's.
func TestApp_Evidence(t *testing.T) {
	w := newGoverned(t, four...)
	w.evidence = []types.Misbehavior{
		accused("two", types.MisbehaviorType_DUPLICATE_VOTE), accused("two", types.MisbehaviorType_DUPLICATE_VOTE),
		accused("three", types.MisbehaviorType_LIGHT_CLIENT_ATTACK), accused("stranger", types.MisbehaviorType_DUPLICATE_VOTE),
	}
	wantUpdates(t, w.finalize(), update("two", 0), update("three", 0))
	w.commit()
	v, err := state.GetValidator(w.tree, tx.ValidatorKey(valKey("two")).Address())
	if err != nil || v.Status != state.Jailed || v.Power != 0 {
		t.Errorf("record %+v, %v", v, err)
	}
	w.evidence = []types.Misbehavior{accused("two", types.MisbehaviorType_DUPLICATE_VOTE)}
	wantUpdates(t, w.finalize())
	w.commit()
	w.evidence = []types.Misbehavior{accused("one", types.MisbehaviorType_DUPLICATE_VOTE), accused("four", types.MisbehaviorType_DUPLICATE_VOTE)}
	wantUpdates(t, w.finalize(), update("one", 0))

	w.evidence = []types.Misbehavior{{Validator: types.Validator{Address: []byte{1}}}}
	if _, err := w.app.FinalizeBlock(t.Context(), &types.RequestFinalizeBlock{Height: w.app.Height() + 1, Time: w.blockTime(), Misbehavior: w.evidence}); err == nil {
		t.Error("evidence against no address is executed")
	}
}

// TestApp_EvidenceUngoverned: without governance the first evidence writes the
// validators' records, and an honest ledger's state stays what it was.
func TestApp_EvidenceUngoverned(t *testing.T) {
	w := newWorld(t)
	refuse(t, w, w.tx(w.maker(), 0, &tx.Propose{Until: start + 600, Change: w.quota(1)}, signer{tx.RoleGovernor, w.vendor}).Bytes(), state.GovernanceOff)
	w.block()
	if raw, err := w.tree.Get(state.ValidatorSetKey()); err != nil || raw != nil {
		t.Errorf("a set %x, %v", raw, err)
	}
	w.dir = t.TempDir()
	w.doc.Validators = append(w.doc.Validators, w.doc.Validators[0])
	w.doc.Validators[1].Name, w.doc.Validators[1].PubKey = "two", valKey("two")
	w.open()
	w.init(w.initRequest())
	w.evidence = []types.Misbehavior{accused("two", types.MisbehaviorType_DUPLICATE_VOTE)}
	if got := w.process().String(); got != "ACCEPT" {
		t.Fatal(got)
	}
	wantUpdates(t, w.finalize(), update("two", 0))
	w.commit()
	w.evidence = []types.Misbehavior{accused("one", types.MisbehaviorType_DUPLICATE_VOTE)}
	wantUpdates(t, w.finalize())
}

// TestApp_GovernanceDeterminism: two applications that learn of the same blocks
// in different ways (one proposes, checks and restarts, one only executes) agree
// on roots, results and updates.
func TestApp_GovernanceDeterminism(t *testing.T) {
	a, b := newGoverned(t, four...), newGoverned(t, four...)
	add, drop := a.propose(0, 0, a.adding("five")), a.propose(1, 0, removing("one"))
	limited := a.approve(2, 2, a.propose(0, 1, removing("four")))
	blocks := []struct {
		txs      [][]byte
		evidence []types.Misbehavior
	}{
		{[][]byte{add.Bytes(), drop.Bytes()}, nil},
		{[][]byte{a.approve(2, 0, add).Bytes()}, nil},
		{[][]byte{a.register(0, 0).Bytes(), a.propose(0, 1, removing("four")).Bytes(), a.approve(2, 1, drop).Bytes()}, nil},
		{[][]byte{limited.Bytes()}, []types.Misbehavior{accused("two", types.MisbehaviorType_DUPLICATE_VOTE)}},
		{nil, nil},
		{[][]byte{limited.Bytes()}, nil},
	}
	for i, bl := range blocks {
		a.evidence, b.evidence = bl.evidence, bl.evidence
		for _, raw := range bl.txs {
			a.checkTx(raw)
		}
		prepared, err := a.app.PrepareProposal(t.Context(), &types.RequestPrepareProposal{
			Txs: bl.txs, MaxTxBytes: 1 << 20, Height: a.app.Height() + 1, Time: a.blockTime(), Misbehavior: bl.evidence,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := a.process(prepared.Txs...).String(); got != "ACCEPT" {
			t.Fatalf("block %d: what was prepared is refused", i)
		}
		x, y := a.finalize(prepared.Txs...), b.finalize(prepared.Txs...)
		if d := cmp.Diff(x.String(), y.String()); d != "" {
			t.Errorf("block %d: %s", i, d)
		}
		if i == 3 && (len(prepared.Txs) != 0 || len(x.ValidatorUpdates) != 1) {
			t.Errorf("beside evidence %d transactions were kept, %d updates", len(prepared.Txs), len(x.ValidatorUpdates))
		}
		a.commit()
		b.commit()
		if err := errors.Join(a.tree.Close()); err != nil {
			t.Fatal(err)
		}
		a.open()
	}
	set, err := state.GetValidatorSet(a.tree)
	if err != nil || len(set.Members) != 2 {
		t.Errorf("%d validators are left, %v", len(set.Members), err)
	}
}
