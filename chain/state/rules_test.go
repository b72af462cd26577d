package state_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
)

var (
	owner = statetest.Key("owner")
	buyer = statetest.Key("buyer")
	guest = statetest.Key("guest")
	dev   = statetest.Key("device")
	spare = statetest.Key("spare")
	thief = statetest.Key("thief")
)

// owned gives a world in which owner owns dev, and buyer has an account and a
// device of its own.
func owned(tb testing.TB) *statetest.World {
	w := statetest.NewWorld()
	w.Do(tb, w.RegisterTx(tb, dev))
	w.Do(tb, w.ClaimTx(tb, owner, dev))
	w.Do(tb, w.RegisterTx(tb, spare))
	w.Do(tb, w.ClaimTx(tb, buyer, spare))
	return w
}

// builder makes one valid transaction of a kind in a world.
type builder func(testing.TB, *statetest.World) *tx.Tx

// builders has one for each kind; a kind without one fails
// TestRules_DefaultDeny.
var builders = map[tx.Kind]builder{
	tx.KindRegisterDevice: func(tb testing.TB, w *statetest.World) *tx.Tx { return w.RegisterTx(tb, guest) },
	tx.KindClaim: func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, w.RegisterTx(tb, guest))
		return w.ClaimTx(tb, thief, guest)
	},
	tx.KindTransfer:   func(tb testing.TB, w *statetest.World) *tx.Tx { return w.TransferTx(tb, owner, buyer, dev) },
	tx.KindRotateKeys: func(tb testing.TB, w *statetest.World) *tx.Tx { return w.RotateTx(tb, owner, owner, guest) },
	tx.KindCreateGrant: func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.GrantTx(tb, owner, guest.Public(), dev, "open")
	},
	tx.KindRevokeGrant: func(tb testing.TB, w *statetest.World) *tx.Tx {
		g := w.GrantTx(tb, owner, guest.Public(), dev, "open")
		w.Do(tb, g)
		return w.RevokeTx(tb, owner, g.ID(w.Block.Chain))
	},
	tx.KindPropose: func(tb testing.TB, w *statetest.World) *tx.Tx { return w.AddTx(tb, statetest.Governor(0), "new") },
	tx.KindApprove: func(tb testing.TB, w *statetest.World) *tx.Tx {
		p := w.AddTx(tb, statetest.Governor(0), "new")
		w.Do(tb, p)
		return w.ApproveTx(tb, statetest.Governor(1), p.ID(w.Block.Chain))
	},
	tx.KindRelease:    func(tb testing.TB, w *statetest.World) *tx.Tx { return w.ReleaseTx(tb, owner, dev) },
	tx.KindReportLost: func(tb testing.TB, w *statetest.World) *tx.Tx { return w.LostTx(tb, owner, dev) },
	tx.KindReportFound: func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, w.LostTx(tb, owner, dev))
		return w.FoundTx(tb, owner, dev)
	},
	tx.KindSetGuardians: func(tb testing.TB, w *statetest.World) *tx.Tx { return w.GuardiansTx(tb, owner) },
	tx.KindStartRecovery: func(tb testing.TB, w *statetest.World) *tx.Tx {
		guarded(tb, w)
		return w.StartTx(tb, owner, guest)
	},
	tx.KindCancelRecovery: func(tb testing.TB, w *statetest.World) *tx.Tx {
		started(tb, w)
		return w.CancelTx(tb, owner)
	},
	tx.KindFinishRecovery: func(tb testing.TB, w *statetest.World) *tx.Tx {
		due(tb, w)
		return w.FinishTx(tb, owner, statetest.Guardian(2))
	},
	tx.KindFreeze: func(tb testing.TB, w *statetest.World) *tx.Tx {
		guarded(tb, w)
		return w.FreezeTx(tb, owner, statetest.Guardian(2))
	},
	tx.KindUnfreeze: func(tb testing.TB, w *statetest.World) *tx.Tx {
		frozen(tb, w)
		return w.UnfreezeTx(tb, owner)
	},
	tx.KindRegisterBatch: func(tb testing.TB, w *statetest.World) *tx.Tx { return w.BatchTx(tb, batched...) },
	tx.KindSetPolicy:     func(tb testing.TB, w *statetest.World) *tx.Tx { return w.PolicyTx(tb, owner, dev, openBy(2)) },
	tx.KindSetAddresses:  func(tb testing.TB, w *statetest.World) *tx.Tx { return w.AddressesTx(tb, owner, dev, home) },
	tx.KindDelegateGrant: giveOn(guest, asIs),
	tx.KindOpenSeal:      func(tb testing.TB, w *statetest.World) *tx.Tx { return w.OpenSealTx(tb, owner, dev, opening, 1, owner) },
	tx.KindApproveSeal: func(tb testing.TB, w *statetest.World) *tx.Tx {
		opened(tb, w)
		return w.ApproveSealTx(tb, owner, dev, opening, guest)
	},
	tx.KindAnchorReceipts: func(tb testing.TB, w *statetest.World) *tx.Tx { return w.AnchorTx(tb, owner, dev, 256) },
	tx.KindPublishRelease: func(tb testing.TB, w *statetest.World) *tx.Tx { return w.VendorTx(tb, statetest.ReleaseOf("1.0.0")) },
	tx.KindRevokeRelease: func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, w.VendorTx(tb, statetest.ReleaseOf("1.0.0")))
		return w.VendorTx(tb, &tx.RevokeRelease{Model: "Lock 1", Version: "1.0.0"})
	},
	tx.KindPublishApp: func(tb testing.TB, w *statetest.World) *tx.Tx { return w.VendorTx(tb, statetest.AppOf("1.0.0")) },
	tx.KindRevokeApp: func(tb testing.TB, w *statetest.World) *tx.Tx {
		w.Do(tb, w.VendorTx(tb, statetest.AppOf("1.0.0")))
		return w.VendorTx(tb, &tx.RevokeApp{App: "timer", Version: "1.0.0"})
	},
	tx.KindRotateVendorKeys: func(tb testing.TB, w *statetest.World) *tx.Tx {
		return w.RotateVendorTx(tb, w.Vendor, 2, w.Vendor, guest)
	},
}

