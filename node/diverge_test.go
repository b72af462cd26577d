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
	mesh, err := n.listenMesh()
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
	return n.serve(ctx, &ledger{cfg: &n.cfg, app: d.App, eng: eng, host: mesh}, parts{lists, snapshots}, doors)
}

// A validator whose execution differs from the others', in the state or in the
// results alone, stops by itself and answers nobody; the others go on.
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
		t.Run(name, func(t *testing.T) { t.Parallel(); testDiverges(t, lie) })
	}
}

func testDiverges(t *testing.T, lie func(*types.ResponseFinalizeBlock)) {
	w, logs := newNetwork(t, 4, 0), &record{}
	w.logger = logs.logger()
	t.Cleanup(w.stopAll)
	for i := range 3 {
		w.start(i)
	}
	cfg, err := w.dirs[3].Config()
	if err != nil {
		t.Fatal(err)
	}
	cfg.P2PPeers = w.addrs[:3]
	ready := make(chan home.Run, 1)
	n, err := New(Config{Home: w.dirs[3], Settings: cfg, Genesis: w.doc, Ready: func(r home.Run) error { ready <- r; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	defer cancel()
	go func() { ended <- runDiverging(ctx, n, &diverging{from: 4, lie: lie}) }()
	var run home.Run
	select {
	case run = <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	for i := range 3 {
		<-w.nodes[i].step
	}
	c := w.client(0)
	for i := range 3 { // heights 3, 4 and 5 at least
		mustSubmit(t, c, w.register(uint64(i), i))
	}
	if err := <-ended; !errors.Is(err, engine.ErrHalted) {
		t.Errorf("the diverged node ended with %v", err)
	}
	if resp, err := http.Get(run.HTTP + "/v1/status"); err == nil {
		resp.Body.Close()
		t.Error("the diverged node answers")
	}
	done := mustSubmit(t, c, w.register(3, 3))
	for i := range 3 {
		lc := w.lightClient(w.client(i))
		if _, err := lc.Update(t.Context()); err != nil {
			t.Fatal(err)
		}
		if lc.Head().Height < done.Height {
			t.Errorf("node %d stands at %d", i, lc.Head().Height)
		}
	}
	logs.calm(t)
}
