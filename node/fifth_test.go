package node

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/crypto"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/libs/log"
	comet "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proto/tendermint/consensus"
	wire "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/proxy"
	blocks "github.com/cometbft/cometbft/types"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/store"
)

// proposal makes a block's transactions from the honest ones; nil means that
// this turn is let pass.
type proposal func(r *types.RequestPrepareProposal, honest [][]byte) [][]byte

// fifthColumn is a validator whose application and signer lie on demand, over a
// CometBFT that is not ours to restrain.
type fifthColumn struct {
	*abci.App
	comet  *comet.Node
	signer *lyingSigner
	tree   *store.Tree
	news   chan struct{} // a block was committed

	mu    sync.Mutex
	lie   proposal
	once  bool          // the lie is told but once
	lied  chan struct{} // one value for each lie, if there is room
	stand bool          // votes for its own lies
}

// tell makes the next proposal a lie, or all of them.
func (f *fifthColumn) tell(once bool, lie proposal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lie, f.once, f.stand = lie, once, lie != nil
	f.lied = make(chan struct{}, 64)
}

// PrepareProposal lies when told to.
func (f *fifthColumn) PrepareProposal(ctx context.Context, r *types.RequestPrepareProposal) (*types.ResponsePrepareProposal, error) {
	out, err := f.App.PrepareProposal(ctx, r)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil || f.lie == nil {
		return out, err
	}
	txs := f.lie(r, out.Txs)
	if txs == nil {
		return out, nil
	}
	if f.once {
		f.lie = nil
	}
	select {
	case f.lied <- struct{}{}:
	default:
	}
	return &types.ResponsePrepareProposal{Txs: txs}, nil
}

// ProcessProposal stands by what it proposed itself.
func (f *fifthColumn) ProcessProposal(ctx context.Context, r *types.RequestProcessProposal) (*types.ResponseProcessProposal, error) {
	f.mu.Lock()
	stand := f.stand && bytes.Equal(r.ProposerAddress, f.signer.address())
	f.mu.Unlock()
	if stand {
		return &types.ResponseProcessProposal{Status: types.ResponseProcessProposal_ACCEPT}, nil
	}
	return f.App.ProcessProposal(ctx, r)
}

// Commit tells of each block.
func (f *fifthColumn) Commit(ctx context.Context, r *types.RequestCommit) (*types.ResponseCommit, error) {
	out, err := f.App.Commit(ctx, r)
	select {
	case f.news <- struct{}{}:
	default:
	}
	return out, err
}

// await waits until the block of a height is here.
func (f *fifthColumn) await(t *testing.T, height int64) {
	t.Helper()
	for f.comet.BlockStore().Height() < height {
		select {
		case <-f.news:
		case <-t.Context().Done():
			t.Fatal("the fifth column does not follow the chain")
		}
	}
}

// lyingSigner signs with the validator's key what the validator did not say.
type lyingSigner struct {
	*privval.FilePV
	send func(channel byte, msgs ...p2p.Envelope)

	nilVotes atomic.Bool
	mu       sync.Mutex
	other    func(p *wire.Proposal) *blocks.PartSet // in place of a proposal; its parts are sent
	sent     chan struct{}
}

func (s *lyingSigner) address() crypto.Address { return s.Key.Address }

// errLied keeps CometBFT from sending what it wanted to be signed.
var errLied = errors.New("something else was signed and sent")

// SignVote votes for nothing instead, when told to.
func (s *lyingSigner) SignVote(chain string, v *wire.Vote) error {
	if !s.nilVotes.Load() || len(v.BlockID.Hash) == 0 {
		return s.FilePV.SignVote(chain, v)
	}
	other := *v
	other.BlockID = wire.BlockID{}
	if err := s.FilePV.SignVote(chain, &other); err != nil {
		return err
	}
	s.send(0x22, p2p.Envelope{ChannelID: 0x22, Message: &consensus.Vote{Vote: &other}})
	return errLied
}

// SignProposal proposes something else, when told to.
func (s *lyingSigner) SignProposal(chain string, p *wire.Proposal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.other == nil {
		return s.FilePV.SignProposal(chain, p)
	}
	other := *p
	parts := s.other(&other)
	s.other = nil
	if err := s.FilePV.SignProposal(chain, &other); err != nil {
		return err
	}
	msgs := []p2p.Envelope{{ChannelID: 0x21, Message: &consensus.Proposal{Proposal: other}}}
	for i := 0; parts != nil && i < int(parts.Total()); i++ {
		part, err := parts.GetPart(i).ToProto()
		if err != nil {
			return err
		}
		msgs = append(msgs, p2p.Envelope{ChannelID: 0x21, Message: &consensus.BlockPart{Height: p.Height, Round: p.Round, Part: *part}})
	}
	s.send(0x21, msgs...)
	close(s.sent)
	return errLied
}

