package demo

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/p2p/fetch"
)

// victim is the validator that wallets and devices ask first.
const victim = "val1"

// validatorDies kills a validator in the middle of its work.
func (w *world) validatorDies(ctx context.Context) (string, error) {
	head, err := w.client.Ledger().Update(ctx)
	if err != nil {
		return "", err
	}
	w.height = head.Height
	if err := w.net.Kill(ctx, victim); err != nil {
		return "", err
	}
	w.detail("%s is killed with SIGKILL at height %d", victim, w.height)
	var grant struct {
		Grant  string `json:"grant"`
		Height int64  `json:"height"`
	}
	if err := w.hos(ctx, w.owner, &grant, "grant", "add", "--device", w.garage.Name, "--to", w.guestKey, "--method", "lock.state", "--for", "1h"); err != nil {
		return "", err
	}
	w.spareGrant = grant.Grant
	if grant.Height <= w.height {
		return "", fmt.Errorf("the grant is in block %d, the validator died at %d", grant.Height, w.height)
	}
	if _, err := w.moved(w.front, func() (answer, error) { return w.door(ctx, w.owner, "open", w.front) }); err != nil {
		return "", err
	}
	return fmt.Sprintf("three of four committed block %d; the door opens", grant.Height), nil
}

// validatorReturns starts it again and compares what it says with what another
// validator says, both verified.
func (w *world) validatorReturns(ctx context.Context) (string, error) {
	if err := w.net.Start(ctx, victim); err != nil {
		return "", err
	}
	var own, other []string
	for _, n := range w.net.State().Nodes {
		if n.Name == victim {
			own = n.Mesh
		} else {
			other = append(other, n.Mesh...)
		}
	}
	now, err := w.net.AwaitHead(ctx, w.height, other...)
	if err != nil {
		return "", err
	}
	if _, err := w.net.AwaitHead(ctx, now.Height, own...); err != nil {
		return "", fmt.Errorf("%s does not catch up with block %d: %w", victim, now.Height, err)
	}
	a, err := w.appHash(ctx, now.Height, own)
	if err != nil {
		return "", err
	}
	b, err := w.appHash(ctx, now.Height, other)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(a, b) {
		return "", fmt.Errorf("at block %d %s has state %x, the others %x", now.Height, victim, a, b)
	}
	signed, err := w.votes(ctx, other)
	if err != nil {
		return "", err
	}
	if _, err := w.moved(w.front, func() (answer, error) { return w.door(ctx, w.owner, "lock", w.front) }); err != nil {
		return "", err
	}
	return fmt.Sprintf("at block %d its state is %.8x…, as the others'; it signed block %d", now.Height, a, signed), nil
}

// appHash is the hash of the state in a node's header.
func (w *world) appHash(ctx context.Context, height int64, nodes []string) ([]byte, error) {
	b, err := w.block(ctx, height, nodes)
	if err != nil {
		return nil, err
	}
	return b.SignedHeader.Header.AppHash, nil
}

// block fetches a header with its commit, checked for being consistent.
func (w *world) block(ctx context.Context, height int64, nodes []string) (*cmtproto.LightBlock, error) {
	var infos []peer.AddrInfo
	for _, n := range nodes {
		i, err := peer.AddrInfoFromString(n)
		if err != nil {
			return nil, err
		}
		infos = append(infos, *i)
	}
	f, err := fetch.NewClient(fetch.ClientConfig{Host: w.client.Host, Nodes: infos})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := f.LightBlock(ctx, height)
	if err != nil {
		return nil, err
	}
	if _, err := light.DecodeBlock(w.net.State().Manifest.Name, raw); err != nil {
		return nil, err
	}
	b := new(cmtproto.LightBlock)
	return b, b.Unmarshal(raw)
}

// votes makes blocks until one carries the victim's signature.
func (w *world) votes(ctx context.Context, nodes []string) (int64, error) {
	var address []byte
	for _, n := range w.net.State().Nodes {
		if n.Name != victim {
			continue
		}
		pub, err := hex.DecodeString(n.Key)
		if err != nil {
			return 0, err
		}
		address = ed25519.PubKey(pub).Address()
	}
	var done struct {
		Height int64 `json:"height"`
	}
	if err := w.hos(ctx, w.owner, &done, "grant", "revoke", w.spareGrant); err != nil {
		return 0, err
	}
	for h := done.Height; ; h++ {
		if _, err := w.net.AwaitHead(ctx, h, nodes...); err != nil {
			return 0, fmt.Errorf("%s signs no block: %w", victim, err)
		}
		b, err := w.block(ctx, h, nodes)
		if err != nil {
			return 0, err
		}
		for _, s := range b.SignedHeader.Commit.Signatures {
			if bytes.Equal(s.ValidatorAddress, address) && s.BlockIdFlag == cmtproto.BlockIDFlagCommit {
				return h, nil
			}
		}
	}
}
