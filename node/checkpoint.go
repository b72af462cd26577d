package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/genesis"
	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/p2p/mesh"
)

// chain is what checkpoints are made from and judged by: our own blocks.
type chain interface {
	// LightBlock is the protobuf light block of a height, 0 the newest.
	LightBlock(ctx context.Context, height int64) ([]byte, error)
	// HeaderHash is the hash of a header of ours, nil if we do not have it.
	HeaderHash(height int64) []byte
	// Heads tells each new height once the node keeps step.
	Heads() <-chan int64
	// Prove completes light.Source; it is never called.
	Prove(ctx context.Context, key []byte, height int64) (light.Proof, error)
}

// checkpoints spreads the header of each new block, and judges those of others
// before they are forwarded.
type checkpoints struct {
	chain chain
	doc   *genesis.Doc
	log   *slog.Logger
	self  peer.ID
	topic *mesh.Topic

	mu     sync.Mutex
	client *light.Client // at our own newest header
	height int64         // of that header
	top    int64         // highest that was let through
}

func newCheckpoints(c chain, self peer.ID, doc *genesis.Doc, log *slog.Logger) *checkpoints {
	return &checkpoints{chain: c, self: self, doc: doc, log: log}
}

// run publishes until ctx ends. Not being able to publish one checkpoint is no
// reason to stop: the next comes in at most 10 s.
func (c *checkpoints) run(ctx context.Context) error {
	c.advance(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case height := <-c.chain.Heads():
			if err := c.publish(ctx, height); err != nil && ctx.Err() == nil {
				c.log.Warn("checkpoint not published", "height", height, "err", err)
			}
		}
	}
}

func (c *checkpoints) publish(ctx context.Context, height int64) error {
	raw := c.advance(ctx)
	if raw == nil {
		return fmt.Errorf("no light block of height %d", height)
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	return c.topic.Publish(ctx, raw)
}

// own lets a light client start at a header of our own chain, which consensus
// has verified.
type own []byte

func (o own) Load() ([]byte, error) { return o, nil }
func (o own) Save([]byte) error     { return nil }

// advance moves the judging client to our newest header and gives its light
// block; nil before the first block.
func (c *checkpoints) advance(ctx context.Context) []byte {
	raw, err := c.chain.LightBlock(ctx, 0)
	if err != nil {
		return nil
	}
	b, err := light.DecodeBlock(c.doc.ChainID, raw)
	if err != nil {
		c.log.Error("own light block is refused", "err", err)
		return nil
	}
	client, err := light.New(light.Config{Genesis: c.doc, Source: c.chain, Store: own(raw)})
	if err != nil {
		c.log.Error("own light block is refused", "err", err)
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.client, c.height = client, b.Header.Height
	return raw
}

// judge is the gossip validator. What we have ourselves is compared with our
// chain; what is newer must follow from our newest header by the rules of light
// clients. One header of each height is forwarded; the others say the same.
func (c *checkpoints) judge(_ context.Context, from peer.ID, raw []byte) mesh.Verdict {
	b, err := light.DecodeBlock(c.doc.ChainID, raw)
	if err != nil {
		return mesh.Reject
	}
	height := b.Header.Height
	if hash := c.chain.HeaderHash(height); hash != nil && !bytes.Equal(hash, b.Hash[:]) {
		return mesh.Reject
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case from == c.self:
		c.top = max(c.top, height)
		return mesh.Accept
	case c.client == nil, height <= c.height, height <= c.top:
		return mesh.Ignore
	}
	switch err := c.client.Vouches(raw); {
	case err == nil:
		c.top = height
		return mesh.Accept
	case errors.Is(err, light.BadHeader), errors.Is(err, light.BadCommit), errors.Is(err, light.WrongChain), errors.Is(err, light.Fork):
		return mesh.Reject
	default: // we know too little to blame anybody
		return mesh.Ignore
	}
}
