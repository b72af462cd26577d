package presence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/p2p/frame"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// Announce tells a connected node that the device is here; it never dials. nil
// means that the node knows it until the connection ends. A refusal has its
// kind (errors.Is); after any error the caller tries again later.
func Announce(ctx context.Context, h host.Host, node peer.ID, chain codec.ChainDigest, device *key.Private, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, talk)
	defer cancel()
	// A node behind a relay is reached over a limited connection.
	st, err := h.NewStream(network.WithAllowLimitedConn(network.WithNoDial(ctx, "presence"), "presence"), node, topic.Presence)
	if err != nil {
		return fmt.Errorf("announce to node: %w", errors.Join(err, ctx.Err()))
	}
	stop := context.AfterFunc(ctx, func() { _ = st.Reset() })
	defer stop()
	if err := converse(st, Sign(chain, device, h.ID(), node, now).Bytes()); err != nil {
		_ = st.Reset()
		return fmt.Errorf("announce to node: %w", errors.Join(err, ctx.Err()))
	}
	return st.Close()
}

// converse sends a statement and reads what the node thinks of it.
func converse(st network.Stream, statement []byte) error {
	if err := frame.NewWriter(st, MaxStatement).Write(statement); err != nil {
		return err
	}
	raw, err := frame.NewReader(st, maxAnswer).Next()
	if err != nil {
		return err
	}
	return readAnswer(raw)
}
