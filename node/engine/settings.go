package engine

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/types"

	"github.com/hybridos-net/hybridos/chain/abci"
	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/tx"
)

// settings is CometBFT's configuration, written out here so that no file of
// its own exists and none can drift.
func (c *Config) settings(listen string) (*config.Config, error) {
	s := config.DefaultConfig().SetRoot(c.Dir)
	s.Moniker = c.Name
	s.DBPath = storeDir
	s.LogLevel = "debug" // filtered by our own logger

	s.P2P.ListenAddress = "tcp://" + listen
	s.P2P.ExternalAddress = c.External
	s.P2P.PersistentPeers = strings.Join(c.Peers, ",")
	s.P2P.PersistentPeersMaxDialPeriod = 5 * time.Second
	s.P2P.AddrBook = "addrbook.json"
	s.P2P.AddrBookStrict = false // loopback and private networks are usual
	s.P2P.AllowDuplicateIP = true
	s.P2P.PexReactor = true
	s.P2P.MaxNumInboundPeers, s.P2P.MaxNumOutboundPeers = maxInbound, maxOutbound
	s.P2P.LibP2PConfig.Enabled = false // experimental

	s.RPC.ListenAddress = ""
	if c.RPC != "" {
		s.RPC.ListenAddress = "tcp://" + c.RPC
	}
	s.RPC.GRPCListenAddress = ""
	s.RPC.Unsafe = false
	s.RPC.PprofListenAddress = ""

	s.Mempool.Size, s.Mempool.MaxTxsBytes, s.Mempool.MaxTxBytes = mempoolSize, mempoolBytes, tx.MaxBytes
	s.Mempool.CacheSize = 2 * mempoolSize

	s.BlockSync.AdaptiveSync = false // experimental
	s.StateSync.Enable = false

	s.Consensus.WalPath = "wal/wal"
	s.Consensus.TimeoutCommit = timeoutCommit
	s.Consensus.CreateEmptyBlocks = false
	s.Consensus.CreateEmptyBlocksInterval = heartbeat
	s.Consensus.PeerGossipSleepDuration = gossipSleep
	if c.Pace > 0 {
		s.Consensus.TimeoutCommit, s.Consensus.CreateEmptyBlocksInterval = c.Pace, c.Pace
	}

	if !c.Indexed {
		s.TxIndex.Indexer = "null" // outcomes keeps what Submit needs
	}
	s.Instrumentation.Prometheus = false // node/api has the metrics
	if err := s.ValidateBasic(); err != nil {
		return nil, fmt.Errorf("settings of the consensus engine: %w", err)
	}
	return s, nil
}

// genesisDoc is our genesis document in CometBFT's form. It must come out the
// same on every node.
func genesisDoc(d *genesis.Doc) (*types.GenesisDoc, error) {
	params := types.DefaultConsensusParams()
	params.Block = types.BlockParams{MaxBytes: abci.MaxBlockBytes, MaxGas: -1}
	params.Evidence = types.EvidenceParams{
		MaxAgeNumBlocks: abci.MaxEvidenceBlocks, MaxAgeDuration: 14 * 24 * time.Hour, MaxBytes: abci.MaxEvidenceBytes,
	}
	params.Validator.PubKeyTypes = []string{types.ABCIPubKeyTypeEd25519}
	params.Version.App = abci.Version
	out := &types.GenesisDoc{
		GenesisTime: time.Unix(d.Time, 0).UTC(), ChainID: d.ChainID, InitialHeight: 1,
		ConsensusParams: params, AppState: d.JSON(),
	}
	for _, v := range d.Validators {
		out.Validators = append(out.Validators, types.GenesisValidator{
			Name: v.Name, PubKey: ed25519.PubKey(v.PubKey), Power: genesis.Power,
		})
	}
	if err := out.ValidateAndComplete(); err != nil {
		return nil, fmt.Errorf("genesis document: %w", err)
	}
	return out, nil
}

// freePort finds out whether an address can be bound before anything is
// opened, and picks the port if it is 0: CometBFT cannot tell which one it got.
func freePort(ctx context.Context, addr string) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
