package vectors_test

import (
	"testing"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/state/statetest"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/chain/vectors"
)

// accountTxCase is a valid transaction of an account, signed in role 1.
func accountTxCase(t *testing.T, name string, p tx.Payload) vectors.Case {
	t.Helper()
	c := chain()
	r, err := tx.New(owner.Public().AccountID(), 7, start+60, p)
	if err != nil {
		t.Fatal(err)
	}
	r.Sign(c, tx.RoleAccount, owner)
	acc := r.Body.Account
	return vectors.Case{Name: "valid/" + name, Note: "signed in role 1", Hex: x(r.Bytes()), In: m{"chain_digest": b32(c), "public": x(owner.Public().Bytes)},
		Want: m{"id": r.ID(c).String(), "kind": u(uint64(p.Kind())), "account": x(acc[:]), "sequence": "7", "expires": u(start + 60), "payload": x(r.Body.Payload), "role": "1", "signature": x(r.Sigs[0].Bytes)}}
}

// refusedTxCase is a payload that decoding refuses.
func refusedTxCase(t *testing.T, name, note string, p tx.Payload, want error) vectors.Case {
	t.Helper()
	good := mustTx(t, &tx.Approve{Proposal: tx.ID{1}})
	b := good.Body
	b.Kind, b.Payload = p.Kind(), codec.MustMarshal(p)
	raw := codec.MustMarshal(tx.Envelope{Body: codec.MustMarshal(b), Sigs: good.Sigs})
	return vectors.Case{Name: "refused/" + name, Note: note, Hex: x(raw), Want: m{"refused": want.Error()}}
}

func lifecycleTxCases(t *testing.T) (out []vectors.Case) {
	id := device.Public().DeviceID()
	for _, p := range []tx.Payload{&tx.Release{Device: id, Epoch: 2}, &tx.ReportLost{Device: id, Epoch: 1}, &tx.ReportFound{Device: id, Epoch: 1}} {
		out = append(out, accountTxCase(t, p.Kind().String(), p))
	}
	return append(out,
		refusedTxCase(t, "release-no-epoch", "epoch 0", &tx.Release{Device: id}, tx.Malformed),
		refusedTxCase(t, "report-lost-no-device", "a device of zeros", &tx.ReportLost{Epoch: 1}, tx.Malformed),
		refusedTxCase(t, "report-found-no-epoch", "epoch 0", &tx.ReportFound{Device: id}, tx.Malformed),
	)
}

// homely is another ledger than that of the other histories.
func homely(chainID string) *genesis.Doc {
	d := testGenesis()
	d.ChainID = chainID
	return d
}

// lifecycleHistory gives a device up, loses and finds it.
func lifecycleHistory(t *testing.T, w *statetest.World) []vectors.Case {
	b := &book{t: t, w: w, prefix: "life/"}
	b.ledger("life/genesis", "another ledger, with an empty state before", homely("hos-lifecycle"))
	b.do("register", "a device", w.RegisterTx(t, device), nil)
	b.do("claim", "the owner's", w.ClaimTx(t, owner, device), nil)
	b.do("found/not-lost", "it is not lost", w.FoundTx(t, owner, device), state.NotLost)
	b.do("lost", "now it is", w.LostTx(t, owner, device), nil)
	b.do("lost/twice", "it is lost", w.LostTx(t, owner, device), state.DeviceLost)
	b.do("lost/transfer", "it changes no hands", w.TransferTx(t, owner, buyer, device), state.DeviceLost)
	b.do("lost/release", "nor is it given up", w.ReleaseTx(t, owner, device), state.DeviceLost)
	b.do("found", "the owner has it again", w.FoundTx(t, owner, device), nil)
	b.do("release/epoch", "the present epoch", by(t, w, owner, &tx.Release{Device: device.Public().DeviceID(), Epoch: 1}), state.StaleEpoch)
	b.do("release/theft", "signed by somebody else", w.Build(t, owner.Public().AccountID(), &tx.Release{Device: device.Public().DeviceID(), Epoch: 2}, statetest.As{Role: tx.RoleAccount, Key: buyer}), state.WrongSigner)
	b.do("release", "nobody owns it", w.ReleaseTx(t, owner, device), nil)
	b.do("release/twice", "nobody can give it up", w.ReleaseTx(t, owner, device), state.NotOwner)
	b.do("release/claim", "the next epoch has a new owner", w.ClaimTx(t, buyer, device), nil)
	return b.cases
}

// by is a transaction that an account's first key signs.
func by(t *testing.T, w *statetest.World, root *key.Private, p tx.Payload) *tx.Tx {
	t.Helper()
	return w.Build(t, root.Public().AccountID(), p, statetest.As{Role: tx.RoleAccount, Key: root})
}
