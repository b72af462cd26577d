package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/hybridos-net/hybridos/chain/light"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/testnet/harness"
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
		Height int64 `json:"height"`
	}
	if _, err := w.hos(ctx, w.owner, &grant, "grant", "add", "--device", w.garage.Name, "--to", w.guest.public, "--method", "lock.state", "--for", "1h"); err != nil {
		return "", err
	}
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
	if err := w.votes(ctx); err != nil {
		return "", err
	}
	if _, err := w.moved(w.front, func() (answer, error) { return w.door(ctx, w.owner, "lock", w.front) }); err != nil {
		return "", err
	}
	return fmt.Sprintf("at block %d its state is %.8x…, as the others'; it votes again", now.Height, a), nil
}

// appHash is the hash of the state in a node's header.
func (w *world) appHash(ctx context.Context, height int64, nodes []string) ([]byte, error) {
	b, err := w.block(ctx, height, nodes)
	if err != nil {
		return nil, err
	}
	return b.Header.AppHash, nil
}

func (w *world) block(ctx context.Context, height int64, nodes []string) (*light.Block, error) {
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
	return light.DecodeBlock(w.net.State().Manifest.Name, raw)
}

// votes waits until the victim says itself that it is in step: only then do the
// others hear it.
func (w *world) votes(ctx context.Context) error {
	base := ""
	for _, n := range w.net.State().Nodes {
		if n.Name == victim {
			base = n.HTTP
		}
	}
	for {
		s, err := harness.NodeStatus(ctx, base)
		if err == nil && !s.Syncing && s.P2PPeers > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New(victim+" is not in step"), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
