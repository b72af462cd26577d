package state_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var (
	anna, ben, cleo = statetest.Governor(0), statetest.Governor(1), statetest.Governor(2)
	acme            = statetest.Key("vendor").Public().AccountID()
)

// valKey is a validator's key by its name.
func valKey(name string) tx.ValidatorKey { return statetest.ValidatorPub(statetest.ValidatorKey(name)) }

func quota(n uint64) tx.Change {
	return tx.Change{SetQuota: &tx.SetQuota{Vendor: acme, Quota: n}}
}

func remove(name string) tx.Change {
	return tx.Change{RemoveValidator: &tx.RemoveValidator{Key: valKey(name)}}
}

func replace(w *statetest.World, from, to string) tx.Change {
	return tx.Change{ReplaceKey: &tx.ReplaceKey{Old: valKey(from), New: valKey(to), Proof: statetest.Prove(w.Block.Chain, statetest.ValidatorKey(to))}}
}

func suspend() tx.Change { return tx.Change{SuspendVendor: &tx.SuspendVendor{Vendor: acme}} }

func admit(name string, quota uint64, keys ...*key.Private) tx.Change {
	a := &tx.AdmitVendor{VendorName: name, Threshold: 1, Quota: quota}
	for _, k := range keys {
		a.Keys = append(a.Keys, k.Public())
	}
	return tx.Change{AdmitVendor: a}
}

// proposed makes a proposal of anna's and gives its id.
func proposed(tb testing.TB, w *statetest.World, c tx.Change) tx.ID {
	tb.Helper()
	x := w.ProposeTx(tb, anna, c)
	w.Do(tb, x)
	return x.ID(w.Block.Chain)
}

// decide carries a change out: anna proposes, ben approves.
func decide(tb testing.TB, w *statetest.World, c tx.Change) {
	tb.Helper()
	w.Do(tb, w.ApproveTx(tb, ben, proposed(tb, w, c)))
}

// proposal is a case of a change that is refused when it is proposed.
func proposal(c func(*statetest.World) tx.Change) func(testing.TB, *statetest.World) *tx.Tx {
	return func(tb testing.TB, w *statetest.World) *tx.Tx { return w.ProposeTx(tb, anna, c(w)) }
}

// overtaken is a case of a change that fitted when it was proposed; then
// another one is carried out.
func overtaken(c, other func(*statetest.World) tx.Change) func(testing.TB, *statetest.World) *tx.Tx {
	return func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := proposed(tb, w, c(w))
		decide(tb, w, other(w))
		return w.ApproveTx(tb, ben, id)
	}
}

// is gives a change that does not depend on the world.
func is(c tx.Change) func(*statetest.World) tx.Change {
	return func(*statetest.World) tx.Change { return c }
}

func adding(name string) func(*statetest.World) tx.Change {
	return func(w *statetest.World) tx.Change {
		return tx.Change{AddValidator: &tx.AddValidator{ValidatorName: name, Key: valKey(name), Proof: statetest.Prove(w.Block.Chain, statetest.ValidatorKey(name))}}
	}
}

func replacing(from, to string) func(*statetest.World) tx.Change {
	return func(w *statetest.World) tx.Change { return replace(w, from, to) }
}

// until is a proposal that ends so many seconds after block time.
func until(seconds int64) func(testing.TB, *statetest.World) *tx.Tx {
	return func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, anna.Public().AccountID(), &tx.Propose{Until: uint64(w.Block.Time + seconds), Change: quota(1)}, statetest.As{Role: tx.RoleGovernor, Key: anna})
	}
}

// ungoverned takes governance out of a world.
func ungoverned(w *statetest.World) {
	w.Tree.Delete(state.GovernanceKey())
	for i := range statetest.Governors {
		w.Tree.Delete(state.GovernorKey(statetest.Governor(i).Public().AccountID()))
	}
}

