package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/chain/tx"
	"github.com/hybridos-net/hybridos/p2p/pairing"
	"github.com/hybridos-net/hybridos/sdk"
	"github.com/hybridos-net/hybridos/testnet/harness"
	"github.com/hybridos-net/hybridos/testnet/manifest"
)

// Bars of the device agent.
const (
	agentSizeBar = 24_000_000 // bytes, stripped
	agentRSSBar  = 32_000_000 // bytes
)

// agentCommands is how many commands the agent executes before its memory is
// read; below the burst that it allows to one key.
const agentCommands = 150

// agentRow is what the real hos-agent takes, and gives.
type agentRow struct {
	Size, Idle, Busy int64         // bytes: program, memory before and after the commands
	P50, P99         time.Duration // through agent, bus and lock app
	Read, Written    int64         // bytes a day without commands, all system calls
}

// agentQuiet is how long the agent is watched while nobody commands it: some
// heartbeats of the ledger.
const agentQuiet = time.Minute

// agentFigures runs one validator and one lock, pairs it and opens the door.
func agentFigures(ctx context.Context, o Options) (row agentRow, err error) {
	info, err := os.Stat(filepath.Join(o.Bin, "hos-agent"))
	if err != nil {
		return row, err
	}
	row.Size = info.Size()
	dir, err := os.MkdirTemp("", "hos-bench-")
	if err != nil {
		return row, err
	}
	defer os.RemoveAll(dir)
	shape, ok := manifest.Shape("single")
	if !ok {
		return row, fmt.Errorf("there is no shape %q", "single")
	}
	n, err := harness.New(harness.Config{Dir: filepath.Join(dir, "net"), Programs: o.Bin, Manifest: shape, Tied: true})
	if err != nil {
		return row, err
	}
	defer n.Down(context.WithoutCancel(ctx))
	if err := n.Up(ctx); err != nil {
		return row, err
	}
	c, err := n.Dial()
	if err != nil {
		return row, err
	}
	defer c.Close()
	dev := n.State().Devices[0]
	owner, err := pairWith(ctx, n, c.Client, dev)
	if err != nil {
		return row, fmt.Errorf("pair: %w", err)
	}
	pid := n.State().Processes[dev.Name+"-agent"].PID
	if row.Idle, err = rssOf(pid); err != nil {
		return row, err
	}
	if row.Read, row.Written, err = dailyBytes(ctx, pid); err != nil {
		return row, err
	}
	s, err := openDoors(ctx, c.Client, dev, owner, agentCommands)
	if err != nil {
		return row, err
	}
	row.P50, row.P99 = s.quantile(0.5), s.quantile(0.99)
	row.Busy, err = rssOf(pid)
	return row, err
}

// dailyBytes is what a process reads and writes in a day if it goes on as now:
// the headers of the ledger, the gossip around them, and its own head on disk.
func dailyBytes(ctx context.Context, pid int) (read, written int64, err error) {
	r, w, err := bytesOf(pid)
	if err != nil {
		return 0, 0, err
	}
	select {
	case <-time.After(agentQuiet):
	case <-ctx.Done():
		return 0, 0, context.Cause(ctx)
	}
	if read, written, err = bytesOf(pid); err != nil {
		return 0, 0, err
	}
	days := int64(24 * time.Hour / agentQuiet)
	return (read - r) * days, (written - w) * days, nil
}

// pairWith makes a new key the owner of the device.
func pairWith(ctx context.Context, n *harness.Network, c *sdk.Client, dev harness.Device) (*key.Private, error) {
	text, err := n.PairingCode(ctx, dev.Name)
	if err != nil {
		return nil, err
	}
	code, err := pairing.ParseCode(text)
	if err != nil {
		return nil, err
	}
	owner, err := key.Generate(rand.Reader)
	if err != nil {
		return nil, err
	}
	root := owner.Public()
	_, _, err = c.Pair(ctx, code, pairing.Owner{
		Chain: c.Chain(), Account: root.AccountID(),
		Claim: func(p pairing.Peer) (*tx.Tx, error) {
			t, err := c.Build(ctx, root.AccountID(), false, &tx.Claim{Device: p.Device.DeviceID(), Epoch: 1, Root: &root})
			if err == nil {
				t.Sign(c.Chain(), tx.RoleAccount, owner)
			}
			return t, err
		},
		Commit: func(t *tx.Tx) (uint64, error) {
			h, err := c.Submit(ctx, t)
			return uint64(max(h, 0)), err
		},
	})
	return owner, err
}

func openDoors(ctx context.Context, c *sdk.Client, dev harness.Device, owner *key.Private, n int) (sample, error) {
	target, err := c.Device(dev.Key, dev.Addrs)
	if err != nil {
		return nil, err
	}
	nonce := uint64(0)
	caller := sdk.Caller{
		Chain: c.Chain(), Key: owner, Principal: owner.Public().AccountID(), Salt: 1,
		Nonce: func() (uint64, error) { nonce++; return nonce, nil },
	}
	var s sample
	for range n {
		cmd, err := caller.Sign(sdk.Call{Device: dev.ID, Epoch: 1, Endpoint: "lock", Method: "open"})
		if err != nil {
			return nil, err
		}
		start := time.Now()
		r, err := target.Send(ctx, cmd)
		s = append(s, time.Since(start))
		if err != nil {
			return nil, err
		}
		if r.Body.Code != command.OK {
			return nil, fmt.Errorf("the door answered %s", r.Body.Code)
		}
	}
	return s, nil
}