// instead replaces the next proposal; the channel is closed when it is sent.
func (s *lyingSigner) instead(other func(p *wire.Proposal) *blocks.PartSet) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.other, s.sent = other, make(chan struct{})
	return s.sent
}

// startFifth starts a validator of the network as a fifth column. It is stopped
// with the test.
func (w *testnet) startFifth(i int) *fifthColumn {
	w.t.Helper()
	d, dir := w.dirs[i], w.t.TempDir()
	tree, err := store.Open(store.Config{Dir: filepath.Join(dir, "state")})
	if err != nil {
		w.t.Fatal(err)
	}
	app, err := abci.New(abci.Config{Genesis: w.doc, Tree: tree})
	if err != nil {
		w.t.Fatal(err)
	}
	nodeKey, err := p2p.LoadNodeKey(d.NodeKey())
	if err != nil {
		w.t.Fatal(err)
	}
	signer := &lyingSigner{FilePV: privval.LoadFilePV(d.ConsensusKey(), d.SignState())}
	f := &fifthColumn{App: app, tree: tree, signer: signer, news: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	f.comet, err = comet.NewNodeWithContext(ctx, w.cometConfig(i, dir), signer, nodeKey, proxy.NewLocalClientCreator(f),
		func() (*blocks.GenesisDoc, error) { return cometGenesis(w.doc), nil },
		func(*config.DBContext) (db.DB, error) { return db.NewMemDB(), nil },
		comet.DefaultMetricsProvider(config.DefaultInstrumentationConfig()), log.NewNopLogger())
	if err != nil {
		w.t.Fatal(err)
	}
	var sending sync.WaitGroup
	signer.send = func(_ byte, msgs ...p2p.Envelope) {
		for _, peer := range f.comet.Switch().Peers().Copy() {
			sending.Go(func() {
				for _, m := range msgs {
					if !peer.Send(m) {
						return
					}
				}
			})
		}
	}
	if err := f.comet.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		err := errors.Join(f.comet.Stop(), f.comet.ProxyApp().Stop())
		cancel()
		sending.Wait()
		if err := errors.Join(err, f.tree.Close()); err != nil {
			w.t.Errorf("fifth column: %v", err)
		}
	})
	return f
}

// cometConfig is the configuration of node/engine, in short.
func (w *testnet) cometConfig(i int, dir string) *config.Config {
	s := config.DefaultConfig().SetRoot(dir)
	_, addr, _ := strings.Cut(w.addrs[i], "@")
	var others []string
	for j, a := range w.addrs {
		if j != i {
			others = append(others, a)
		}
	}
	s.P2P.ListenAddress, s.P2P.PersistentPeers = "tcp://"+addr, strings.Join(others, ",")
	s.P2P.AddrBookStrict, s.P2P.AllowDuplicateIP = false, true
	s.P2P.PersistentPeersMaxDialPeriod = time.Second
	s.RPC.ListenAddress, s.RPC.GRPCListenAddress = "", ""
	s.TxIndex.Indexer = "null"
	s.Consensus.TimeoutCommit = 500 * time.Millisecond
	s.Consensus.CreateEmptyBlocks, s.Consensus.CreateEmptyBlocksInterval = false, 9*time.Second
	s.Consensus.PeerGossipSleepDuration = 20 * time.Millisecond
	config.EnsureRoot(dir)
	return s
}

// cometGenesis is the document that node/engine makes.
func cometGenesis(d *genesis.Doc) *blocks.GenesisDoc {
	params := blocks.DefaultConsensusParams()
	params.Block = blocks.BlockParams{MaxBytes: abci.MaxBlockBytes, MaxGas: -1}
	params.Evidence = blocks.EvidenceParams{
		MaxAgeNumBlocks: abci.MaxEvidenceBlocks, MaxAgeDuration: 14 * 24 * time.Hour, MaxBytes: abci.MaxEvidenceBytes,
	}
	params.Version.App = abci.Version
	out := &blocks.GenesisDoc{
		GenesisTime: time.Unix(d.Time, 0).UTC(), ChainID: d.ChainID, InitialHeight: 1,
		ConsensusParams: params, AppState: d.JSON(),
	}
	for _, v := range d.Validators {
		out.Validators = append(out.Validators, blocks.GenesisValidator{
			Name: v.Name, PubKey: ed25519.PubKey(v.PubKey), Power: genesis.Power,
		})
	}
	return out
}

// record keeps what nodes log, warnings and worse.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func (r *record) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// calm fails the test if something in the log says that a node broke.
func (r *record) calm(t *testing.T) {
	t.Helper()
	for line := range strings.Lines(r.String()) {
		for _, bad := range []string{"panic", "CONSENSUS FAILURE", "goroutine "} {
			if strings.Contains(line, bad) {
				t.Errorf("an honest node logs: %s", line)
			}
		}
	}
}