// shrunk removes validators until n are left.
func shrunk(tb testing.TB, w *statetest.World, n int) {
	tb.Helper()
	for i := n; i < statetest.Validators; i++ {
		decide(tb, w, remove(fmt.Sprintf("validator %d", i)))
	}
}

var governanceRefusals = []refusal{
	{"proposal without governance", state.GovernanceOff, func(tb testing.TB, w *statetest.World) *tx.Tx {
		ungoverned(w)
		return w.ProposeTx(tb, anna, quota(1))
	}},
	{"approval without governance", state.GovernanceOff, func(tb testing.TB, w *statetest.World) *tx.Tx {
		ungoverned(w)
		return w.ApproveTx(tb, anna, tx.ID{1})
	}},
	{"proposal by an owner", state.NoGovernor, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.ProposeTx(tb, owner, quota(1)) }},
	{"approval by a vendor", state.NoGovernor, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.ApproveTx(tb, w.Vendor, proposed(tb, w, quota(1)))
	}},
	{"a governor is no account", state.NoAccount, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, anna.Public().AccountID(), &tx.RevokeGrant{Grant: tx.ID{1}}, statetest.As{Role: tx.RoleAccount, Key: anna})
	}},
	{"another governor's signature", state.WrongSigner, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, anna.Public().AccountID(), &tx.Propose{Until: uint64(w.Block.Time) + 9, Change: quota(1)}, statetest.As{Role: tx.RoleGovernor, Key: ben})
	}},
	{"signed as an account", state.WrongSigner, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, anna.Public().AccountID(), &tx.Approve{Proposal: tx.ID{1}}, statetest.As{Role: tx.RoleAccount, Key: anna})
	}},
	{"approval of nothing", state.NoProposal, func(tb testing.TB, w *statetest.World) *tx.Tx { return w.ApproveTx(tb, ben, tx.ID{1}) }},
	{"approval of what is done", state.ProposalClosed, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := proposed(tb, w, quota(1))
		w.Do(tb, w.ApproveTx(tb, ben, id))
		return w.ApproveTx(tb, cleo, id)
	}},
	{"one's own proposal", state.AlreadyApproved, func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.ApproveTx(tb, anna, proposed(tb, w, quota(1)))
	}},
	{"approval too late", state.ProposalExpired, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := proposed(tb, w, quota(1))
		w.Block.Time = int64(must(state.GetProposal(w.Tree, id)).Until)
		return w.ApproveTx(tb, ben, id)
	}},
	{"a proposal that ends now", state.ProposalExpired, until(0)},
	{"a proposal open too long by a second", state.ProposalTooLong, until(state.MaxProposalLife + 1)},
	{"one proposal too many", state.TooManyProposals, func(tb testing.TB, w *statetest.World) *tx.Tx {
		for range state.MaxOpenProposals {
			proposed(tb, w, quota(1))
		}
		w.Do(tb, w.ProposeTx(tb, ben, quota(1))) // ben still may
		return w.ProposeTx(tb, anna, quota(1))
	}},
	{"removing a stranger", state.NoValidator, proposal(is(remove("nobody")))},
	{"replacing a stranger's key", state.NoValidator, proposal(replacing("nobody", "new"))},
	{"removed in the meantime", state.NoValidator, overtaken(is(remove("validator 1")), is(remove("validator 1")))},
	{"replaced in the meantime", state.NoValidator, overtaken(is(remove("validator 1")), replacing("validator 1", "new"))},
	{"adding a validator again", state.ValidatorExists, proposal(adding("validator 2"))},
	{"added in the meantime", state.ValidatorExists, overtaken(adding("new"), adding("new"))},
	{"replacing by another validator's key", state.ValidatorExists, proposal(replacing("validator 1", "validator 2"))},
	{"adding a removed key", state.ValidatorExists, func(tb testing.TB, w *statetest.World) *tx.Tx {
		decide(tb, w, remove("validator 1"))
		return w.AddTx(tb, anna, "validator 1")
	}},
	{"adding a jailed key", state.ValidatorExists, func(tb testing.TB, w *statetest.World) *tx.Tx {
		if err := state.Punish(w.Tree, w.Block, valKey("validator 1").Address()); err != nil {
			tb.Fatal(err)
		}
		return w.AddTx(tb, anna, "validator 1")
	}},
	{"no place left", state.TooManyValidators, func(tb testing.TB, w *statetest.World) *tx.Tx {
		var many []state.Validator
		for i := range state.MaxValidators {
			many = append(many, state.Validator{Name: "v", Key: valKey(fmt.Sprintf("many %d", i))})
		}
		if err := state.FirstValidators(w.Tree, many); err != nil {
			tb.Fatal(err)
		}
		return w.AddTx(tb, anna, "new")
	}},
	{"removing the last", state.LastValidator, func(tb testing.TB, w *statetest.World) *tx.Tx {
		shrunk(tb, w, 1)
		return w.ProposeTx(tb, anna, remove("validator 0"))
	}},
	{"more than a third in one block", state.PowerLimit, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := proposed(tb, w, remove("validator 1"))
		decide(tb, w, remove("validator 2"))
		w.Block.Height-- // the block in which validator 2 left
		return w.ApproveTx(tb, ben, id)
	}},
	{"a change beside evidence", state.PowerLimit, func(tb testing.TB, w *statetest.World) *tx.Tx {
		id := proposed(tb, w, remove("validator 1"))
		if err := state.Punish(w.Tree, w.Block, valKey("validator 2").Address()); err != nil {
			tb.Fatal(err)
		}
		return w.ApproveTx(tb, ben, id)
	}},
	{"add without possession", state.BadProof, proposal(func(w *statetest.World) tx.Change {
		c := adding("new")(w)
		c.AddValidator.Proof = statetest.Prove(w.Block.Chain, statetest.ValidatorKey("other"))
		return c
	})},
	{"add with a proof for another ledger", state.BadProof, proposal(func(*statetest.World) tx.Change {
		return adding("new")(elsewhere())
	})},
	{"replace without possession", state.BadProof, proposal(func(w *statetest.World) tx.Change {
		c := replace(w, "validator 1", "new")
		c.ReplaceKey.Proof[7] ^= 1
		return c
	})},
	{"admitted already", state.VendorExists, proposal(is(admit("acme", 9, statetest.Key("vendor"))))},
	{"admitted in the meantime", state.VendorExists, overtaken(is(admit("new", 9, guest)), is(admit("new", 9, guest)))},
	{"suspending nobody", state.NoVendor, proposal(is(tx.Change{SuspendVendor: &tx.SuspendVendor{Vendor: guest.Public().AccountID()}}))},
	{"quota of nobody", state.NoVendor, proposal(is(tx.Change{SetQuota: &tx.SetQuota{Vendor: guest.Public().AccountID()}}))},
	{"suspending twice", state.VendorSuspended, overtaken(is(suspend()), is(suspend()))},
	{"registration by a suspended vendor", state.VendorSuspended, func(tb testing.TB, w *statetest.World) *tx.Tx {
		decide(tb, w, suspend())
		return w.RegisterTx(tb, guest)
	}},
}

