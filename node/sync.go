package node

import (
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/node/engine"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/p2p/host"
)

// stateSync is how a fresh node begins, nil for with block 1: headers come from
// the mesh peers, and are believed only as far as a light client verifies them.
func (n *Node) stateSync(h *host.Host) (_ *engine.Sync, end func(), err error) {
	s := n.cfg.Settings
	if !s.StateSync {
		return nil, func() {}, nil
	}
	hash, err := s.Trust()
	if err != nil {
		return nil, nil, err
	}
	var nodes []peer.AddrInfo
	for _, a := range s.MeshPeers {
		info, err := peer.AddrInfoFromString(a)
		if err != nil {
			return nil, nil, fmt.Errorf("mesh_peers: %q: %w", a, err)
		}
		nodes = append(nodes, *info)
	}
	c, err := fetch.NewClient(fetch.ClientConfig{Host: h, Nodes: nodes, Logger: n.cfg.Logger})
	if err != nil {
		return nil, nil, fmt.Errorf("state_sync: %w", err)
	}
	return &engine.Sync{Source: c, TrustHeight: s.TrustHeight, TrustHash: hash}, func() { _ = c.Close() }, nil
}
