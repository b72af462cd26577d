package abci

import (
	"bytes"
	"testing"

	"github.com/cometbft/cometbft/abci/types"

	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// FuzzApp_HostileBytes gives the application whatever a validator, a client or
// a peer may send. It must not panic, must not take the bytes for a fault of
// this node (which would stop it), and must not change the state but by a
// transaction that every door takes.
func FuzzApp_HostileBytes(f *testing.F) {
	w, live, dead := refusalWorld(f, false)
	for _, c := range refused {
		if c.kind == state.QuotaExceeded || c.kind == key.BadText {
			continue // needs another world
		}
		f.Add(c.make(w, live, dead), []byte{1}, PathRecord, int64(1))
	}
	for _, t := range []*tx.Tx{w.register(2, 2), w.claim(w.other, 0, 1), w.transfer(w.owner, w.other, 4, 0, 2, true), w.grant(w.owner, 4, 0, 1)} {
		raw := t.Bytes()
		f.Add(raw, raw[:len(raw)/2], "/store", int64(-1))
		f.Add(raw[1:], raw, PathRecord, int64(0))
	}
	f.Add(bytes.Repeat([]byte{0x81}, 5000), state.ParamsKey(), PathRecord, int64(1<<62))
	f.Add([]byte{}, []byte{}, "", int64(-1<<63))
	w.block()
	f.Fuzz(func(t *testing.T, a, b []byte, path string, height int64) {
		w.t = t
		root, version := w.tree.Hash(), w.app.Height()
		w.app.resetCheck()
		empty := w.finalize()
		query(t, w.app, &types.RequestQuery{Data: a, Path: path, Height: height, Prove: true})
		query(t, w.app, &types.RequestQuery{Data: b, Path: PathRecord, Height: height, Prove: true})
		first := w.checkTx(a)
		accepted := w.process(a, b) == types.ResponseProcessProposal_ACCEPT
		out := w.finalize(a, b)
		if out.TxResults[0].Code != first.Code {
			t.Errorf("CheckTx gives %d, FinalizeBlock %d", first.Code, out.TxResults[0].Code)
		}
		executed := 0
		for _, r := range append(out.TxResults, &types.ExecTxResult{Code: first.Code}) {
			if r.Code == CodeInternal {
				t.Errorf("hostile bytes look like a fault of this node: %s", r.Log)
			}
		}
		for _, r := range out.TxResults {
			if r.Code == CodeOK {
				executed++
			}
		}
		if accepted != (executed == 2) {
			t.Errorf("proposal accepted: %t, %d of 2 executed", accepted, executed)
		}
		if executed == 0 && !bytes.Equal(out.AppHash, empty.AppHash) {
			t.Error("refused transactions change the state")
		}
		if !bytes.Equal(w.tree.Hash(), root) || w.app.Height() != version || w.app.Err() != nil {
			t.Errorf("the committed state is another, or the application failed: %v", w.app.Err())
		}
	})
}

func query(t *testing.T, a *App, r *types.RequestQuery) {
	t.Helper()
	out, err := a.Query(t.Context(), r)
	if err != nil || out.Code == CodeInternal {
		t.Errorf("query %q, %x at %d: %+v, %v", r.Path, r.Data, r.Height, out, err)
	}
}
