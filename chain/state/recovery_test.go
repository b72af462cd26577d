package state_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// The steps of a recovery of the owner's account, in whose world each case
// stands.
func guarded(tb testing.TB, w *statetest.World) { w.Do(tb, w.GuardiansTx(tb, owner)) }

func started(tb testing.TB, w *statetest.World) {
	guarded(tb, w)
	w.Do(tb, w.StartTx(tb, owner, guest))
}

func due(tb testing.TB, w *statetest.World) {
	started(tb, w)
	w.Block.Time += statetest.Delay - 1
}

func finished(tb testing.TB, w *statetest.World) {
	due(tb, w)
	w.Do(tb, w.FinishTx(tb, owner, guest))
}

func frozen(tb testing.TB, w *statetest.World) {
	guarded(tb, w)
	w.Do(tb, w.FreezeTx(tb, owner, statetest.Guardian(2)))
}

// after makes a transaction once a step has been taken.
func after(step func(testing.TB, *statetest.World), f builder) builder {
	return func(tb testing.TB, w *statetest.World) *tx.Tx {
		step(tb, w)
		return f(tb, w)
	}
}

func as(role tx.Role, k key.Signer) statetest.As { return statetest.As{Role: role, Key: k} }

// ofOwner is a transaction about the owner's account.
func ofOwner(p tx.Payload, by ...statetest.As) builder {
	return func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.Build(tb, owner.Public().AccountID(), p, by...)
	}
}

// start is a recovery to the guest's key.
func start(version uint64, by ...statetest.As) builder {
	return ofOwner(&tx.StartRecovery{Version: version, Threshold: 1, Keys: []tx.AccountKey{{Key: guest.Public(), Rights: tx.RightAdmin}}}, by...)
}

var (
	guard0, guard1 = as(tx.RoleGuardian, statetest.Guardian(0)), as(tx.RoleGuardian, statetest.Guardian(1))
	newGuest       = as(tx.RoleNewKey, guest)
	finishTx       = func(tb testing.TB, w *statetest.World) *tx.Tx { return w.FinishTx(tb, owner, guest) }
	cancelTx       = func(tb testing.TB, w *statetest.World) *tx.Tx { return w.CancelTx(tb, owner) }
	guardTx        = func(tb testing.TB, w *statetest.World) *tx.Tx { return w.GuardiansTx(tb, owner) }
	unfreezeTx     = func(tb testing.TB, w *statetest.World) *tx.Tx { return w.UnfreezeTx(tb, owner) }
	freezeTx       = func(tb testing.TB, w *statetest.World) *tx.Tx { return w.FreezeTx(tb, owner, owner) }
)

