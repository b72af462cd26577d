package sdk

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/p2p/mesh"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// Follow takes part in the gossip of checkpoints, moves the light client along
// and calls onHead with every new verified head, in order, until ctx ends or
// onHead fails. Where gossip is silent for longer than a heartbeat, it asks a
// node.
func (c *Client) Follow(ctx context.Context, onHead func(light.Head) error) error {
	m, err := mesh.New(mesh.Config{Host: c.cfg.Host, Logger: c.cfg.Logger})
	if err != nil {
		return err
	}
	t, err := m.Join(topic.Checkpoint(c.chain), topic.MaxCheckpoint, 0, CheckpointValidator(c.ledger))
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
		if h, err := c.ledger.Update(ctx); err != nil {
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

// listen takes checkpoints until gossip falls silent or ctx ends.
func (c *Client) listen(ctx context.Context, t *mesh.Topic, tell func(light.Head) error) error {
	for {
		quiet, cancel := context.WithTimeout(ctx, silence)
		m, err := t.Next(quiet)
		cancel()
		if err != nil {
			if errors.Is(err, mesh.ErrStopped) && ctx.Err() == nil {
				return err
			}
			return nil
		}
		h, err := c.ledger.Offer(ctx, m.Data)
		if err != nil {
			c.cfg.Logger.Warn("checkpoint refused", "from", m.From, "err", err)
			continue
		}
		if err := tell(h); err != nil {
			return err
		}
	}
}

// reconnect keeps a connection to each node, which gossip needs.
func (c *Client) reconnect(ctx context.Context) {
	for _, n := range c.nodes {
		dial, cancel := context.WithTimeout(ctx, dialTimeout)
		if err := c.cfg.Host.Connect(dial, n); err != nil {
			c.cfg.Logger.Debug("node unreachable", "node", n.ID, "err", err)
		}
		cancel()
	}
}

// CheckpointValidator judges gossiped checkpoints by the light client's rules,
// before they are forwarded.
func CheckpointValidator(l *light.Client) mesh.Validator {
	return func(_ context.Context, _ peer.ID, data []byte) mesh.Verdict {
		err := l.Vouches(data)
		switch {
		case err == nil:
			return mesh.Accept
		case errors.Is(err, light.TooFewKnown), errors.Is(err, light.AnchorExpired), errors.Is(err, light.FromFuture):
			return mesh.Ignore // true, perhaps, but this client cannot tell
		default:
			return mesh.Reject
		}
	}
}

// Times of Follow and its neighbours.
const (
	// silence is how long gossip may be quiet before a node is asked: one and a
	// half heartbeats of an idle ledger.
	silence = 15 * time.Second
	// dialTimeout bounds one connection attempt.
	dialTimeout = 5 * time.Second
	// pollPause is between two questions for the next header; blocks come every
	// half second.
	pollPause = 200 * time.Millisecond
	// txLife is how long a transaction may wait for a block.
	txLife = 10 * time.Minute
)
