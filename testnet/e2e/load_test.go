package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hybridos-net/hybridos/chain/codec"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/state"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/fetch"
	"github.com/hybridos-net/hybridos/testnet/harness"
)

// load writes to the ledger through all nodes of a network until it is ended.
type load struct {
	t     *testing.T
	chain codec.ChainDigest
	nodes []*fetch.Client
	more  chan struct{} // an acknowledgement came; one may be missed

	mu       sync.Mutex
	vendor   *key.Private
	sequence uint64 // of the vendor

	ackMu sync.Mutex
	acked map[string]int64 // transaction -> height that was told

	stop context.CancelFunc
	done sync.WaitGroup
}

// startLoad lets some owners claim a device each and write grants as fast as
// they are acknowledged.
func startLoad(t *testing.T, n *harness.Network, owners int) *load {
	t.Helper()
	l := &load{
		t: t, chain: must(n.Genesis())(t).Chain(), vendor: must(n.Vendor())(t),
		more: make(chan struct{}, 1), acked: make(map[string]int64),
	}
	for _, addr := range n.Mesh() {
		l.nodes = append(l.nodes, ask(t, []string{addr}))
	}
	ctx, cancel := context.WithCancel(t.Context())
	l.stop = cancel
	for i := range owners {
		l.done.Go(func() {
			if err := l.work(ctx, i); err != nil && ctx.Err() == nil {
				t.Errorf("owner %d: %v", i, err)
			}
		})
	}
	t.Cleanup(func() { l.end() })
	return l
}

// end stops the load; what was not acknowledged then may or may not stand in a
// block.
func (l *load) end() map[string]int64 {
	l.stop()
	l.done.Wait()
	return l.acked
}

// count is how many transactions were acknowledged.
func (l *load) count() int {
	l.ackMu.Lock()
	defer l.ackMu.Unlock()
	return len(l.acked)
}

// await returns when n more transactions were acknowledged.
func (l *load) await(ctx context.Context, n int) error {
	for want := l.count() + n; l.count() < want; {
		select {
		case <-l.more:
		case <-ctx.Done():
			return fmt.Errorf("wait for %d acknowledged transactions: %w", n, ctx.Err())
		}
	}
	return nil
}

func (l *load) work(ctx context.Context, i int) error {
	for {
		if err := l.own(ctx, i); err != nil {
			return err
		}
	}
}

// own makes an owner, who writes until the quota is used up.
func (l *load) own(ctx context.Context, i int) error {
	owner, err := key.Generate(rand.Reader)
	if err != nil {
		return err
	}
	device, err := key.Generate(rand.Reader)
	if err != nil {
		return err
	}
	root, id := owner.Public(), device.Public().DeviceID()
	if err := l.register(ctx, i, device.Public()); err != nil {
		return err
	}
	claim := &tx.Claim{Device: id, Epoch: 1, Root: &root}
	for sequence := range state.DefaultQuota().PerDevice {
		var p tx.Payload = &tx.CreateGrant{
			Grantee: device.Public(), NotAfter: uint64(time.Now().Unix()) + 3600,
			Targets: []tx.Target{{Device: id, Epoch: 1, Endpoint: "lock", Methods: []string{"open"}}},
		}
		if sequence == 0 {
			p = claim
		}
		t, err := tx.New(root.AccountID(), sequence, uint64(time.Now().Unix())+300, p)
		if err != nil {
			return err
		}
		t.Sign(l.chain, tx.RoleAccount, owner)
		if sequence == 0 {
			t.Sign(l.chain, tx.RoleDevice, device)
		}
		if err := l.submit(ctx, i+int(sequence), t.Bytes()); err != nil {
			return fmt.Errorf("transaction %d: %w", sequence, err)
		}
	}
	return nil
}

func (l *load) register(ctx context.Context, i int, device key.Public) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, err := tx.New(l.vendor.Public().AccountID(), l.sequence, uint64(time.Now().Unix())+300,
		&tx.RegisterDevice{Key: device, SealKey: [32]byte{1}, Model: "lock"})
	if err != nil {
		return err
	}
	t.Sign(l.chain, tx.RoleVendor, l.vendor)
	l.sequence++
	return l.submit(ctx, i, t.Bytes())
}

// submit hands the same bytes in at one node after the other, from the given
// one on, until one acknowledges them: as a client does whose node went away.
func (l *load) submit(ctx context.Context, first int, raw []byte) error {
	var last error
	for try := range 40 {
		asking, cancel := context.WithTimeout(ctx, 10*time.Second)
		r, err := l.nodes[(first+try)%len(l.nodes)].Submit(asking, raw)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			last = err
		case r.Code != 0:
			last = fmt.Errorf("code %d: %s", r.Code, r.Log)
		default:
			l.ackMu.Lock()
			l.acked[string(raw)] = r.Height
			l.ackMu.Unlock()
			select {
			case l.more <- struct{}{}:
			default:
			}
			return nil
		}
	}
	return fmt.Errorf("no node took it: %w", last)
}
