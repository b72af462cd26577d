package bench

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/cometbft/cometbft/abci/example/kvstore"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/store/kv"
	"github.com/hybridos-net/hybridos/node"
	"github.com/hybridos-net/hybridos/node/cometdb"
	"github.com/hybridos-net/hybridos/node/engine"
	"github.com/hybridos-net/hybridos/node/home"
)

// kvstoreApp is CometBFT's example application.
type kvstoreApp struct{ *kvstore.Application }

func (kvstoreApp) Failed() <-chan struct{} { return nil }

func (kvstoreApp) Err() error { return nil }

// KVStoreConfig says how a validator of the peer network runs.
type KVStoreConfig struct {
	// Indexed: with CometBFT's index of transactions, as it is shipped.
	Indexed bool
	Home    string // made by hosd init, with the genesis document in it
	Listen  string
	Peers   []string
	RPC     string
}

// RunKVStore is a validator whose application is CometBFT's kvstore: the same
// engine, settings, stores and garbage collection as hosd, so that only the
// application and its index differ. It runs until ctx ends.
func RunKVStore(ctx context.Context, cfg KVStoreConfig) (err error) {
	debug.SetGCPercent(node.GCPercent)
	dir := home.Dir(cfg.Home)
	raw, err := os.ReadFile(dir.GenesisFile())
	if err != nil {
		return err
	}
	doc, err := genesis.Parse(raw)
	if err != nil {
		return err
	}
	db, err := cometdb.Open(filepath.Join(cfg.Home, "data", "kvstore"), kv.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	e, err := engine.Start(ctx, engine.Config{
		Genesis: doc, App: kvstoreApp{kvstore.NewApplication(db)}, Dir: dir.EngineDir(), Keys: node.KeyFiles(dir),
		Name: filepath.Base(cfg.Home), Listen: cfg.Listen, Peers: cfg.Peers, RPC: cfg.RPC, Indexed: cfg.Indexed,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	return e.Run(ctx)
}
