package sdk

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/hybridos-net/hybridos/p2p/pairing"
	"github.com/hybridos-net/hybridos/p2p/topic"
)

// Pair reaches the device of a pairing code and makes the owner's account its
// owner. ctx bounds the whole conversation, the ledger's commit included.
func (c *Client) Pair(ctx context.Context, code pairing.Code, o pairing.Owner) (pairing.Peer, pairing.Armed, error) {
	infos, err := parseAddrs(code.Addrs)
	if err != nil {
		return pairing.Peer{}, pairing.Armed{}, err
	}
	last := error(&Error{Kind: BadAddress, Detail: "the pairing code has no address"})
	for _, info := range infos {
		if err := c.cfg.Host.Connect(ctx, info); err != nil {
			last = &Error{Kind: Unreachable, Detail: "device of the pairing code", Cause: err}
			continue
		}
		st, err := c.cfg.Host.NewStream(ctx, info.ID, topic.Pair)
		if err != nil {
			last = &Error{Kind: Unreachable, Detail: "device does not take part in pairing", Cause: err}
			continue
		}
		return pairOver(ctx, st, code, o)
	}
	return pairing.Peer{}, pairing.Armed{}, last
}

func pairOver(ctx context.Context, st network.Stream, code pairing.Code, o pairing.Owner) (pairing.Peer, pairing.Armed, error) {
	defer st.Close()
	if d, ok := ctx.Deadline(); ok {
		if err := st.SetDeadline(d); err != nil {
			return pairing.Peer{}, pairing.Armed{}, fmt.Errorf("set deadline: %w", err)
		}
	}
	stop := context.AfterFunc(ctx, func() { st.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return pairing.Wallet(st, code, o)
}
