package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/store/durable"
	"github.com/hybridos-net/hybridos/wallet/draft"
	"github.com/hybridos-net/hybridos/wallet/home"
	"github.com/hybridos-net/hybridos/wallet/keystore"
)

// wallet is the folder with its key file, opened for one command.
type wallet struct {
	app  *App
	home *home.Home
	keys *keystore.Store
}

func (a *App) wallet() (*wallet, error) {
	dir := a.opts.home
	if dir == "" {
		var err error
		if dir, err = home.Dir(a.cfg.Getenv); err != nil {
			return nil, doing("find the wallet's folder", err)
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, doing("find the wallet's folder", err)
	}
	h := home.Open(dir)
	keys, err := keystore.New(keystore.Config{Path: h.KeyPath(), Random: a.cfg.Random})
	if err != nil {
		return nil, err
	}
	return &wallet{app: a, home: h, keys: keys}, nil
}

// unlock opens the key file. It looks at the file before it asks anybody.
func (w *wallet) unlock(ctx context.Context) (*keystore.Ring, error) {
	r, _, err := w.unlockWith(ctx, w.keys)
	return r, err
}

func (w *wallet) unlockWith(ctx context.Context, keys *keystore.Store) (*keystore.Ring, []byte, error) {
	if _, err := keys.Inspect(); err != nil {
		return nil, nil, doing("open the key file", err)
	}
	pass, err := w.app.passphrase(ctx, "Passphrase: ")
	if err != nil {
		return nil, nil, err
	}
	r, err := keys.Unlock(pass)
	return r, pass, doing("open the key file", err)
}

// session is a wallet that can reach its ledger.
type session struct {
	*wallet
	doc   *genesis.Doc
	chain codec.ChainDigest
	nodes []string
	net   Network
	vouch voucher // nil: the owner vouches for no header
}

// session reads which ledger is meant and makes a client of it. Nobody is
// contacted yet.
func (w *wallet) session() (*session, error) {
	s, err := w.settings()
	if err != nil {
		return nil, err
	}
	if len(s.nodes) == 0 {
		return nil, fail(exitUsage, kindNoLedger, "--node ADDR, HOS_NODE, or hos init", "no node to ask is known")
	}
	s.net, err = w.app.cfg.Dial(s.doc, s.nodes, w.home.Head())
	return s, doing("prepare the network", err)
}

// settings finds genesis document and nodes: flag, environment, folder.
func (w *wallet) settings() (*session, error) {
	doc, err := w.genesis()
	if err != nil {
		return nil, err
	}
	nodes := w.app.givenNodes()
	if len(nodes) == 0 {
		cfg, err := w.home.Config()
		if err != nil {
			return nil, doing("read the settings", err)
		}
		nodes = cfg.Nodes
	}
	return &session{wallet: w, doc: doc, chain: doc.Chain(), nodes: nodes}, nil
}

func (a *App) givenNodes() []string {
	if len(a.opts.nodes) > 0 {
		return a.opts.nodes
	}
	return strings.FieldsFunc(a.cfg.Getenv("HOS_NODE"), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
}

func (w *wallet) genesis() (*genesis.Doc, error) {
	path := w.app.opts.genesis
	if path == "" {
		path = w.app.cfg.Getenv("HOS_GENESIS")
	}
	if path == "" {
		doc, err := w.home.Genesis()
		if err == nil && doc == nil {
			err = fail(exitUsage, kindNoLedger, "hos init --genesis FILE --node ADDR", "this wallet follows no ledger yet")
		}
		return doc, doing("read the genesis document", err)
	}
	doc, err := readGenesis(path)
	if err != nil {
		return nil, err
	}
	return doc, doing("use "+path, w.home.Fits(doc))
}

func readGenesis(path string) (*genesis.Doc, error) {
	raw, err := durable.Read(path, genesis.MaxBytes)
	if err != nil {
		return nil, doing("read the genesis document", err)
	}
	doc, err := genesis.Parse(raw)
	if err != nil {
		return nil, &failure{exit: exitUsage, kind: "bad_genesis", what: "cannot use " + path, err: err,
			try: "ask the ledger's operators for the document again"}
	}
	return doc, nil
}

// pin remembers the ledger, so that later commands need no settings.
func (s *session) pin(ctx context.Context) error {
	return doing("remember the ledger", s.home.Pin(ctx, s.doc, s.nodes))
}

func (s *session) close() {
	if s.net != nil {
		_ = s.net.Close()
	}
}

// ledger reads the newest verified state, ready for drafts.
func (s *session) ledger(ctx context.Context) (draft.Ledger, View, error) {
	done := s.app.progress("asking a node for the newest header")
	defer done()
	v, err := s.net.View(ctx)
	if err != nil {
		return draft.Ledger{}, nil, doing("read the ledger", err)
	}
	return s.draftOn(v), v, nil
}

func (s *session) draftOn(v View) draft.Ledger {
	return draft.Ledger{View: v, Chain: s.chain, Height: v.Head().Height, Now: s.app.cfg.Now()}
}

// party picks the key that the account lists: after a rotation that was cut
// short, that may be another than the file calls active. An account that does
// not exist yet is the active key's.
func party(v state.View, r *keystore.Ring) (draft.Party, error) {
	p := draft.Party{Account: r.Account(), Key: r.Active()}
	a, err := state.GetAccount(v, p.Account)
	if errors.Is(err, state.NoAccount) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if _, ok := a.KeySet.Find(p.Key.Public().ID()); ok {
		return p, nil
	}
	for _, k := range a.KeySet.Keys {
		if mine, ok := r.Find(k.Key.ID()); ok {
			p.Key = mine
			return p, nil
		}
	}
	return p, fmt.Errorf("%w: %s lists no key of this wallet", state.WrongSigner, p.Account)
}

// bound limits a command to the time that the person is willing to wait.
func (a *App) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, a.opts.timeout)
}

// deviceName gives names for explanations.
func (w *wallet) deviceName(id key.DeviceID) string {
	list, err := w.home.Devices()
	if err != nil {
		return ""
	}
	for _, d := range list {
		if d.ID == id {
			return d.Name
		}
	}
	return ""
}
