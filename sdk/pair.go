package sdk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/p2p/pairing"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// Pair reaches the device of a pairing code and makes the owner's account its
// owner. ctx bounds the whole conversation with the device; the owner's Claim and
// Commit bound themselves. When a Peer comes with an error, the ledger may have
// the claim all the same.
func (c *Client) Pair(ctx context.Context, code pairing.Code, o pairing.Owner) (pairing.Peer, pairing.Armed, error) {
	infos, err := parseAddrs(code.Addrs)
	if err != nil {
		return pairing.Peer{}, pairing.Armed{}, err
	}
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return pairing.Peer{}, pairing.Armed{}, err
	}
	defer done()
	last := error(&Error{Kind: BadAddress, Detail: "the pairing code has no address"})
	for _, info := range infos {
		st, err := c.openPair(ctx, info)
		if err != nil {
			last = err
			continue
		}
		return pairOver(ctx, st, code, o)
	}
	return pairing.Peer{}, pairing.Armed{}, last
}

// openPair tries one peer, with a share of the time.
func (c *Client) openPair(ctx context.Context, info peer.AddrInfo) (network.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, pairDial)
	defer cancel()
	if err := c.cfg.Host.Connect(ctx, info); err != nil {
		return nil, &Error{Kind: Unreachable, Detail: "device of the pairing code", Cause: err}
	}
	// A device behind a relay is reached over a limited connection.
	st, err := c.cfg.Host.NewStream(network.WithAllowLimitedConn(ctx, "pair"), info.ID, topic.Pair)
	if err != nil {
		return nil, &Error{Kind: Unreachable, Detail: "device does not take part in pairing", Cause: err}
	}
	return st, nil
}

func pairOver(ctx context.Context, st network.Stream, code pairing.Code, o pairing.Owner) (pairing.Peer, pairing.Armed, error) {
	stop := context.AfterFunc(ctx, func() { _ = st.SetDeadline(time.Unix(1, 0)) })
	p, armed, err := pairing.Wallet(st, code, o)
	if !stop() && err != nil {
		_ = st.Reset()
		return p, armed, fmt.Errorf("pairing ended early: %w", errors.Join(ctx.Err(), err))
	}
	_ = st.Close() // after a refusal the device still reads why
	return p, armed, err
}
