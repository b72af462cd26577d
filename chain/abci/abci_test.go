package abci

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/cometbft/cometbft/abci/types"
	"github.com/google/go-cmp/cmp"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/proof"
	"github.com/hybridos-net/hybridos/chain/state"
)

func TestApp_Journey(t *testing.T) {
	w := newWorld(t)
	w.block(w.register(0, 0).Bytes(), w.register(1, 1).Bytes())
	grant := w.grant(w.owner, 1, 0, 1)
	w.block(w.claim(w.owner, 0, 0).Bytes(), grant.Bytes())
	w.block(w.revoke(w.owner, 2, grant.ID(w.doc.Chain())).Bytes())
	w.block(w.transfer(w.owner, w.other, 3, 0, 2, true).Bytes())

	got, err := state.GetDevice(w.tree, w.devices[0].Public().DeviceID())
	if err != nil {
		t.Fatal(err)
	}
	if got.Epoch != 2 || *got.Owner != w.other.Public().AccountID() {
		t.Errorf("device record %+v", got)
	}
	g, err := state.GetGrant(w.tree, grant.ID(w.doc.Chain()))
	if err != nil || g.Status != state.Revoked {
		t.Errorf("grant record %+v, %v", g, err)
	}
}

// A crash before Commit starts again from the state before the block and ends
// at the same root; a crash before the first Commit starts from nothing.
func TestApp_ReplayAfterCrash(t *testing.T) {
	w := newWorld(t)
	first := [][]byte{w.register(0, 0).Bytes(), w.register(1, 1).Bytes()}
	w.init(w.initRequest())
	want := w.finalize(first...).AppHash
	w.crash()
	if r := w.info(); r.LastBlockHeight != 0 || r.LastBlockAppHash != nil {
		t.Fatalf("info after a crash in block 1: %+v", r)
	}
	w.init(w.initRequest())
	if got := w.finalize(first...).AppHash; !bytes.Equal(got, want) {
		t.Fatalf("root of block 1 %x, before the crash %x", got, want)
	}
	w.commit()

	second := w.claim(w.owner, 0, 0).Bytes()
	wantSecond := w.finalize(second).AppHash
	w.crash()
	if diff := cmp.Diff(&types.ResponseInfo{Data: "hybridos", AppVersion: Version, LastBlockHeight: 1, LastBlockAppHash: want}, w.info()); diff != "" {
		t.Fatalf("info after a crash in block 2 (-want +got):\n%s", diff)
	}
	if got := w.finalize(second).AppHash; !bytes.Equal(got, wantSecond) {
		t.Fatalf("root of block 2 %x, before the crash %x", got, wantSecond)
	}
	w.commit()
	w.crash()
	if r := w.info(); r.LastBlockHeight != 2 || !bytes.Equal(r.LastBlockAppHash, wantSecond) {
		t.Fatalf("info after Commit: %+v", r)
	}
}