// TestRules_DefaultDeny: each kind has exactly one row, each role of the row
// is indispensable, no other signature is welcome, and none may be by another
// key or over other bytes. A refused transaction leaves no trace.
func TestRules_DefaultDeny(t *testing.T) {
	rows := state.RuleRows()
	if len(rows) != len(tx.Kinds()) || len(rows) != len(builders) {
		t.Fatalf("%d rows, %d kinds, %d builders", len(rows), len(tx.Kinds()), len(builders))
	}
	doc, err := os.ReadFile("../../docs/spec/state.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range tx.Kinds() {
		t.Run(k.String(), func(t *testing.T) {
			if len(rows[k]) != 1 || len(rows[k][0]) == 0 {
				t.Fatalf("%d rows, or no roles", len(rows[k]))
			}
			if !strings.Contains(string(doc), "| `"+k.String()+"` |") {
				t.Error("docs/spec/state.md has no row for it")
			}
			w := owned(t)
			good := builders[k](t, w)
			var roles []tx.Role
			for _, s := range good.Sigs {
				roles = append(roles, s.Role)
			}
			if !slices.Equal(slices.Compact(roles), rows[k][0]) {
				t.Errorf("a valid one is signed by roles %v, the row says %v", roles, rows[k][0])
			}
			for i := range good.Sigs {
				refuseSpoiled(t, w, good, i)
			}
			for role := tx.Role(0); role <= 12; role++ {
				refused(t, w, with(good, tx.Sig{Role: role, Key: statetest.Key("nobody").Public().ID(), Bytes: good.Sigs[0].Bytes}), state.WrongSigner)
				for _, s := range good.Sigs {
					if s.Role != role {
						refused(t, w, with(good, tx.Sig{Role: role, Key: s.Key, Bytes: s.Bytes}), state.WrongSigner)
					}
				}
			}
			refused(t, w, sigs(good), state.MissingSigner)
			if err := state.Execute(w.Tree, w.Block, decoded(t, good)); err != nil {
				t.Fatalf("the valid one: %v", err)
			}
			refused(t, w, good, state.BadSequence)
		})
	}
}

// refuseSpoiled spoils the i-th signature in each way.
func refuseSpoiled(t *testing.T, w *statetest.World, good *tx.Tx, i int) {
	t.Helper()
	refused(t, w, sigs(good, slices.Delete(slices.Clone(good.Sigs), i, i+1)...), state.MissingSigner)

	bad := slices.Clone(good.Sigs)
	bad[i].Key = statetest.Key("nobody").Public().ID()
	refused(t, w, sigs(good, bad...), state.WrongSigner)

	bad = slices.Clone(good.Sigs)
	bad[i].Bytes = statetest.Key("nobody").Sign(good.Digest(w.Block.Chain))
	refused(t, w, sigs(good, bad...), key.BadSignature)

	bad = slices.Clone(good.Sigs)
	bad[i].Bytes = slices.Clone(bad[i].Bytes)
	bad[i].Bytes[40] ^= 1
	refused(t, w, sigs(good, bad...), key.BadSignature)
}

func sigs(t *tx.Tx, s ...tx.Sig) *tx.Tx {
	c := *t
	c.Sigs = s
	return &c
}

func with(t *tx.Tx, s tx.Sig) *tx.Tx {
	c := sigs(t, slices.Clone(t.Sigs)...)
	c.AddSig(s)
	return c
}

