package node

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/p2p/host"
)

// keeper stays connected to the mesh peers of the configuration.
type keeper struct {
	host  *host.Host
	peers []peer.AddrInfo
	log   *slog.Logger
}

func newKeeper(h *host.Host, addrs []string, log *slog.Logger) (*keeper, error) {
	k := &keeper{host: h, log: log}
	for _, a := range addrs {
		info, err := peer.AddrInfoFromString(a)
		if err != nil {
			return nil, fmt.Errorf("mesh_peers: %q: %w", a, err)
		}
		if info.ID != h.ID() {
			k.peers = append(k.peers, *info)
		}
	}
	return k, nil
}

// run dials who is not connected, again and again, until ctx ends.
func (k *keeper) run(ctx context.Context) error {
	tick := time.NewTicker(redial)
	defer tick.Stop()
	for {
		k.dial(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (k *keeper) dial(ctx context.Context) {
	var dialling sync.WaitGroup
	for _, p := range k.peers {
		if k.host.Network().Connectedness(p.ID) == network.Connected {
			continue
		}
		dialling.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			if err := k.host.Connect(ctx, p); err != nil {
				k.log.Debug("mesh peer not reached", "peer", p.ID, "err", err)
			}
		})
	}
	dialling.Wait()
}