// TestGovernance_Changes carries each change out and looks at what it leaves.
func TestGovernance_Changes(t *testing.T) {
	w := owned(t)
	members := func() []tx.ValidatorAddress { return must(state.GetValidatorSet(w.Tree)).Members }
	validator := func(name string) state.Validator {
		return must(state.GetValidator(w.Tree, valKey(name).Address()))
	}
	decide(t, w, adding("new")(w))
	if v := validator("new"); v.Power != 1 || v.Status != state.Validating || v.Name != "new" || len(members()) != 5 {
		t.Errorf("added: %+v of %d", v, len(members()))
	}
	decide(t, w, remove("validator 3"))
	if v := validator("validator 3"); v.Power != 0 || v.Status != state.Removed || slices.Contains(members(), valKey("validator 3").Address()) {
		t.Errorf("removed: %+v", v)
	}
	decide(t, w, replace(w, "validator 0", "second key"))
	v, next := validator("validator 0"), validator("second key")
	if v.Power != 0 || v.Status != state.Replaced || *v.Next != next.Key.Address() || next.Power != 1 || next.Name != "validator 0" || len(members()) != 4 {
		t.Errorf("replaced: %+v by %+v", v, next)
	}
	decide(t, w, quota(3))
	decide(t, w, suspend())
	refused(t, w, w.RegisterTx(t, guest), state.VendorSuspended)
	decide(t, w, admit("Acme & Sons", 4, statetest.Key("vendor"), guest))
	ven := must(state.GetVendor(w.Tree, acme))
	if ven.Suspended || ven.Name != "Acme & Sons" || ven.Quota != 4 || ven.Used != 2 || ven.Sequence != 2 || len(ven.Keys) != 2 {
		t.Errorf("admitted again: %+v", ven)
	}
	w.Do(t, w.RegisterTx(t, guest))
	decide(t, w, admit("newcomer", 1, thief))
	if ven := must(state.GetVendor(w.Tree, thief.Public().AccountID())); ven.Quota != 1 || ven.Used != 0 {
		t.Errorf("admitted: %+v", ven)
	}
	if open := must(state.GetGovernance(w.Tree)).Open; len(open) != 0 {
		t.Errorf("%d proposals are left open", len(open))
	}
}