func decoded(tb testing.TB, t *tx.Tx) *tx.Tx {
	tb.Helper()
	d, err := tx.Decode(t.Bytes())
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// refused demands the kind, and that the state has not changed.
func refused(tb testing.TB, w *statetest.World, t *tx.Tx, want error) {
	tb.Helper()
	before := w.Tree.Clone()
	if err := state.Execute(w.Tree, w.Block, t); !errors.Is(err, want) {
		tb.Errorf("%s: got %v, want %v", t.Body.Kind, err, want)
	}
	if !w.Tree.Equal(before) {
		tb.Errorf("%s: refused, but the state has changed", t.Body.Kind)
	}
}

// TestRules_Enforced: a row that does not list what the code asks for, or no
// row, denies.
func TestRules_Enforced(t *testing.T) {
	for _, k := range tx.Kinds() {
		w := owned(t)
		good := builders[k](t, w)
		for _, roles := range [][]tx.Role{nil, {}, {tx.RoleVendor, tx.RoleDevice, tx.RoleAccount}} {
			state.WithRoles(k, roles, func() { refused(t, w, good, state.NotAuthorised) })
		}
	}
}

// TestThreshold covers m-of-n accounts and vendors.
func TestThreshold(t *testing.T) {
	w := owned(t)
	id := owner.Public().AccountID()
	a, b, c := statetest.Key("a"), statetest.Key("b"), statetest.Key("c")
	invoker := statetest.Key("invoker")
	p := &tx.RotateKeys{Version: 1, Threshold: 2}
	by := []statetest.As{{Role: tx.RoleAccount, Key: owner}}
	for _, k := range []*key.Private{a, b, c} {
		p.Keys = append(p.Keys, tx.AccountKey{Key: k.Public(), Rights: tx.RightAdmin})
		by = append(by, statetest.As{Role: tx.RoleNewKey, Key: k})
	}
	p.Keys = append(p.Keys, tx.AccountKey{Key: invoker.Public(), Rights: tx.RightInvoke})
	by = append(by, statetest.As{Role: tx.RoleNewKey, Key: invoker})
	w.Do(t, w.Build(t, id, p, by...))

	grant := func(keys ...*key.Private) *tx.Tx {
		p := &tx.CreateGrant{Grantee: guest.Public(), NotAfter: 9, Targets: []tx.Target{
			{Device: dev.Public().DeviceID(), Epoch: 1, Endpoint: "lock", Methods: []string{"open"}},
		}}
		x := w.Build(t, id, p)
		for _, k := range keys {
			x.Sign(w.Block.Chain, tx.RoleAccount, k)
		}
		return x
	}
	refused(t, w, grant(a), state.MissingSigner)
	refused(t, w, grant(owner), state.WrongSigner)
	refused(t, w, grant(a, owner), state.WrongSigner)
	refused(t, w, grant(a, invoker), state.WrongSigner)
	w.Do(t, grant(a, c))
	w.Do(t, grant(a, b, c))

	w = statetest.NewWorld()
	two := statetest.Key("vendor two")
	w.Put(state.VendorKey(w.Vendor.Public().AccountID()), state.Vendor{
		Name: "acme", Keys: []key.Public{w.Vendor.Public(), two.Public()}, Threshold: 2, Quota: 1,
	})
	x := w.RegisterTx(t, dev)
	refused(t, w, x, state.MissingSigner)
	x.Sign(w.Block.Chain, tx.RoleVendor, two)
	w.Do(t, x)
}

// TestSigner_OtherChain: what was signed for one ledger is void on another.
func TestSigner_OtherChain(t *testing.T) {
	for _, k := range tx.Kinds() {
		w := owned(t)
		x := builders[k](t, w)
		w.Block.Chain[0] ^= 1
		refused(t, w, x, key.BadSignature)
	}
}

func ExampleExecute() {
	w := statetest.NewWorld()
	var tb testing.T
	x := w.RegisterTx(&tb, dev)
	fmt.Println(state.Execute(w.Tree, w.Block, x))
	fmt.Println(errors.Is(state.Execute(w.Tree, w.Block, x), state.BadSequence))
	// Output:
	// <nil>
	// true
}

func BenchmarkExecute(b *testing.B) {
	for _, k := range tx.Kinds() {
		b.Run(k.String(), func(b *testing.B) {
			w := owned(b)
			raw := builders[k](b, w).Bytes()
			b.ReportAllocs()
			for b.Loop() {
				t, err := tx.Decode(raw)
				if err != nil {
					b.Fatal(err)
				}
				// Into an overlay that is thrown away, so that each round sees
				// the same state.
				if err := state.Execute(state.NewOverlay(w.Tree), w.Block, t); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
