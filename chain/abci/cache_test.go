package abci

import (
	"bytes"
	"errors"
	"testing"

	"github.com/cometbft/cometbft/abci/types"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
)

func TestDecoded_OnlySuccessesAndBounded(t *testing.T) {
	w := newWorld(t)
	d := newDecoded()
	raw := w.register(0, 0).Bytes()
	first, err := d.decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := d.decode(bytes.Clone(raw)); err != nil || again != first {
		t.Errorf("the same bytes were decoded again: %v", err)
	}
	for _, bad := range [][]byte{nil, []byte("no transaction"), append(bytes.Clone(raw), 0)} {
		if _, err := d.decode(bad); err == nil {
			t.Errorf("%x is accepted", bad)
		}
	}
	if _, err := d.decode(make([]byte, tx.MaxBytes+1)); !errors.Is(err, codec.TooLarge) {
		t.Errorf("too large: %v", err)
	}
	if len(d.young) != 1 || d.old != nil {
		t.Fatalf("%d and %d entries after one transaction", len(d.young), len(d.old))
	}
	// Two generations: what is used while one fills stays findable, then it goes.
	for i := range 2*maxDecoded + 1 {
		d.add([32]byte{1, byte(i), byte(i >> 8), byte(i >> 16)}, first, 1)
		if len(d.young)+len(d.old) > 2*maxDecoded {
			t.Fatalf("%d entries", len(d.young)+len(d.old))
		}
	}
	if again, err := d.decode(raw); err != nil || again == first {
		t.Errorf("the oldest entry is still there: %v", err)
	}
	d = newDecoded()
	for i := range 3 {
		d.add([32]byte{byte(i)}, first, maxDecodedBytes/2+1)
	}
	if len(d.young) != 1 || len(d.old) != 1 {
		t.Errorf("%d and %d entries that each take half of the room", len(d.young), len(d.old))
	}
}

// verified is how many signatures are remembered as valid.
func (w *world) verified() int { return w.app.seen.hits.Len() }

// Admission verifies; proposal, block and recheck find its work.
func TestApp_EachSignatureVerifiedOnce(t *testing.T) {
	w := newWorld(t)
	txs := [][]byte{w.register(0, 0).Bytes(), w.register(1, 1).Bytes()}
	for _, raw := range txs {
		if r := w.checkTx(raw); r.Code != CodeOK {
			t.Fatal(r.Log)
		}
	}
	if w.verified() != 2 {
		t.Fatalf("%d signatures were verified at admission", w.verified())
	}
	w.app.seen.miss = func() { t.Error("a signature was verified again") }
	if w.process(txs...) != types.ResponseProcessProposal_ACCEPT {
		t.Fatal("refused")
	}
	w.finalize(txs...)
	w.commit()
	w.checkTx(txs[0])
}

// Ahead of a block that the mempool has not seen, the signatures that the state
// knows keys for are verified side by side; a bad one is still refused, and its
// block too.
func TestApp_VerifiesAhead(t *testing.T) {
	w := newWorld(t)
	w.block(w.register(0, 0).Bytes(), w.register(1, 1).Bytes())
	claim, next := w.claim(w.owner, 0, 0), w.claim(w.owner, 1, 1)
	forged := *claim
	forged.Sigs = append([]tx.Sig(nil), claim.Sigs...)
	forged.Sigs[1].Bytes = bytes.Clone(forged.Sigs[1].Bytes)
	forged.Sigs[1].Bytes[5] ^= 1
	w.evict()
	w.app.verifyAhead([][]byte{forged.Bytes(), []byte("no transaction"), next.Bytes()})
	// The owner's key is only known once the first claim has executed, so that
	// the second one's is left to execution.
	if got := w.verified(); got != 1 {
		t.Errorf("%d valid signatures ahead, want 1", got)
	}
	if w.process(forged.Bytes(), next.Bytes()) != types.ResponseProcessProposal_REJECT {
		t.Error("a forged signature passes")
	}
	if w.process(claim.Bytes(), next.Bytes()) != types.ResponseProcessProposal_ACCEPT {
		t.Error("a good block is refused")
	}
}

func TestReads_AsTheTree(t *testing.T) {
	w := newWorld(t)
	w.block(w.register(0, 0).Bytes())
	r := w.app.reads
	k := state.DeviceKey(w.devices[1].Public().DeviceID())
	same := func(name string) {
		t.Helper()
		got, err := r.Get(k)
		if err != nil {
			t.Fatal(err)
		}
		want, err := w.tree.Get(k)
		if err != nil || !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%s: %x, the tree has %x (%v)", name, got, want, err)
		}
	}
	same("absent")
	if err := r.Set(k, []byte{1}); err != nil {
		t.Fatal(err)
	}
	same("written")
	if err := w.app.rewind(); err != nil {
		t.Fatal(err)
	}
	same("rewound")
	w.finalize(w.register(1, 1).Bytes())
	same("executed")
	w.finalize() // the block again, now without it, as after a failed Commit
	same("executed anew")
	w.finalize(w.register(1, 1).Bytes())
	w.commit()
	same("committed")
	for i := range maxReads + 1 {
		r.keep([]byte{'x', byte(i), byte(i >> 8), byte(i >> 16)}, nil)
	}
	if len(r.values) > maxReads {
		t.Errorf("%d records are kept", len(r.values))
	}
	r.keep(k, make([]byte, maxReadBytes+1))
	if len(r.values[string(k)]) > maxReadBytes {
		t.Error("a long record is kept")
	}
	if err := r.Set(nil, []byte{1}); err == nil {
		t.Error("a write that the tree refuses is kept")
	}
}
