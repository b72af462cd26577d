package abci

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// Who listens is told what each block changed once it is on disk, and only
// then; a block that a crash undid is told when it is executed again.
func TestApp_CommittedTellsRecords(t *testing.T) {
	w := newWorld(t)
	var told []Commit
	w.app.told = func(c Commit) {
		if w.tree.Version() != c.Height {
			t.Errorf("told of block %d, the tree is at %d", c.Height, w.tree.Version())
		}
		told = append(told, c)
	}
	vendor, owner, dev := w.vendor.Public().AccountID(), w.owner.Public().AccountID(), w.devices[0].Public().DeviceID()
	expect := func(name string, height int64, txs []Executed, keys ...[]byte) {
		t.Helper()
		var raws [][]byte
		for _, x := range txs {
			if x.Tx == nil {
				raws = append(raws, []byte("x"))
				continue
			}
			raws = append(raws, x.Tx.Bytes())
		}
		values := make([][]byte, len(keys))
		for i, k := range keys {
			var err error
			if values[i], err = w.tree.GetAt(height, k); err != nil {
				t.Fatal(err)
			}
		}
		want := []Commit{{Height: height, Time: w.blockTime().Add(-1e9), Hash: blockHash(height, raws), Txs: txs, Keys: keys, Values: values}}
		if diff := cmp.Diff(want, told, cmp.Comparer(func(a, b *tx.Tx) bool {
			return a == b || a != nil && b != nil && bytes.Equal(a.Bytes(), b.Bytes())
		})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		told = nil
	}
	w.block(w.register(0, 0).Bytes())
	expect("genesis and a registration", 1, []Executed{{Tx: w.register(0, 0)}}, state.DeviceKey(dev), state.ParamsKey(), state.VendorKey(vendor))
	w.block()
	expect("empty", 2, nil, [][]byte{}...)
	w.process(w.claim(w.owner, 0, 0).Bytes())
	w.finalize(w.claim(w.owner, 0, 0).Bytes())
	if len(told) > 0 {
		t.Errorf("told before the commit: %v", told)
	}
	w.block(w.claim(w.owner, 0, 0).Bytes())
	expect("claim", 3, []Executed{{Tx: w.claim(w.owner, 0, 0)}}, state.AccountKey(owner), state.DeviceKey(dev), state.OwnerChangeKey(dev, 1))
	// A transaction that is refused in a block changes nothing.
	w.finalize(w.claim(w.owner, 1, 0).Bytes(), []byte("x"))
	w.commit()
	expect("refused", 4, []Executed{{w.claim(w.owner, 1, 0), CodeOf(state.DeviceOwned)}, {nil, CodeOf(codec.Malformed)}}, [][]byte{}...)
}
