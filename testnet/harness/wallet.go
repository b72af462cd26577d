package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hybridos-net/hybridos/deviceos/agent"
	"github.com/hybridos-net/hybridos/deviceos/peripheral/lock"
)

// ownerWallet names the wallet folder that every network has.
const ownerWallet = "wallet"

// Wallet is the wallet folder (HOS_HOME) that is ready for use: it follows the
// network's ledger and holds no key yet.
func (n *Network) Wallet() string { return filepath.Join(n.cfg.Dir, ownerWallet) }

// NewWallet makes a wallet folder that follows the network's ledger.
func (n *Network) NewWallet(ctx context.Context, name string) (dir string, err error) {
	dir = filepath.Join(n.cfg.Dir, name)
	args := []string{"init", "--home", dir, "--genesis", n.GenesisFile(), "--quiet"}
	for _, m := range n.Mesh() {
		args = append(args, "--node", m)
	}
	if origin := n.State().Nodes[0].Phone; origin != "" {
		args = append(args, "--phone-url", origin)
	}
	_, err = run(ctx, n.cfg.Programs, "hos", "", nil, args...)
	return dir, err
}

// Device finds a device by its name.
func (n *Network) Device(name string) (Device, error) {
	for _, d := range n.State().Devices {
		if d.Name == name {
			return d, nil
		}
	}
	return Device{}, fmt.Errorf("device %s: %w", name, ErrNoProcess)
}

// PairingCode asks a device's agent for the code that its box would show.
func (n *Network) PairingCode(ctx context.Context, device string) (string, error) {
	d, err := n.Device(device)
	if err != nil {
		return "", err
	}
	out, err := run(ctx, n.cfg.Programs, "hos-agent", "", nil, "code", "--home", d.Home)
	return strings.TrimSpace(string(out)), err
}

// Actuations reads the bolt's own log: one entry for each time that it moved.
func (n *Network) Actuations(device string) ([]lock.Actuation, error) {
	d, err := n.Device(device)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(d.Bolt)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []lock.Actuation
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var a lock.Actuation
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("%s: %w", d.Bolt, err)
		}
		out = append(out, a)
	}
	return out, lines.Err()
}

// UseNodes lets a device ask the given nodes from its agent's next start on;
// none means all nodes of the network.
func (n *Network) UseNodes(device string, nodes ...string) error {
	return n.change(func(s *State) error {
		for i := range s.Devices {
			if s.Devices[i].Name == device {
				s.Devices[i].Nodes = nodes
				return nil
			}
		}
		return fmt.Errorf("device %s: %w", device, ErrNoProcess)
	})
}

// AwaitDevice returns what a device's agent says as soon as that is as wanted.
func (n *Network) AwaitDevice(ctx context.Context, device string, ok func(agent.Status) bool) (agent.Status, error) {
	d, err := n.Device(device)
	if err != nil {
		return agent.Status{}, err
	}
	home, err := agent.OpenHome(d.Home)
	if err != nil {
		return agent.Status{}, err
	}
	for {
		s, err := agent.AskStatus(ctx, home, d.Model)
		if err == nil && ok(s) {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return s, errors.Join(fmt.Errorf("%s stands at height %d", device, s.Height), ctx.Err(), err)
		case <-time.After(pollTime):
		}
	}
}