// crash drops everything that is not on disk.
func (w *world) crash() {
	w.t.Helper()
	if err := w.tree.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

func (w *world) info() *types.ResponseInfo {
	w.t.Helper()
	r, err := w.app.Info(w.t.Context(), &types.RequestInfo{})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// Executing twice, or through ProcessProposal first, gives the same root as
// executing once.
func TestApp_SameRootWithAndWithoutProposal(t *testing.T) {
	direct, proposed := newWorld(t), newWorld(t)
	for _, w := range []*world{direct, proposed} {
		w.block(w.register(0, 0).Bytes())
	}
	raw := direct.claim(direct.owner, 0, 0).Bytes()
	if proposed.process(raw) != types.ResponseProcessProposal_ACCEPT {
		t.Fatal("proposal refused")
	}
	a, b := direct.finalize(raw), proposed.finalize(raw)
	if diff := cmp.Diff(a.AppHash, b.AppHash); diff != "" {
		t.Errorf("roots differ: %s", diff)
	}
	// A proposal that was accepted but not decided leaves no trace.
	other := proposed.register(1, 1).Bytes()
	if proposed.process(other) != types.ResponseProcessProposal_ACCEPT {
		t.Fatal("second proposal refused")
	}
	if c := proposed.finalize(raw); !bytes.Equal(c.AppHash, a.AppHash) {
		t.Errorf("an undecided proposal changed the root")
	}
}

func TestApp_ProposalWithBadTransactionIsRejected(t *testing.T) {
	w := newWorld(t)
	w.block(w.register(0, 0).Bytes())
	good := w.claim(w.owner, 0, 0).Bytes()
	for name, txs := range map[string][][]byte{
		"garbage":      {good, []byte("no transaction")},
		"twice":        {good, good},
		"out of order": {w.grant(w.owner, 1, 0, 1).Bytes(), good},
		"not allowed":  {w.claim(w.owner, 0, 1).Bytes()},
	} {
		if w.process(txs...) != types.ResponseProcessProposal_REJECT {
			t.Errorf("%s: accepted", name)
		}
	}
	if w.process(good, w.grant(w.owner, 1, 0, 1).Bytes()) != types.ResponseProcessProposal_ACCEPT {
		t.Error("a good proposal was rejected")
	}
}

func TestApp_PrepareProposalDropsWhatFails(t *testing.T) {
	w := newWorld(t)
	w.block(w.register(0, 0).Bytes())
	claim, grant := w.claim(w.owner, 0, 0).Bytes(), w.grant(w.owner, 1, 0, 1).Bytes()
	prepare := func(room int64, txs ...[]byte) [][]byte {
		out, err := w.app.PrepareProposal(t.Context(), &types.RequestPrepareProposal{
			MaxTxBytes: room, Txs: txs, Height: 2, Time: w.blockTime(),
		})
		if err != nil {
			t.Fatal(err)
		}
		return out.Txs
	}
	got := prepare(MaxBlockBytes, []byte("garbage"), claim, claim, w.register(0, 1).Bytes(), grant)
	if diff := cmp.Diff([][]byte{claim, grant}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := prepare(protoSize(claim)+10, claim, grant); len(got) != 1 {
		t.Errorf("%d transactions in a block that has room for one", len(got))
	}
}

// A refused transaction in a decided block changes nothing but its code.
func TestApp_FailedTransactionInBlock(t *testing.T) {
	w, empty := newWorld(t), newWorld(t)
	got := w.finalize([]byte("garbage"), w.claim(w.owner, 0, 0).Bytes())
	if got.TxResults[0].Code != CodeOf(codec.Malformed) || got.TxResults[1].Code != CodeOf(state.NoDevice) {
		t.Errorf("results %+v", got.TxResults)
	}
	if want := empty.finalize().AppHash; !bytes.Equal(got.AppHash, want) {
		t.Errorf("root %x, of an empty block %x", got.AppHash, want)
	}
}

func TestApp_SeveralTransactionsOfOneAccountInMempool(t *testing.T) {
	w := newWorld(t)
	w.block(w.register(0, 0).Bytes())
	line := [][]byte{w.claim(w.owner, 0, 0).Bytes(), w.grant(w.owner, 1, 0, 1).Bytes(), w.transfer(w.owner, w.other, 2, 0, 2, true).Bytes()}
	for i, raw := range line {
		if r := w.checkTx(raw); r.Code != CodeOK {
			t.Fatalf("transaction %d: %s", i, r.Log)
		}
	}
	if r := w.checkTx(line[1]); r.Code != CodeOf(state.BadSequence) {
		t.Errorf("the same again: code %d", r.Code)
	}
	w.block(line[0]) // the others are checked again after a block
	for i, raw := range line[1:] {
		if r := w.checkTx(raw); r.Code != CodeOK {
			t.Errorf("transaction %d after the block: %s", i+1, r.Log)
		}
	}
	if r := w.checkTx(line[0]); r.Code != CodeOf(state.BadSequence) {
		t.Errorf("executed already: code %d", r.Code)
	}
}

// A ledger that has stood still, or starts long after its genesis, admits by
// the clock, not by its last block.
func TestApp_AdmissionByClock(t *testing.T) {
	w := newWorld(t)
	w.now = time.Unix(start+30*24*3600, 0)
	p := w.register(0, 0)
	if r := w.checkTx(p.Bytes()); r.Code != CodeOf(state.TxExpired) {
		t.Errorf("long expired: code %d", r.Code)
	}
	fresh := w.txUntil(w.vendor.Public().AccountID(), 0, uint64(w.now.Unix())+60, p.Payload, signer{2, w.vendor})
	if r := w.checkTx(fresh.Bytes()); r.Code != CodeOK {
		t.Errorf("fresh: %s", r.Log)
	}
}

func TestApp_InitChainRefuses(t *testing.T) {
	for name, change := range map[string]func(w *world, r *types.RequestInitChain){
		"no document":      func(_ *world, r *types.RequestInitChain) { r.AppStateBytes = nil },
		"chain id":         func(_ *world, r *types.RequestInitChain) { r.ChainId = "hos-other" },
		"time":             func(_ *world, r *types.RequestInitChain) { r.Time = time.Unix(start+1, 0) },
		"height":           func(_ *world, r *types.RequestInitChain) { r.InitialHeight = 2 },
		"validator power":  func(_ *world, r *types.RequestInitChain) { r.Validators[0].Power = 5 },
		"validator number": func(_ *world, r *types.RequestInitChain) { r.Validators = nil },
		"another document": func(w *world, r *types.RequestInitChain) {
			doc := *w.doc
			doc.Time++
			r.AppStateBytes = doc.JSON()
		},
	} {
		w := newWorld(t)
		r := w.initRequest()
		change(w, r)
		if _, err := w.app.InitChain(t.Context(), r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestNew_OtherGenesis(t *testing.T) {
	w := newWorld(t)
	w.block()
	doc := *w.doc
	doc.Vendors = append([]genesis.Vendor(nil), doc.Vendors...)
	doc.Vendors[0].Quota++
	if _, err := New(Config{Genesis: &doc, Tree: w.tree}); !errors.Is(err, WrongGenesis) {
		t.Errorf("got %v, want %v", err, WrongGenesis)
	}
}

func TestApp_FinalizeBlockRefusesOtherHeight(t *testing.T) {
	w := newWorld(t)
	if _, err := w.app.FinalizeBlock(t.Context(), &types.RequestFinalizeBlock{Height: 7, Time: w.blockTime()}); err == nil {
		t.Fatal("accepted")
	}
	select {
	case <-w.app.Failed():
	default:
		t.Error("Failed is not closed")
	}
	if w.app.Err() == nil {
		t.Error("no cause")
	}
}

func TestApp_Query(t *testing.T) {
	w := newWorld(t)
	w.block(w.register(0, 0).Bytes())
	root := w.tree.Hash()
	w.block()
	k := state.DeviceKey(w.devices[0].Public().DeviceID())
	query := func(r types.RequestQuery) *types.ResponseQuery {
		out, err := w.app.Query(t.Context(), &r)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	got := query(types.RequestQuery{Path: PathRecord, Data: k, Prove: true})
	if got.Code != CodeOK || got.Height != 1 {
		t.Fatalf("newest: %+v", got)
	}
	if err := proof.Verify(root, k, got.Value, got.ProofOps.Ops[0].Data); err != nil {
		t.Error(err)
	}
	absent := query(types.RequestQuery{Path: PathRecord, Data: []byte("dx"), Height: 1, Prove: true})
	if err := proof.VerifyAbsent(root, []byte("dx"), absent.ProofOps.Ops[0].Data); err != nil || absent.Value != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		req  types.RequestQuery
		want uint32
	}{
		"path":     {types.RequestQuery{Path: "/store", Data: k}, CodeBadQuery},
		"no key":   {types.RequestQuery{Path: PathRecord}, CodeBadQuery},
		"height":   {types.RequestQuery{Path: PathRecord, Data: k, Height: -1}, CodeBadQuery},
		"long key": {types.RequestQuery{Path: PathRecord, Data: make([]byte, 1000)}, CodeBadQuery},
		"future":   {types.RequestQuery{Path: PathRecord, Data: k, Height: 9}, CodeNoHeight},
	} {
		if got := query(c.req); got.Code != c.want || got.Log == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A refused proposal is counted, and its transactions behind the first bad one
// cost no more than what is verified ahead.
func TestApp_ProposalIsLeftAtTheFirstRefusal(t *testing.T) {
	w := newWorld(t)
	if w.process(w.register(0, 0).Bytes()) != types.ResponseProcessProposal_ACCEPT || w.app.Refused() != 0 {
		t.Fatalf("a good proposal is refused, or counted: %d", w.app.Refused())
	}
	known := w.app.seen.hits.Len()
	txs := [][]byte{w.register(5, 1).Bytes()}
	for i := range uint64(2 * aheadTxs) {
		txs = append(txs, w.register(i, 2).Bytes())
	}
	if w.process(txs...) != types.ResponseProcessProposal_REJECT || w.app.Refused() != 1 {
		t.Errorf("accepted, or not counted: %d", w.app.Refused())
	}
	if got := w.app.seen.hits.Len() - known; got > aheadTxs {
		t.Errorf("%d signatures verified behind a refusal", got)
	}
}
