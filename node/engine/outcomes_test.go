package engine

import (
	"errors"
	"testing"

	"github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/rpc/core"
	"github.com/cometbft/cometbft/state"
	ledger "github.com/cometbft/cometbft/types"
)

// past is CometBFT's stores after a few blocks, of which some were pruned.
type past struct {
	state.BlockStore
	state.Store
	base   int64
	blocks map[int64]*ledger.Block
	codes  map[int64]uint32 // of the one transaction; absent: pruned
	broken error
}

// Close is in both interfaces.
func (p *past) Close() error { return nil }

func (p *past) Base() int64 { return p.base }

func (p *past) LoadBlock(h int64) *ledger.Block { return p.blocks[h] }

func (p *past) LoadFinalizeBlockResponse(h int64) (*types.ResponseFinalizeBlock, error) {
	if p.broken != nil {
		return nil, p.broken
	}
	code, ok := p.codes[h]
	if !ok {
		return nil, state.ErrNoABCIResponsesForHeight{Height: h}
	}
	return &types.ResponseFinalizeBlock{TxResults: []*types.ExecTxResult{{Code: code}}}, nil
}

// grow adds a block with one transaction.
func (p *past) grow(h int64, raw string, code uint32) {
	b := &ledger.Block{Data: ledger.Data{Txs: ledger.Txs{ledger.Tx(raw)}}}
	b.Height = h
	p.blocks[h], p.codes[h] = b, code
}

func newPast(t *testing.T, store db.DB) (*Engine, *past) {
	t.Helper()
	p := &past{base: 1, blocks: map[int64]*ledger.Block{}, codes: map[int64]uint32{}}
	o, err := openOutcomes(store)
	if err != nil {
		t.Fatal(err)
	}
	return &Engine{outcomes: o, env: &core.Environment{BlockStore: p, StateStore: p}}, p
}

func expectOutcome(t *testing.T, o *outcomes, raw string, height int64, code uint32) {
	t.Helper()
	h, c, known, err := o.get(ledger.Tx(raw).Key())
	if err != nil || known != (height > 0) || h != height || c != code {
		t.Errorf("%q: height %d, code %d, known %v, %v; want height %d, code %d", raw, h, c, known, err, height, code)
	}
}

func TestOutcomes_CatchUpAndReopen(t *testing.T) {
	store := db.NewMemDB()
	e, p := newPast(t, store)
	p.grow(1, "one", 0)
	p.grow(2, "two", 43)
	if err := e.catchUp(2); err != nil {
		t.Fatal(err)
	}
	again, q := newPast(t, store) // after a restart
	if again.outcomes.height != 2 {
		t.Fatalf("taken in up to %d, want 2", again.outcomes.height)
	}
	expectOutcome(t, again.outcomes, "one", 1, 0)
	expectOutcome(t, again.outcomes, "two", 2, 43)
	expectOutcome(t, again.outcomes, "three", 0, 0)

	// Blocks 3 to 5 came while nobody listened; 3 has no results, 4 no block.
	q.grow(3, "three", 0)
	delete(q.codes, 3)
	q.grow(5, "five", 0)
	q.grow(6, "six", 0)
	b := ledger.EventDataNewBlock{Block: q.blocks[6], ResultFinalizeBlock: types.ResponseFinalizeBlock{TxResults: []*types.ExecTxResult{{}}}}
	for range 2 { // told twice, as after falling behind
		if err := again.remember(b); err != nil {
			t.Fatal(err)
		}
	}
	expectOutcome(t, again.outcomes, "three", 0, 0)
	expectOutcome(t, again.outcomes, "five", 5, 0)
	expectOutcome(t, again.outcomes, "six", 6, 0)

	fresh, r := newPast(t, db.NewMemDB()) // from a snapshot: nothing before 500
	r.base = 500
	r.grow(500, "late", 0)
	if err := fresh.catchUp(500); err != nil {
		t.Fatal(err)
	}
	expectOutcome(t, fresh.outcomes, "late", 500, 0)
}

// A refusal in a later block does not hide that the transaction executed.
func TestOutcomes_SuccessStays(t *testing.T) {
	e, p := newPast(t, db.NewMemDB())
	p.grow(1, "a", 43)
	p.grow(2, "a", 0)
	p.grow(3, "a", 43)
	if err := e.catchUp(3); err != nil {
		t.Fatal(err)
	}
	expectOutcome(t, e.outcomes, "a", 2, 0)
}

func TestOutcomes_Refuses(t *testing.T) {
	bad := db.NewMemDB()
	if err := bad.Set(outcomeHeight, []byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := openOutcomes(bad); err == nil {
		t.Error("a damaged height is accepted")
	}
	store := db.NewMemDB()
	e, p := newPast(t, store)
	if err := store.Set(outcomeKey(ledger.Tx("x").Key()), []byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := e.outcomes.get(ledger.Tx("x").Key()); err == nil {
		t.Error("a damaged record is accepted")
	}
	if err := e.outcomes.take(1, ledger.Txs{ledger.Tx("x")}, nil); err == nil {
		t.Error("a block without results is accepted")
	}
	p.grow(1, "y", 0)
	p.broken = errors.New("the disk is gone")
	if err := e.catchUp(1); !errors.Is(err, p.broken) {
		t.Errorf("got %v, want %v", err, p.broken)
	}
}