var recoveryRefusals = []refusal{
	{"guardians of a later version", state.BadKeyVersion, ofOwner(&tx.SetGuardians{Version: 2, Guardians: statetest.Guardians()}, asOwner)},
	{"guardians by a stranger", state.WrongSigner, ofOwner(&tx.SetGuardians{Version: 1, Guardians: statetest.Guardians()}, asThief)},
	{"guardians during a recovery", state.RecoveryOpen, after(started, guardTx)},
	{"recovery without guardians", state.NoGuardians, start(1, guard0, guard1, newGuest)},
	{"recovery by guardians of before", state.NoGuardians, func(tb testing.TB, w *statetest.World) *tx.Tx {
		guarded(tb, w)
		w.Do(tb, ofOwner(&tx.SetGuardians{Version: 2}, asOwner)(tb, w))
		return start(3, guard0, guard1, newGuest)(tb, w)
	}},
	{"recovery by one guardian", state.MissingSigner, after(guarded, start(2, guard0, newGuest))},
	{"recovery by the owner", state.WrongSigner, after(guarded, start(2, guard0, as(tx.RoleGuardian, owner), newGuest))},
	{"recovery without the new key", state.MissingSigner, after(guarded, start(2, guard0, guard1))},
	{"recovery to an old key without its proof", state.MissingSigner, after(guarded, ofOwner(&tx.StartRecovery{Version: 2, Threshold: 1,
		Keys: []tx.AccountKey{{Key: owner.Public(), Rights: tx.RightAdmin}}}, guard0, guard1))},
	{"recovery of a later version", state.BadKeyVersion, after(guarded, start(3, guard0, guard1, newGuest))},
	{"second recovery", state.RecoveryOpen, after(started, start(2, guard0, guard1, newGuest))},
	{"rotation during a recovery", state.RecoveryOpen, after(started, builders[tx.KindRotateKeys])},
	{"rotation when a recovery is due", state.RecoveryOpen, after(due, builders[tx.KindRotateKeys])},
	{"cancel of nothing", state.NoRecovery, after(guarded, cancelTx)},
	{"cancel of another version", state.BadKeyVersion, after(started, ofOwner(&tx.CancelRecovery{Version: 3}, asOwner))},
	{"cancel by a guardian", state.WrongSigner, after(started, ofOwner(&tx.CancelRecovery{Version: 2}, as(tx.RoleAccount, statetest.Guardian(0))))},
	{"cancel by the new key", state.WrongSigner, after(started, ofOwner(&tx.CancelRecovery{Version: 2}, as(tx.RoleAccount, guest)))},
	{"cancel too late", state.RecoveryDue, after(due, cancelTx)},
	{"finish of nothing", state.NoRecovery, after(guarded, finishTx)},
	{"finish of another version", state.BadKeyVersion, after(due, ofOwner(&tx.FinishRecovery{Version: 3}, as(tx.RoleParty, guest)))},
	{"finish by a stranger", state.WrongSigner, after(due, ofOwner(&tx.FinishRecovery{Version: 2}, as(tx.RoleParty, thief)))},
	{"finish by the lost key", state.WrongSigner, after(due, ofOwner(&tx.FinishRecovery{Version: 2}, as(tx.RoleParty, owner)))},
	{"finish a second early", state.RecoveryEarly, func(tb testing.TB, w *statetest.World) *tx.Tx {
		due(tb, w)
		w.Block.Time--
		return finishTx(tb, w)
	}},
	{"finish after a cancel", state.NoRecovery, func(tb testing.TB, w *statetest.World) *tx.Tx {
		started(tb, w)
		w.Do(tb, cancelTx(tb, w))
		w.Block.Time += 2 * statetest.Delay
		return finishTx(tb, w)
	}},
	{"finished twice", state.NoRecovery, after(finished, finishTx)},
	{"the old key after a recovery", state.WrongSigner, after(finished, builders[tx.KindCreateGrant])},
	{"frozen twice", state.AccountFrozen, after(frozen, freezeTx)},
	{"frozen by a stranger", state.WrongSigner, ofOwner(&tx.Freeze{}, as(tx.RoleParty, thief))},
	{"grant of a frozen account", state.AccountFrozen, after(frozen, builders[tx.KindCreateGrant])},
	{"transfer of a frozen account", state.AccountFrozen, after(frozen, builders[tx.KindTransfer])},
	{"release of a frozen account", state.AccountFrozen, after(frozen, builders[tx.KindRelease])},
	{"rotation of a frozen account", state.AccountFrozen, after(frozen, builders[tx.KindRotateKeys])},
	{"guardians of a frozen account", state.AccountFrozen, after(frozen, guardTx)},
	{"unfreeze by a guardian", state.WrongSigner, after(frozen, ofOwner(&tx.Unfreeze{}, as(tx.RoleAccount, statetest.Guardian(2))))},
	{"not frozen", state.NotFrozen, unfreezeTx},
}

// lieRecovery shows a recovery to the guest's key, or what is made of it, as the
// owner's key change after the guardians were set.
func lieRecovery(make func(testing.TB, *statetest.World) []byte) func(testing.TB) error {
	return toDevice(func(tb testing.TB, w *statetest.World) {
		guarded(tb, w)
		raw := make(tb, w)
		lieAccount(w, func(a *state.Account) {
			a.KeySet.Version, a.KeySet.Threshold = 2, 1
			a.KeySet.Keys = []tx.AccountKey{{Key: guest.Public(), Rights: tx.RightAdmin}}
		})
		set(w, state.KeyChangeKey(owner.Public().AccountID(), 2), raw)
	})
}

func bytesOf(f builder) func(testing.TB, *statetest.World) []byte {
	return func(tb testing.TB, w *statetest.World) []byte { return f(tb, w).Bytes() }
}

var recoveryLies = []lie{
	{"recovery signed by nobody's guardians", state.Forged, lieRecovery(bytesOf(start(2, as(tx.RoleGuardian, thief), as(tx.RoleGuardian, guest), newGuest)))},
	{"recovery signed by one guardian", state.Forged, lieRecovery(bytesOf(start(2, guard0, newGuest)))},
	{"recovery signed by the owner as a guardian", state.Forged, lieRecovery(bytesOf(start(2, guard0, as(tx.RoleGuardian, owner), newGuest)))},
	{"recovery without the new key's proof", state.Forged, lieRecovery(bytesOf(start(2, guard0, guard1)))},
	{"recovery for another version", state.Forged, lieRecovery(bytesOf(start(3, guard0, guard1, newGuest)))},
	{"recovery of another account", state.Forged, lieRecovery(func(tb testing.TB, w *statetest.World) []byte {
		p := start(2)(tb, w).Payload
		return w.Build(tb, buyer.Public().AccountID(), p, guard0, guard1, newGuest).Bytes()
	})},
	{"the finish as evidence", state.Forged, lieRecovery(bytesOf(ofOwner(&tx.FinishRecovery{Version: 2}, as(tx.RoleParty, statetest.Guardian(0)))))},
	{"a freeze as evidence", state.Forged, lieRecovery(bytesOf(ofOwner(&tx.Freeze{}, as(tx.RoleParty, owner))))},
	{"guardians that nobody set", state.Forged, toDevice(func(_ testing.TB, w *statetest.World) {
		lieAccount(w, func(a *state.Account) { a.KeySet.Guardians = statetest.Guardians() })
	})},
	{"guardians that the thief set", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		x := ofOwner(&tx.SetGuardians{Version: 1, Guardians: statetest.Guardians()}, asThief)(tb, w)
		lieAccount(w, func(a *state.Account) { a.KeySet.Version, a.KeySet.Guardians = 1, statetest.Guardians() })
		set(w, state.KeyChangeKey(owner.Public().AccountID(), 1), x.Bytes())
	})},
	{"recovery by guardians without a key change that named them", state.Forged, toDevice(func(tb testing.TB, w *statetest.World) {
		x := start(1, guard0, guard1, newGuest)(tb, w)
		lieAccount(w, func(a *state.Account) {
			a.KeySet = state.KeySet{Version: 1, Threshold: 1, Guardians: statetest.Guardians(), Keys: []tx.AccountKey{{Key: guest.Public(), Rights: tx.RightAdmin}}}
		})
		set(w, state.KeyChangeKey(owner.Public().AccountID(), 1), x.Bytes())
	})},
}

