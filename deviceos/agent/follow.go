package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/p2p/mesh"
)

// follower keeps the device's head new: by gossip, and by asking when gossip is
// silent. Whoever keeps checkpoints from the device gains quiet seconds at
// most.
type follower struct {
	client *light.Client
	topic  *mesh.Topic
	host   host.Host
	nodes  []peer.AddrInfo
	moved  func(context.Context) // called when there is a new head
	log    *slog.Logger

	news chan struct{} // cap 1
}

// run follows until ctx ends.
func (f *follower) run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { f.gossip(ctx) })
	wg.Go(func() { f.react(ctx) })
	for _, n := range f.nodes {
		wg.Go(func() { f.connect(ctx, n) })
	}
	f.ask(ctx)
	wg.Wait()
	return nil
}

// gossip takes checkpoints.
func (f *follower) gossip(ctx context.Context) {
	for {
		m, err := f.topic.Next(ctx)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, ask)
		_, err = f.client.Offer(ctx, m.Data)
		cancel()
		if err != nil {
			f.log.Debug("checkpoint refused", "peer", m.From, "error", err)
			continue
		}
		f.tell()
	}
}

// ask fetches the newest header at the start and whenever none came by itself.
func (f *follower) ask(ctx context.Context) {
	timer := time.NewTicker(look)
	defer timer.Stop()
	height, since := int64(-1), time.Time{}
	for {
		if h := f.client.Head().Height; h != height {
			height, since = h, time.Now()
		}
		if height == 0 || since.IsZero() || time.Since(since) >= quiet {
			f.askOnce(ctx)
			since = time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

func (f *follower) askOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, ask)
	defer cancel()
	if _, err := f.client.Update(ctx); err != nil {
		f.log.Debug("no newer header", "error", err)
		return
	}
	f.tell()
}

func (f *follower) tell() {
	select {
	case f.news <- struct{}{}:
	default:
	}
}

// react proves owner and grants anew under each new head, so that commands need
// not wait for it.
func (f *follower) react(ctx context.Context) {
	last := int64(-1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.news:
		}
		if h := f.client.Head().Height; h != last {
			last = h
			f.moved(ctx)
		}
	}
}

// connect stays connected to a node, for its gossip.
func (f *follower) connect(ctx context.Context, n peer.AddrInfo) {
	for {
		if f.host.Network().Connectedness(n.ID) != network.Connected {
			if err := f.host.Connect(ctx, n); err != nil {
				f.log.Debug("node not reached", "node", n.ID, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(look):
		}
	}
}
