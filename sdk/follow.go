package sdk

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/p2p/mesh"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// Follow takes part in the gossip of checkpoints, moves the light client along
// and calls onHead with new verified heads until ctx ends or onHead fails: one at a
// time, each higher than the last, not with every height. Where gossip brings
// nothing new for longer than a heartbeat, it asks the nodes. A host can follow one
// ledger once at a time.
func (c *Client) Follow(ctx context.Context, onHead func(light.Head) error) error {
	if !c.following.CompareAndSwap(false, true) {
		return errors.New("this client is following the ledger already")
	}
	defer c.following.Store(false)
	m, err := mesh.New(mesh.Config{Host: c.cfg.Host, Logger: c.cfg.Logger})
	if err != nil {
		return err
	}
	t, err := m.Join(topic.Checkpoint(c.chain), topic.MaxCheckpoint, 0, CheckpointValidator(c.ledger, c.cfg.Genesis.ChainID))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	err = c.follow(ctx, t, onHead)
	cancel()
	return errors.Join(err, <-ended)
}

func (c *Client) follow(ctx context.Context, t *mesh.Topic, onHead func(light.Head) error) error {
	last := int64(0)
	tell := func(h light.Head) error {
		if h.Height <= last {
			return nil
		}
		last = h.Height
		return onHead(h)
	}
	for ctx.Err() == nil {
		c.reconnect(ctx)
		if h, err := c.update(ctx); err != nil {
			c.cfg.Logger.Warn("cannot update the ledger head", "err", err)
		} else if err := tell(h); err != nil {
			return err
		}
		if err := c.listen(ctx, t, tell); err != nil {
			return err
		}
	}
	return nil
}

// listen takes checkpoints until gossip brings nothing new or ctx ends.
func (c *Client) listen(ctx context.Context, t *mesh.Topic, tell func(light.Head) error) error {
	for {
		quiet, cancel := context.WithTimeout(ctx, c.silence)
		news, err := c.nextFresh(ctx, quiet, t, tell)
		cancel()
		if !news || err != nil {
			return err
		}
	}
}

// nextFresh takes checkpoints until one is of now. Old ones, though true, must
// not keep the client from asking: whoever surrounds it could replay the ledger
// to it at a distance.
func (c *Client) nextFresh(ctx, quiet context.Context, t *mesh.Topic, tell func(light.Head) error) (bool, error) {
	for {
		m, err := t.Next(quiet)
		if err != nil {
			if errors.Is(err, mesh.ErrStopped) && ctx.Err() == nil {
				return false, err
			}
			return false, nil
		}
		h, err := c.ledger.Offer(ctx, m.Data)
		if err != nil {
			c.cfg.Logger.Warn("checkpoint refused", "from", m.From, "err", err)
			continue
		}
		if err := tell(h); err != nil {
			return false, err
		}
		if c.fresh(h) {
			return true, nil
		}
	}
}

// reconnect keeps a connection to each node, which gossip needs.
func (c *Client) reconnect(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, n := range c.nodes {
		wg.Go(func() {
			if err := c.cfg.Host.Connect(ctx, n); err != nil {
				c.cfg.Logger.Debug("node unreachable", "node", n.ID, "err", err)
			}
		})
	}
	wg.Wait()
}

// CheckpointValidator judges gossiped checkpoints by the light client's rules,
// before they are forwarded. It is for one topic of one host: each height is
// forwarded once, since the commit of one header has many true forms, which
// could be used to flood the mesh.
//
// Only what no honest peer sends is rejected. A peer that is behind sends what is
// known (it costs nothing to make up an old header, so none is forwarded); one
// that is ahead, or on a ledger whose validators signed twice, sends what this
// client cannot judge. Both are ignored.
func CheckpointValidator(l *light.Client, chainID string) mesh.Validator {
	var top atomic.Int64
	return func(_ context.Context, _ peer.ID, data []byte) mesh.Verdict {
		b, err := light.DecodeBlock(chainID, data)
		if err != nil {
			return mesh.Reject
		}
		height := b.Header.Height
		head, err := vouches(l, data)
		switch {
		case errors.Is(err, light.BadHeader), errors.Is(err, light.WrongChain):
			return mesh.Reject
		case errors.Is(err, light.BadCommit) && height <= head+1:
			return mesh.Reject
		case err != nil:
			// Across a gap more signatures are looked at than a peer without it needs,
			// so that one may have forwarded a commit with a bad signature in its tail.
			return mesh.Ignore
		}
		// Nothing has been verified about heights up to the head.
		if height > head && raise(&top, height) {
			return mesh.Accept
		}
		return mesh.Ignore
	}
}

// vouches judges by one head, whose height it returns. Were the head to move
// meanwhile, a true header could seem not to follow from it.
func vouches(l *light.Client, data []byte) (int64, error) {
	for {
		head := l.Head().Height
		err := l.Vouches(data)
		if l.Head().Height == head { // heads only rise
			return head, err
		}
	}
}

// raise sets v to n unless it is that high already.
func raise(v *atomic.Int64, n int64) bool {
	for {
		old := v.Load()
		if n <= old {
			return false
		}
		if v.CompareAndSwap(old, n) {
			return true
		}
	}
}

// Times of Follow and its neighbours.
const (
	// silence is how long there may be nothing new before nodes are asked: one and
	// a half heartbeats of an idle ledger.
	silence = 15 * time.Second
	// dialTimeout bounds one round of connecting to the nodes.
	dialTimeout = 5 * time.Second
	// pairDial bounds the way to the device of a pairing code, for each of its
	// peers.
	pairDial = 20 * time.Second
	// pollPause is between two questions for the next header; blocks come every
	// half second.
	pollPause = 200 * time.Millisecond
	// txLife is how long a transaction may wait for a block.
	txLife = 10 * time.Minute
)
