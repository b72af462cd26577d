package vectors_test

import (
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

func recoveryTxCases(t *testing.T) (out []vectors.Case) {
	keys := []tx.AccountKey{{Key: guest.Public(), Rights: tx.RightAdmin | tx.RightInvoke}, {Key: phone.Public(), Rights: tx.RightInvoke}}
	for _, c := range []struct {
		name string
		p    tx.Payload
	}{
		{"set-guardians", &tx.SetGuardians{Version: 1, Guardians: statetest.Guardians()}},
		{"set-guardians-none", &tx.SetGuardians{Version: 2}},
		{"start-recovery", &tx.StartRecovery{Version: 2, Keys: keys, Threshold: 1}},
		{"cancel-recovery", &tx.CancelRecovery{Version: 2}},
		{"finish-recovery", &tx.FinishRecovery{Version: 2}},
		{"freeze", &tx.Freeze{}},
		{"unfreeze", &tx.Unfreeze{}},
	} {
		out = append(out, accountTxCase(t, c.name, c.p))
	}
	guards := func(name, note string, want error, f func(*tx.Guardians)) {
		g := statetest.Guardians()
		f(g)
		out = append(out, refusedTxCase(t, "guardians-"+name, note, &tx.SetGuardians{Version: 1, Guardians: g}, want))
	}
	guards("none", "no keys", tx.Malformed, func(g *tx.Guardians) { g.Keys = nil })
	guards("twice", "a key twice", tx.Malformed, func(g *tx.Guardians) { g.Keys[1] = g.Keys[0] })
	guards("passkey", "a phone as a guardian", tx.InvokeOnly, func(g *tx.Guardians) { g.Keys[0] = phone.Public() })
	guards("point", "not a point of the curve", key.BadKey, func(g *tx.Guardians) { g.Keys[0] = key.Public{Alg: key.Secp256k1, Bytes: make([]byte, 33)} })
	guards("threshold", "a threshold out of reach", tx.Malformed, func(g *tx.Guardians) { g.Threshold = 4 })
	guards("threshold-zero", "a threshold of 0", tx.Malformed, func(g *tx.Guardians) { g.Threshold = 0 })
	guards("now", "no delay", tx.Malformed, func(g *tx.Guardians) { g.Delay = 0 })
	guards("late", "a delay of 90 days and a second", tx.Malformed, func(g *tx.Guardians) { g.Delay = tx.MaxDelay + 1 })
	return append(out,
		refusedTxCase(t, "guardians-version", "version 0", &tx.SetGuardians{Guardians: statetest.Guardians()}, tx.Malformed),
		refusedTxCase(t, "start-recovery-version", "version 0", &tx.StartRecovery{Keys: keys, Threshold: 1}, tx.Malformed),
		refusedTxCase(t, "start-recovery-threshold", "a threshold out of reach", &tx.StartRecovery{Version: 1, Keys: keys, Threshold: 2}, tx.Malformed),
		refusedTxCase(t, "start-recovery-passkey", "a phone signs for the account", &tx.StartRecovery{Version: 1, Threshold: 1,
			Keys: []tx.AccountKey{{Key: phone.Public(), Rights: tx.RightAdmin}}}, tx.InvokeOnly),
		refusedTxCase(t, "cancel-recovery-version", "version 0", &tx.CancelRecovery{}, tx.Malformed),
		refusedTxCase(t, "finish-recovery-version", "version 0", &tx.FinishRecovery{}, tx.Malformed),
	)
}

// recoveryHistory loses the owner's key and finds the way back.
func recoveryHistory(t *testing.T, w *statetest.World) []vectors.Case {
	b := &book{t: t, w: w, prefix: "recover/"}
	anna, cleo := statetest.Guardian(0), statetest.Guardian(2)
	b.ledger("recover/genesis", "another ledger, with an empty state before", homely("hos-recovery"))
	b.do("register", "a device", w.RegisterTx(t, device), nil)
	b.do("claim", "the owner's", w.ClaimTx(t, owner, device), nil)
	b.do("start/no-guardians", "nobody could recover it", w.StartTx(t, owner, guest), state.NoGuardians)
	b.do("guardians", "two of three, after an hour", w.GuardiansTx(t, owner), nil)
	b.do("cancel/nothing", "no recovery is open", w.CancelTx(t, owner), state.NoRecovery)
	b.do("finish/nothing", "no recovery is open", w.FinishTx(t, owner, anna), state.NoRecovery)
	one := w.StartTx(t, owner, guest)
	one.Sigs = one.Sigs[:2]
	b.do("start/one", "one guardian alone", one, state.MissingSigner)
	b.do("start/owner", "the owner is no guardian", w.Build(t, owner.Public().AccountID(), one.Payload, statetest.As{Role: tx.RoleGuardian, Key: owner}), state.WrongSigner)
	skip := *one.Payload.(*tx.StartRecovery)
	skip.Version++
	b.do("start/version", "a later version", w.Build(t, owner.Public().AccountID(), &skip, statetest.As{Role: tx.RoleGuardian, Key: anna},
		statetest.As{Role: tx.RoleGuardian, Key: statetest.Guardian(1)}, statetest.As{Role: tx.RoleNewKey, Key: guest}), state.BadKeyVersion)
	b.do("start", "the guest's key shall be the only one", w.StartTx(t, owner, guest), nil)
	b.do("start/twice", "one is open", w.StartTx(t, owner, buyer), state.RecoveryOpen)
	b.do("start/rotate", "no other change of keys meanwhile", w.RotateTx(t, owner, owner, owner, guest), state.RecoveryOpen)
	b.do("finish/early", "not yet", w.FinishTx(t, owner, guest), state.RecoveryEarly)
	b.do("cancel", "the owner has the key after all", w.CancelTx(t, owner), nil)
	b.do("start/again", "now it is lost", w.StartTx(t, owner, guest), nil)
	w.Block.Time += statetest.Delay
	b.do("cancel/late", "too late", w.CancelTx(t, owner), state.RecoveryDue)
	b.do("finish/stranger", "somebody who has no part in it", w.FinishTx(t, owner, buyer), state.WrongSigner)
	b.do("finish", "the guest's key has the account", w.FinishTx(t, owner, cleo), nil)
	lostKey := w.GrantTx(t, owner, buyer.Public(), device, "open")
	b.do("lost-key", "the old key signs nothing more", lostKey, state.WrongSigner)
	b.do("unfreeze/not-frozen", "it is not frozen", w.Build(t, owner.Public().AccountID(), &tx.Unfreeze{}, statetest.As{Role: tx.RoleAccount, Key: guest}), state.NotFrozen)
	b.do("freeze/stranger", "somebody who has no part in it", w.FreezeTx(t, owner, owner), state.WrongSigner)
	b.do("freeze", "a guardian is worried", w.FreezeTx(t, owner, anna), nil)
	b.do("freeze/twice", "it is frozen", w.FreezeTx(t, owner, guest), state.AccountFrozen)
	b.do("freeze/grant", "no grants", w.Build(t, owner.Public().AccountID(), lostKey.Payload, statetest.As{Role: tx.RoleAccount, Key: guest}), state.AccountFrozen)
	b.do("freeze/rotate", "no change of keys", w.RotateTx(t, owner, guest, guest, buyer), state.AccountFrozen)
	b.do("unfreeze", "all is well", w.Build(t, owner.Public().AccountID(), &tx.Unfreeze{}, statetest.As{Role: tx.RoleAccount, Key: guest}), nil)
	b.do("rotate", "guardians stay", w.RotateTx(t, owner, guest, guest, buyer), nil)
	return b.cases
}