// TestGovernance_Threshold: nothing happens before the threshold, and a ledger
// with one governor decides at once.
func TestGovernance_Threshold(t *testing.T) {
	w := owned(t)
	x := w.ProposeTx(t, anna, quota(5))
	before := must(state.GetVendor(w.Tree, acme))
	w.Do(t, x)
	id := x.ID(w.Block.Chain)
	p := must(state.GetProposal(w.Tree, id))
	want := state.Proposal{Proposer: anna.Public().AccountID(), Status: state.Open, Until: x.Payload.(*tx.Propose).Until,
		Approvals: []key.AccountID{anna.Public().AccountID()}, Tx: x.Bytes()}
	if d := cmp.Diff(want, p); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(before, must(state.GetVendor(w.Tree, acme))); d != "" {
		t.Errorf("changed before the threshold: %s", d)
	}
	w.Do(t, w.ApproveTx(t, cleo, id))
	if p := must(state.GetProposal(w.Tree, id)); p.Status != state.Applied || len(p.Approvals) != 2 {
		t.Errorf("after the threshold: %+v", p)
	}
	if q := must(state.GetVendor(w.Tree, acme)).Quota; q != 5 {
		t.Errorf("quota %d", q)
	}

	w = owned(t)
	if err := state.FirstGovernors(w.Tree, 1, []state.Governor{{Name: "anna", Key: anna.Public()}}); err != nil {
		t.Fatal(err)
	}
	id = proposed(t, w, quota(6))
	if p := must(state.GetProposal(w.Tree, id)); p.Status != state.Applied || must(state.GetVendor(w.Tree, acme)).Quota != 6 {
		t.Errorf("alone: %+v", p)
	}
	refused(t, w, w.ApproveTx(t, anna, id), state.ProposalClosed)
}

// TestGovernance_FailedApproval: an approval that would carry out what does not
// fit leaves the proposal open, and passes when it fits again.
func TestGovernance_FailedApproval(t *testing.T) {
	w := owned(t)
	id := proposed(t, w, remove("validator 1"))
	decide(t, w, remove("validator 2"))
	w.Block.Height--
	refused(t, w, w.ApproveTx(t, ben, id), state.PowerLimit)
	w.Block.Height++
	w.Do(t, w.ApproveTx(t, ben, id))
}