// TestRecovery follows an account from the loss of its key to its new one, with
// a device that trusts no validator.
func TestRecovery(t *testing.T) {
	w, own := pinned(t)
	grant := w.GrantTx(t, owner, guest.Public(), dev, "open")
	w.Do(t, grant)
	started(t, w)
	mid := follow(t, w, own)
	if mid.Owner.Keys.Version != 1 || cmp.Diff(mid.Owner.Keys.Guardians, statetest.Guardians()) != "" {
		t.Fatalf("before the delay is over: %+v", mid.Owner.Keys)
	}
	if _, err := state.VerifyGrant(w.Block.Chain, mid.Owner, grant.ID(w.Block.Chain), must(state.GetGrant(w.Tree, grant.ID(w.Block.Chain)))); err != nil {
		t.Fatalf("the owner's grant, with guardians named: %v", err)
	}
	w.Block.Time += statetest.Delay - 1
	w.Do(t, w.FinishTx(t, owner, statetest.Guardian(2)))
	for _, from := range []state.Ownership{own, mid} {
		end := follow(t, w, from)
		if k := end.Owner.Keys; k.Version != 2 || len(k.Keys) != 1 || !k.Keys[0].Key.Equal(guest.Public()) || k.Guardians == nil {
			t.Fatalf("after it: %+v", k)
		}
		if _, err := state.VerifyGrant(w.Block.Chain, end.Owner, grant.ID(w.Block.Chain), must(state.GetGrant(w.Tree, grant.ID(w.Block.Chain)))); !errors.Is(err, state.Forged) {
			t.Fatalf("a grant of the lost key: %v", err)
		}
	}
	w.Do(t, releaseBy(t, w, nil, as(tx.RoleAccount, guest)))
}

// TestRecovery_Cancelled: what the guardians signed is void for who has followed
// the cancel, whatever a ledger shows.
func TestRecovery_Cancelled(t *testing.T) {
	w, own := pinned(t)
	guarded(t, w)
	begun := w.StartTx(t, owner, guest)
	w.Do(t, begun)
	w.Do(t, w.CancelTx(t, owner))
	next := follow(t, w, own)
	if k := next.Owner.Keys; k.Version != 2 || !k.Keys[0].Key.Equal(owner.Public()) || k.Guardians == nil {
		t.Fatalf("cancelled: %+v", k)
	}
	set(w, state.KeyChangeKey(owner.Public().AccountID(), 3), begun.Bytes())
	lieAccount(w, func(a *state.Account) {
		a.KeySet.Version, a.KeySet.Keys = 3, begun.Payload.(*tx.StartRecovery).Keys
	})
	if _, err := state.FollowOwner(w.Tree, w.Block.Chain, next); !errors.Is(err, state.Forged) {
		t.Fatalf("the cancelled recovery again: %v", err)
	}
}

// TestFreeze: a frozen account can be recovered, and gives up nothing before it
// is unfrozen by its new keys.
func TestFreeze(t *testing.T) {
	w := owned(t)
	frozen(t, w)
	w.Do(t, w.StartTx(t, owner, guest))
	w.Do(t, w.CancelTx(t, owner))
	w.Do(t, w.LostTx(t, owner, dev))
	w.Do(t, w.FoundTx(t, owner, dev))
	w.Do(t, w.StartTx(t, owner, guest))
	w.Block.Time += statetest.Delay
	w.Do(t, w.FinishTx(t, owner, guest))
	byGuest := as(tx.RoleAccount, guest)
	refused(t, w, releaseBy(t, w, nil, byGuest), state.AccountFrozen)
	refused(t, w, w.UnfreezeTx(t, owner), state.WrongSigner)
	w.Do(t, ofOwner(&tx.Unfreeze{}, byGuest)(t, w))
	w.Do(t, releaseBy(t, w, nil, byGuest))
}
