package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multiaddr/net"

	"github.com/hybridos-net/hybridos/chain/command"
	"github.com/hybridos-net/hybridos/chain/key"
	"github.com/hybridos-net/hybridos/hbus/client"
	"github.com/hybridos-net/hybridos/p2p/pairing"
)

// Status is what the agent answers on the bus to agent/status.
//
// Evolution: names are fixed; new ones may come.
type Status struct {
	Running  bool           `json:"running"`
	Device   key.DeviceID   `json:"device"`
	ChainID  string         `json:"chain_id"`
	Model    string         `json:"model"`
	Owner    *key.AccountID `json:"owner"` // null: nobody
	Epoch    uint64         `json:"epoch"`
	Height   int64          `json:"height"` // of the newest verified header
	HeadTime time.Time      `json:"head_time"`
	Time     time.Time      `json:"time"`     // device time
	Receipts uint64         `json:"receipts"` // in the device's chain
	Peers    int            `json:"peers"`
	Listen   []string       `json:"listen"`
}

func (a *Agent) status(p *parts) Status {
	head := p.light.Head()
	s := Status{
		Running: true, Device: a.device(), ChainID: a.opts.Home.Genesis.ChainID, Model: a.opts.Config.Model,
		Height: head.Height, HeadTime: head.Time, Time: p.clock.Now().UTC(), Receipts: p.gate.Receipts(),
		Peers: len(p.host.Network().Peers()), Listen: addrs(p.host),
	}
	if own, ok := p.gate.Owner(); ok {
		s.Owner, s.Epoch = &own.Owner.Account, own.Epoch
	}
	return s
}

// AskStatus asks the agent that runs in a home. Without one it tells what the
// home itself says.
func AskStatus(ctx context.Context, home *Home, model string) (Status, error) {
	s := Status{Device: home.ID.Device.Public().DeviceID(), ChainID: home.Genesis.ChainID, Model: model}
	run, err := ReadRun(home.Dir)
	if errors.Is(err, ErrNotRunning) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	ctx, cancel := context.WithTimeout(ctx, statusTime)
	defer cancel()
	conn, err := client.Dial(ctx, run.Bus, client.Options{App: "agent-status"})
	if err != nil {
		return s, err
	}
	defer conn.Close()
	raw, err := conn.Call(ctx, busApp, statusMethod, nil)
	if err != nil {
		return s, fmt.Errorf("ask the agent: %w", err)
	}
	return s, json.Unmarshal(raw, &s)
}

// PairingCode is the code of a device whose agent runs.
func PairingCode(home *Home) (pairing.Code, error) {
	run, err := ReadRun(home.Dir)
	if err != nil {
		return pairing.Code{}, err
	}
	return pairing.Code{
		Version: pairing.Version, Device: home.ID.Device.Public().DeviceID(),
		ChainID: home.Genesis.ChainID, Chain: home.Genesis.Chain(),
		Secret: [pairing.SecretSize]byte(home.ID.Secret), Addrs: forCode(run.Listen),
	}, nil
}

// forCode picks the addresses that fit into a code that people can scan: those
// that others can reach come first.
func forCode(addrs []string) []string {
	out := slices.Clone(addrs)
	slices.SortStableFunc(out, func(a, b string) int { return rank(a) - rank(b) })
	return out[:min(len(out), maxCodeAddrs)]
}

func rank(addr string) int {
	m, err := multiaddr.NewMultiaddr(addr)
	switch {
	case err != nil:
		return 3
	case manet.IsIPLoopback(m):
		return 2
	case manet.IsIP6LinkLocal(m):
		return 1
	}
	return 0
}

func nothingDone(c command.Code, format string, args ...any) error {
	return &command.Error{Code: c, Detail: fmt.Sprintf(format, args...)}
}