// TestGovernance_Expired: a proposal whose end has come makes room for another.
func TestGovernance_Expired(t *testing.T) {
	w := owned(t)
	for range state.MaxOpenProposals {
		proposed(t, w, quota(1))
	}
	refused(t, w, w.ProposeTx(t, anna, quota(2)), state.TooManyProposals)
	w.Block.Time += 3600
	id := proposed(t, w, quota(2))
	if open := must(state.GetGovernance(w.Tree)).Open; len(open) != 1 || open[0].ID != id {
		t.Errorf("open are %+v", open)
	}
}

// TestPowerLimit: a third, rounded down, but always one.
func TestPowerLimit(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 1, 3: 1, 5: 1, 6: 2, 9: 3} {
		w := owned(t)
		var first []state.Validator
		for i := range n {
			first = append(first, state.Validator{Name: "v", Key: valKey(fmt.Sprintf("of many %d", i))})
		}
		if err := state.FirstValidators(w.Tree, first); err != nil {
			t.Fatal(err)
		}
		if err := state.FirstGovernors(w.Tree, 1, []state.Governor{{Name: "anna", Key: anna.Public()}}); err != nil {
			t.Fatal(err)
		}
		w.Block.Height = 50
		passed := 0
		for i := range n + 1 {
			if state.Execute(w.Tree, w.Block, w.AddTx(t, anna, fmt.Sprintf("more %d", i))) == nil {
				passed++
			}
		}
		if passed != want {
			t.Errorf("%d of %d validators changed in one block, want %d", passed, n, want)
		}
	}
}

// TestPunish: evidence takes the power of the key or of its successor, at most
// once, and never the last one's.
func TestPunish(t *testing.T) {
	w := owned(t)
	punish := func(name string) {
		t.Helper()
		if err := state.Punish(w.Tree, w.Block, valKey(name).Address()); err != nil {
			t.Fatal(err)
		}
	}
	status := func(name string) state.ValidatorStatus {
		return must(state.GetValidator(w.Tree, valKey(name).Address())).Status
	}
	before := w.Tree.Clone()
	punish("nobody")
	if !w.Tree.Equal(before) {
		t.Error("evidence against a stranger changes the state")
	}
	decide(t, w, replace(w, "validator 0", "second key"))
	punish("validator 0")
	if status("validator 0") != state.Replaced || status("second key") != state.Jailed {
		t.Error("a new key saves a double signer")
	}
	before = w.Tree.Clone()
	punish("second key")
	punish("validator 0")
	if !w.Tree.Equal(before) {
		t.Error("evidence counts twice")
	}
	punish("validator 1")
	punish("validator 2")
	punish("validator 3")
	if status("validator 3") != state.Validating || len(must(state.GetValidatorSet(w.Tree)).Members) != 1 {
		t.Error("the last validator lost its power")
	}
	broken := errors.New("disk on fire")
	for n := range 5 {
		if err := state.Punish(&failing{Tree: owned(t).Tree, after: n, err: broken}, w.Block, valKey("validator 1").Address()); n < 4 && !errors.Is(err, broken) {
			t.Errorf("error %d became %v", n, err)
		}
	}
}

// TestGovernance_ForgedProposal: a record that holds something else than a
// proposal carries nothing out.
func TestGovernance_ForgedProposal(t *testing.T) {
	w := owned(t)
	id := proposed(t, w, quota(5))
	p := must(state.GetProposal(w.Tree, id))
	p.Tx = w.RegisterTx(t, guest).Bytes()
	w.Put(state.ProposalKey(id), p)
	refused(t, w, w.ApproveTx(t, ben, id), state.Forged)
}

// elsewhere is another ledger.
func elsewhere() *statetest.World {
	w := statetest.NewWorld()
	w.Block.Chain[0] ^= 1
	return w
}
