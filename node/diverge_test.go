package node

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/cometbft/cometbft/abci/types"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/store"
	"github.com/hybridos-net/hybridos/chain/store/snapshot"
	"github.com/hybridos-net/hybridos/node/engine"
	"github.com/hybridos-net/hybridos/node/home"
	"github.com/hybridos-net/hybridos/node/index"
)

// diverging executes every block from a height on to something else.
type diverging struct {
	*abci.App
	from int64
	lie  func(*types.ResponseFinalizeBlock)
}

// FinalizeBlock lies.
func (d *diverging) FinalizeBlock(ctx context.Context, r *types.RequestFinalizeBlock) (*types.ResponseFinalizeBlock, error) {
	out, err := d.App.FinalizeBlock(ctx, r)
	if err == nil && r.Height >= d.from {
		d.lie(out)
	}
	return out, err
}

// runDiverging is Node.Run with an application that diverges.
func runDiverging(ctx context.Context, n *Node, d *diverging) (err error) {
	doors, err := n.openDoors(ctx)
	if err != nil {
		return err
	}
	defer doors.close()
	mesh, err := n.listenMesh(new(relayed))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mesh.Close()) }()
	tree, err := store.Open(store.Config{Dir: n.cfg.Home.StateDir()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	snapshots, err := snapshot.Open(snapshot.Config{Dir: n.cfg.Home.SnapshotDir(), Tree: tree, Interval: n.cfg.Settings.SnapshotInterval, Keep: 1})
	if err != nil {
		return err
	}
	lists, err := index.Open(index.Config{Dir: n.cfg.Home.IndexDir(), Tree: tree, Chain: n.cfg.Genesis.Chain()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lists.Close()) }()
	if d.App, err = abci.New(abci.Config{Genesis: n.cfg.Genesis, Tree: tree, Committed: lists.Committed}); err != nil {
		return err
	}
	cfg := n.engineConfig(d.App, nil)
	cfg.App = d
	eng, err := engine.Start(ctx, cfg)
	if err != nil {
		return err
	}
	return n.serve(ctx, &ledger{cfg: &n.cfg, app: d.App, eng: eng, host: mesh}, parts{lists, snapshots, new(relayed)}, doors)
}

// A node whose execution differs from the others', in the state or in the results
// alone, stops by itself and answers nobody, whether it votes or catches up; it
// stays so until its newest block is executed again. The others go on.
func TestByzantine_DivergedNodeStops(t *testing.T) {
	for name, lie := range map[string]func(*types.ResponseFinalizeBlock){
		"state": func(r *types.ResponseFinalizeBlock) { r.AppHash = append([]byte{1}, r.AppHash[1:]...) },
		"results": func(r *types.ResponseFinalizeBlock) {
			r.TxResults = append(r.TxResults[:0:0], r.TxResults...)
			for i := range r.TxResults {
				r.TxResults[i] = &types.ExecTxResult{Code: 99}
			}
		},
	} {
		t.Run(name+" while it votes", func(t *testing.T) { t.Parallel(); testDiverges(t, lie, false) })
		t.Run(name+" while it catches up", func(t *testing.T) { t.Parallel(); testDiverges(t, lie, true) })
	}
}

func testDiverges(t *testing.T, lie func(*types.ResponseFinalizeBlock), late bool) {
	w, logs := newNetwork(t, 4, 1), &record{}
	w.logger = logs.logger()
	who := 3
	if late {
		who = 4 // a validator of four votes at once and catches up by it
	}
	t.Cleanup(w.stopAll)
	for i := range 3 {
		w.start(i)
	}
	begin := func(height int64) {
		for i := range 3 {
			<-w.nodes[i].step
		}
		w.grow(height)
	}
	if late {
		begin(9) // it leaves catching up before the newest blocks
	}
	run, step, ended := w.startDiverging(t, who, lie)
	if !late {
		<-step
		begin(5)
	}
	if err := <-ended; !errors.Is(err, engine.ErrDiverged) {
		t.Errorf("the diverged node ended with %v", err)
	}
	if resp, err := http.Get(run.HTTP + "/v1/status"); err == nil {
		resp.Body.Close()
		t.Error("the diverged node answers")
	}
	if _, _, ended := w.startDiverging(t, who, lie); true {
		if err := <-ended; !errors.Is(err, engine.ErrDiverged) {
			t.Errorf("started again, it ended with %v", err)
		}
	}
	done := mustSubmit(t, w.client(0), w.claim(w.owner, len(w.devices)-1))
	for i := range 3 {
		w.reached(t, i, done.Height)
	}
	w.rollback(t, who)
	<-w.start(who).step
	w.reached(t, who, done.Height)
	logs.calm(t)
}

// reached fails the test if a node proves no header of a height yet.
func (w *testnet) reached(t *testing.T, i int, height int64) {
	t.Helper()
	lc := w.lightClient(w.client(i))
	if _, err := lc.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lc.Head().Height < height {
		t.Errorf("node %d stands at %d", i, lc.Head().Height)
	}
}

// rollback is hosd rollback.
func (w *testnet) rollback(t *testing.T, i int) {
	t.Helper()
	tree, err := store.Open(store.Config{Dir: w.dirs[i].StateDir()})
	if err != nil {
		t.Fatal(err)
	}
	height, err := engine.Rollback(w.dirs[i].EngineDir())
	if err == nil {
		err = tree.Revert(height)
	}
	if err := errors.Join(err, tree.Close()); err != nil {
		t.Fatal(err)
	}
}

// startDiverging starts a node that executes from height 4 on to something else.
func (w *testnet) startDiverging(t *testing.T, i int, lie func(*types.ResponseFinalizeBlock)) (run home.Run, step <-chan struct{}, end <-chan error) {
	t.Helper()
	cfg, err := w.dirs[i].Config()
	if err != nil {
		t.Fatal(err)
	}
	cfg.P2PPeers = w.addrs[:3]
	ready, inStep, ended := make(chan home.Run, 1), make(chan struct{}), make(chan error, 1)
	n, err := New(Config{
		Home: w.dirs[i], Settings: cfg, Genesis: w.doc, Logger: w.logger,
		Ready: func(r home.Run) error { ready <- r; return nil }, InStep: func() { close(inStep) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	go func() {
		ended <- runDiverging(ctx, n, &diverging{from: 4, lie: lie})
		close(ready)
	}()
	return <-ready, inStep, ended
}
